/* Inner products along contiguous memory. */
#ifndef RUNE_INNER_PRODUCT_H
#define RUNE_INNER_PRODUCT_H

#include "runtime.h"

/* sum of (x[i] + x_offset) * w[i], in int32. */
RUNE_INLINE int32_t rune_dot_i8(const int8_t *restrict x, const int8_t *restrict w, int32_t count,
                                int32_t x_offset) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += (x[i] + x_offset) * w[i];
  return sum;
}

/* sum of x[i] * w[i] of 16-bit activations, whose zero point is 0, in int32. */
RUNE_INLINE int32_t rune_dot_i16(const int16_t *restrict x, const int8_t *restrict w, int32_t count) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += (uint32_t)(x[i] * w[i]);
  return (int32_t)sum;
}

/* The same in int64. */
RUNE_INLINE int64_t rune_dot_i16_wide(const int16_t *restrict x, const int8_t *restrict w, int32_t count) {
  int64_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += x[i] * w[i];
  return sum;
}

/* sum of (a[i] + a_offset) * (b[i] + b_offset), in int32. */
RUNE_INLINE int32_t rune_dot_i8_i8(const int8_t *restrict a, const int8_t *restrict b, int32_t count,
                                   int32_t a_offset, int32_t b_offset) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += (a[i] + a_offset) * (b[i] + b_offset);
  return sum;
}

/* sum of a[i] * b[i] of two 16-bit activations, in int64. */
RUNE_INLINE int64_t rune_dot_i16_i16(const int16_t *restrict a, const int16_t *restrict b, int32_t count) {
  int64_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/* sum of (x[i] + x_offset) * (w[i] + w_offset), in int32. */
RUNE_INLINE int32_t rune_dot_u8(const uint8_t *restrict x, const uint8_t *restrict w, int32_t count,
                                int32_t x_offset, int32_t w_offset) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += (x[i] + x_offset) * (w[i] + w_offset);
  return sum;
}

/* Four partial sums, so that a vector unit can keep them apart; added up pairwise at the end. */
RUNE_INLINE float rune_dot_f32(const float *restrict x, const float *restrict w, int32_t count) {
  float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  int32_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int32_t lane = 0; lane < 4; ++lane) sums[lane] += x[i + lane] * w[i + lane];
  }
  for (; i < count; ++i) sums[0] += x[i] * w[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

#endif
