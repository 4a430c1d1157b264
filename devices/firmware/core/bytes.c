#include "bytes.h"

#include <stdint.h>

void *memmove(void *to, const void *from, size_t bytes) {
  uint8_t *target = to;
  const uint8_t *source = from;
  if (target <= source) {
    for (size_t i = 0; i < bytes; i++) target[i] = source[i];
  } else {
    while (bytes-- > 0) target[bytes] = source[bytes];
  }
  return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
  return memmove(to, from, bytes);
}

void *memset(void *to, int value, size_t bytes) {
  uint8_t *target = to;
  for (size_t i = 0; i < bytes; i++) target[i] = (uint8_t)value;
  return to;
}

int memcmp(const void *left, const void *right, size_t bytes) {
  const uint8_t *a = left, *b = right;
  for (size_t i = 0; i < bytes; i++) {
    if (a[i] != b[i]) return a[i] - b[i];
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}
