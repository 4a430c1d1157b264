/* Functions of int8 rows: log-softmax and L2 normalisation; see the operators of these names. */
#ifndef RUNE_NORMALIZATION_H
#define RUNE_NORMALIZATION_H

#include "fixed_point.h"

/* log(x) for x >= 1 with 12 integer bits; the result has 5.  x is z * 2^k with z near sqrt(sqrt(1/2)), where a rational
 * function of z approximates log(z): the better of two choices of k is taken
 * (log_x_for_x_greater_than_or_equal_to_1_impl in tensorflow/lite/kernels/internal/common.h). */
RUNE_INLINE int32_t rune_log_q12(int32_t x) {
  /* 31 fractional bits; the alphas are 11/240, 1/20, 2 / sqrt(2) - 1 and 1/4, times sqrt(sqrt(2)). */
  const int32_t log_2 = 1488522236, sqrt_sqrt_half = 1805811301, sqrt_half = 1518500250;
  const int32_t alpha_n = 117049297, alpha_d = 127690142, alpha_i = 1057819769, alpha_f = 638450708;
  const int32_t quarter = 1 << 23, exponent_bits = 25; /* 6 integer bits */
  const int32_t digits_a = __builtin_clz((uint32_t)x);
  const int32_t raised = rune_saturating_shift_left(x, digits_a - 1);
  const int32_t z_a = rune_saturating_shift_left(rune_doubling_high_multiply(raised, sqrt_half), 1);
  const int32_t digits_b = __builtin_clz((uint32_t)rune_doubling_high_multiply(x, sqrt_half)) - 1;
  const int32_t z_b = rune_saturating_shift_left(x, digits_b);
  const int32_t power_a = rune_saturating_shift_left(12 - digits_a, exponent_bits) + quarter;
  const int32_t power_b = rune_saturating_shift_left(12 - digits_b, exponent_bits) - quarter;
  const int32_t z = z_a < z_b ? z_a : z_b;
  const int32_t half_sum = (int32_t)(((int64_t)z + sqrt_sqrt_half + 1) / 2);
  const int32_t distance = 2 * (z - sqrt_sqrt_half);
  const int32_t square = rune_doubling_high_multiply(distance, distance);
  const int32_t numerator =
      rune_doubling_high_multiply(distance, z) +
      rune_doubling_high_multiply(rune_doubling_high_multiply(distance, square), alpha_n);
  const int32_t factor = alpha_i + distance + rune_doubling_high_multiply(alpha_d, square);
  const int32_t denominator_minus_one =
      rune_doubling_high_multiply(half_sum, factor) + rune_doubling_high_multiply(alpha_f, distance);
  const int32_t logarithm = rune_doubling_high_multiply(rune_rounding_shift_right(numerator, 6),
                                                        rune_reciprocal(denominator_minus_one));
  const int32_t power = power_a > power_b ? power_a : power_b;
  return rune_saturating_shift_left(rune_doubling_high_multiply(power, log_2) + logarithm, 1);
}

/* exponentials[d]: exp of the d-th step below the largest input, 31 fractional bits, 0 beyond the radius.  `multiplier`
 * and `shift` take a step to 26 fractional bits, `inverse_multiplier` and `inverse_shift` back. */
RUNE_INLINE int32_t rune_log_softmax_i8(const int8_t *x, const int32_t *exponentials, int8_t *y, int32_t depth,
                                        int32_t multiplier, int32_t shift, int32_t inverse_multiplier,
                                        int32_t inverse_shift, int32_t radius) {
  int32_t largest = INT8_MIN;
  for (int32_t i = 0; i < depth; ++i) largest = x[i] > largest ? x[i] : largest;
  int32_t sum = 0; /* 12 integer bits */
  for (int32_t i = 0; i < depth; ++i) sum += rune_rounding_shift_right(exponentials[largest - x[i]], 12);
  const int32_t logarithm = rune_log_q12(sum);
  const int32_t furthest = rune_multiply(logarithm + INT32_MIN, inverse_multiplier, inverse_shift);
  const int32_t limit = furthest > -radius - 1 ? furthest : -radius - 1;
  for (int32_t i = 0; i < depth; ++i) {
    const int32_t distance = x[i] - largest;
    const int32_t fine = rune_multiply(distance, multiplier, shift) - logarithm;
    const int32_t result = rune_rounding_shift_right(fine, 22) + INT8_MAX;
    y[i] = (int8_t)(distance > limit ? rune_clamp(result, INT8_MIN, INT8_MAX) : INT8_MIN);
  }
  return 0;
}

/* x / |x| in steps of 1/128. */
RUNE_INLINE int32_t rune_l2_normalize_i8(const int8_t *x, int8_t *y, int32_t depth, int32_t zero_point) {
  int32_t sum = 0, shift;
  for (int32_t i = 0; i < depth; ++i) sum += (x[i] - zero_point) * (x[i] - zero_point);
  const int32_t root = rune_inverse_square_root(sum, &shift);
  for (int32_t i = 0; i < depth; ++i) {
    y[i] = (int8_t)rune_requantize(x[i] - zero_point, root, shift + 7, 0, INT8_MIN, INT8_MAX);
  }
  return 0;
}

#endif
