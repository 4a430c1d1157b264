/* SHA-256 (FIPS 180-4), for messages below 512 MB. */
#ifndef RUNE_SHA256_H
#define RUNE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u

struct sha256 {
  uint32_t state[8];
  uint32_t words[16]; /* the block that is being filled, big-endian */
  uint32_t length;    /* bytes so far */
};

void sha256_begin(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t length);
void sha256_finish(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

#endif
