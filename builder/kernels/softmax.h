/* Softmax of quantised rows; see operators/softmax.py for its meaning. */
#ifndef RUNE_SOFTMAX_H
#define RUNE_SOFTMAX_H

#include "fixed_point.h"

/* The largest of a row's values, what their exponentials (31 fractional bits, by distance from the largest) sum up
 * to, and from it a reciprocal and a shift that scale an exponential to a result with `bits` bits. */
typedef struct {
  int32_t largest, scale, shift;
} rune_softmax_row;

RUNE_INLINE rune_softmax_row rune_softmax_scan_i8(const int8_t *x, const int32_t *exponentials, int32_t depth,
                                                  int32_t bits) {
  rune_softmax_row row = {INT8_MIN, 0, 0};
  for (int32_t i = 0; i < depth; ++i) row.largest = x[i] > row.largest ? x[i] : row.largest;
  int32_t sum = 0; /* 12 integer bits */
  for (int32_t i = 0; i < depth; ++i) sum += rune_rounding_shift_right(exponentials[row.largest - x[i]], 12);
  const int32_t headroom = __builtin_clz((uint32_t)sum);
  row.scale = rune_reciprocal((int32_t)(((uint32_t)sum << headroom) - (UINT32_C(1) << 31)));
  row.shift = 12 - headroom + 31 - bits;
  return row;
}

RUNE_INLINE int32_t rune_softmax_i8(const int8_t *x, const int32_t *exponentials, int8_t *y, int32_t depth) {
  const rune_softmax_row row = rune_softmax_scan_i8(x, exponentials, depth, 8);
  for (int32_t i = 0; i < depth; ++i) {
    const int32_t product = rune_doubling_high_multiply(row.scale, exponentials[row.largest - x[i]]);
    y[i] = (int8_t)rune_clamp(rune_rounding_shift_right(product, row.shift) + INT8_MIN, INT8_MIN, INT8_MAX);
  }
  return 0;
}

RUNE_INLINE int32_t rune_softmax_i8_i16(const int8_t *x, const int32_t *exponentials, int16_t *y,
                                        int32_t depth) {
  const rune_softmax_row row = rune_softmax_scan_i8(x, exponentials, depth, 16);
  for (int32_t i = 0; i < depth; ++i) {
    const int32_t product = rune_doubling_high_multiply(row.scale, exponentials[row.largest - x[i]]);
    const int32_t result = rune_rounding_shift_right(product, row.shift) + INT16_MIN;
    y[i] = (int16_t)rune_clamp(result, INT16_MIN, INT16_MAX);
  }
  return 0;
}

/* A table of 513 points over int16, interpolated between them (LUTLookup in common.h). */
RUNE_INLINE int32_t rune_lookup_i16(const int16_t *table, int32_t value) {
  const int16_t *point = table + 256 + (value >> 7);
  return point[0] + (((point[1] - point[0]) * (value & 0x7F) + 64) >> 7);
}

RUNE_INLINE int32_t rune_softmax_i16(const int16_t *x, const int16_t *exponentials, const int16_t *reciprocals,
                                     int16_t *y, int32_t depth, int32_t multiplier, int32_t shift) {
  int32_t largest = INT16_MIN;
  for (int32_t i = 0; i < depth; ++i) largest = x[i] > largest ? x[i] : largest;
  int32_t sum = 0;
  for (int32_t i = 0; i < depth; ++i) {
    const int32_t difference = rune_multiply(x[i] - largest, multiplier, shift) + INT16_MAX;
    y[i] = (int16_t)rune_lookup_i16(exponentials, rune_clamp(difference, INT16_MIN, INT16_MAX));
    sum += y[i];
  }
  const int32_t headroom = __builtin_clz((uint32_t)sum); /* the largest alone adds 32767, so the sum is not 0 */
  const int32_t shifted = (int32_t)((((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14) - (1 << 15) - (1 << 16);
  const int32_t reciprocal = rune_lookup_i16(reciprocals, rune_clamp(shifted, INT16_MIN, INT16_MAX));
  const int32_t right = 31 - headroom;
  for (int32_t i = 0; i < depth; ++i) {
    const int64_t scaled = ((int64_t)y[i] * reciprocal + (INT64_C(1) << (right - 1))) >> right;
    y[i] = (int16_t)rune_clamp((int32_t)scaled, 0, INT16_MAX);
  }
  return 0;
}

#endif
