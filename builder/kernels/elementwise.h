/* Element-wise functions that C has no operator for; see the operators of these names. */
#ifndef RUNE_ELEMENTWISE_H
#define RUNE_ELEMENTWISE_H

#include "fixed_point.h"

/* a / b, cut off towards zero, modulo 2^32; b is not 0. */
RUNE_INLINE int32_t rune_divide_i32(int32_t a, int32_t b) { return b == -1 ? (int32_t)(0 - (uint32_t)a) : a / b; }

/* floor(a / b) modulo 2^32; b is not 0. */
RUNE_INLINE int32_t rune_floor_div_i32(int32_t a, int32_t b) {
  if (b == -1) return rune_divide_i32(a, b);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

RUNE_INLINE int32_t rune_floor_mod_i32(int32_t a, int32_t b) {
  const int32_t remainder = b == -1 ? 0 : a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

/* base^exponent modulo 2^64; with a negative exponent the quotient 1 / base^-exponent, cut off towards zero. */
RUNE_INLINE int64_t rune_power_i64(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  uint64_t result = 1;
  uint64_t square = (uint64_t)base;
  for (; exponent != 0; exponent >>= 1, square *= square) {
    if (exponent & 1) result *= square;
  }
  return (int64_t)result;
}

RUNE_INLINE int32_t rune_power_i32(int32_t base, int32_t exponent) {
  return (int32_t)rune_power_i64(base, exponent);
}

/* The quotient in double precision, as the reference has it. */
RUNE_INLINE float rune_floor_div_f32(float a, float b) { return (float)__builtin_floor((double)a / (double)b); }

/* From fmod(a, b). */
RUNE_INLINE float rune_floor_mod_f32(float remainder, float b) {
  return remainder != 0.0f && (remainder < 0.0f) != (b < 0.0f) ? remainder + b : remainder;
}

/* a * multiplier * 2^(shift - 31) / b; b is not 0.  The dividend is raised by its headroom, and multiplied by the
 * divisor's reciprocal. */
RUNE_INLINE int32_t rune_divide_quantized(int32_t a, int32_t b, int32_t multiplier, int32_t shift,
                                          int32_t zero_point, int32_t low, int32_t high) {
  const int32_t dividend = b < 0 ? -a : a;
  const uint32_t divisor = b < 0 ? 0 - (uint32_t)b : (uint32_t)b;
  const int32_t digits = __builtin_clz(divisor), headroom = __builtin_clrsb(dividend);
  const int32_t reciprocal = rune_reciprocal((int32_t)((divisor << digits) - (UINT32_C(1) << 31)));
  const int32_t quotient = rune_doubling_high_multiply(rune_shift_left(dividend, headroom), reciprocal);
  return rune_requantize(quotient, multiplier, shift - (31 - digits) - headroom, zero_point, low, high);
}

/* multiplier * 2^(shift - 31) / sqrt(value); the largest where value is 0. */
RUNE_INLINE int32_t rune_rsqrt(int32_t value, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low,
                               int32_t high) {
  if (value == 0) return high;
  const int32_t fraction_bits = 20;
  int32_t root_shift;
  const int32_t root = rune_inverse_square_root(value, &root_shift);
  const int32_t inverse = rune_multiply(1, root, root_shift + fraction_bits);
  return rune_requantize(inverse, multiplier, shift - fraction_bits, zero_point, low, high);
}

/* Cut off towards zero; beyond the range the nearest limit, NaN gives 0. */
RUNE_INLINE int32_t rune_truncate_to_int32(float value) {
  if (value != value) return 0;
  return value >= 2147483648.0f ? INT32_MAX : value <= -2147483648.0f ? INT32_MIN : (int32_t)value;
}

RUNE_INLINE uint32_t rune_truncate_to_uint32(float value) {
  if (value >= 4294967296.0f) return UINT32_MAX;
  return value > 0.0f ? (uint32_t)value : 0;
}

#endif
