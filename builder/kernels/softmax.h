/* Softmax of int8 rows; see operators/softmax.py for its meaning. */
#ifndef RUNE_SOFTMAX_H
#define RUNE_SOFTMAX_H

#include "fixed_point.h"

/* 1 / (1 + x) for x in [0, 1), both with 31 fractional bits: three Newton steps from 48/17 - 32/17 * (1 + x) / 2
 * (one_over_one_plus_x_for_x_in_0_1 in gemmlowp's fixedpoint.h). */
RUNE_INLINE int32_t rune_reciprocal(int32_t x) {
  const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
  const int32_t c48_over_17 = 1515870810, minus_32_over_17 = -1010580540; /* 29 fractional bits */
  int32_t estimate = c48_over_17 + rune_doubling_high_multiply(half_denominator, minus_32_over_17);
  for (int step = 0; step < 3; ++step) {
    const int32_t error = (1 << 29) - rune_doubling_high_multiply(half_denominator, estimate);
    const int64_t correction = (int64_t)rune_doubling_high_multiply(estimate, error) * 4;
    estimate += (int32_t)(correction > INT32_MAX ? INT32_MAX : correction < INT32_MIN ? INT32_MIN : correction);
  }
  const int64_t doubled = (int64_t)estimate * 2;
  return doubled > INT32_MAX ? INT32_MAX : (int32_t)doubled;
}

/* exponentials[d]: exp of the d-th step below the largest input, 31 fractional bits. */
RUNE_INLINE int32_t rune_softmax_i8(const int8_t *x, const int32_t *exponentials, int8_t *y, int32_t depth) {
  int32_t largest = INT8_MIN;
  for (int32_t i = 0; i < depth; ++i) largest = x[i] > largest ? x[i] : largest;
  int32_t sum = 0; /* 12 integer bits */
  for (int32_t i = 0; i < depth; ++i) sum += rune_rounding_shift_right(exponentials[largest - x[i]], 12);
  const int32_t headroom = __builtin_clz((uint32_t)sum);
  const int32_t scale = rune_reciprocal((int32_t)(((uint32_t)sum << headroom) - (UINT32_C(1) << 31)));
  const int32_t shift = 12 - headroom + 31 - 8;
  for (int32_t i = 0; i < depth; ++i) {
    const int32_t product = rune_doubling_high_multiply(scale, exponentials[largest - x[i]]);
    y[i] = (int8_t)rune_clamp(rune_rounding_shift_right(product, shift) + INT8_MIN, INT8_MIN, INT8_MAX);
  }
  return 0;
}

#endif
