#include "crc.h"

uint32_t crc32(const void *data, size_t length) {
  const uint8_t *bytes = data;
  uint32_t crc = ~0u;
  while (length--) {
    crc ^= *bytes++;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xEDB88320u & -(crc & 1));
  }
  return ~crc;
}

uint16_t crc16_xmodem(uint16_t crc, const void *data, size_t length) {
  const uint8_t *bytes = data;
  uint32_t value = crc;
  while (length--) {
    value ^= (uint32_t)*bytes++ << 8;
    for (int bit = 0; bit < 8; bit++) value = (value << 1) ^ (0x1021u & -(value >> 15 & 1));
  }
  return (uint16_t)value;
}
