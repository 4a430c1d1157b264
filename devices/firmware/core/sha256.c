#include "sha256.h"

#define BLOCK_BYTES 64u

/* FIPS 180-4, section 4.2.2. */
static const uint32_t constants[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t value, int count) { return value >> count | value << (32 - count); }

/* The next word of the message schedule takes the place of the one sixteen before it (section 6.2.2, step 1). */
static uint32_t schedule(uint32_t *words, int round) {
  uint32_t old = words[(round + 1) & 15], recent = words[(round + 14) & 15];
  uint32_t s0 = rotate(old, 7) ^ rotate(old, 18) ^ old >> 3;
  uint32_t s1 = rotate(recent, 17) ^ rotate(recent, 19) ^ recent >> 10;
  return words[round & 15] += s0 + words[(round + 9) & 15] + s1;
}

static void compress(struct sha256 *hash) {
  uint32_t v[8];
  for (int i = 0; i < 8; i++) v[i] = hash->state[i];
  for (int round = 0; round < 64; round++) {
    uint32_t word = round < 16 ? hash->words[round] : schedule(hash->words, round);
    uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
    uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    uint32_t t1 = v[7] + s1 + choice + constants[round] + word;
    uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
    uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    for (int i = 7; i > 0; i--) v[i] = v[i - 1];
    v[4] += t1;
    v[0] = t1 + s0 + majority;
  }
  for (int i = 0; i < 8; i++) hash->state[i] += v[i];
}

/* Section 5.3.3. */
void sha256_begin(struct sha256 *hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int i = 0; i < 8; i++) hash->state[i] = initial[i];
  hash->length = 0;
}

static void append(struct sha256 *hash, uint8_t byte) {
  uint32_t *word = &hash->words[hash->length++ % BLOCK_BYTES / 4];
  *word = *word << 8 | byte;
  if (hash->length % BLOCK_BYTES == 0) compress(hash);
}

void sha256_update(struct sha256 *hash, const void *data, size_t length) {
  const uint8_t *bytes = data;
  while (length--) append(hash, *bytes++);
}

/* The padding of section 5.1.1, which ends with the length in bits, 64 of them; then the digest, big-endian. */
void sha256_finish(struct sha256 *hash, uint8_t digest[SHA256_BYTES]) {
  uint32_t bits = hash->length * 8;
  append(hash, 0x80);
  while (hash->length % BLOCK_BYTES != BLOCK_BYTES - 8) append(hash, 0);
  for (unsigned i = 0; i < 8; i++) append(hash, i < 4 ? 0 : (uint8_t)(bits >> (56 - 8 * i)));
  for (unsigned i = 0; i < SHA256_BYTES; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - i % 4 * 8));
}
