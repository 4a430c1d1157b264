/* Checksums, computed bit by bit: small rather than fast. */
#ifndef RUNE_CRC_H
#define RUNE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of IEEE 802.3 (zlib's crc32) of bytes in memory. */
uint32_t crc32(const void *data, size_t length);

/* CRC-16/XMODEM, continued: begin with 0. */
uint16_t crc16_xmodem(uint16_t crc, const void *data, size_t length);

#endif
