/* The four functions that a compiler calls on its own account; there is no C library. */
#ifndef RUNE_BYTES_H
#define RUNE_BYTES_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
size_t strlen(const char *text);

#endif
