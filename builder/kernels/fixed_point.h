/* Fixed-point arithmetic with the rounding of TensorFlow Lite Micro's reference kernels.
 *
 * A real multiplier M is a pair (multiplier, shift): M = multiplier * 2^(shift - 31), where multiplier is 0 or in
 * [2^30, 2^31).  Multiplying by it rounds twice, as gemmlowp does: once in the high half of the doubled product,
 * once in the right shift (tensorflow/lite/kernels/internal/common.h, MultiplyByQuantizedMultiplier).
 */
#ifndef RUNE_FIXED_POINT_H
#define RUNE_FIXED_POINT_H

#include "runtime.h"

/* round(a * b / 2^31), ties towards plus infinity; saturates the one case that overflows. */
RUNE_INLINE int32_t rune_doubling_high_multiply(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* round(value / 2^exponent), ties away from zero; 0 <= exponent <= 31. */
RUNE_INLINE int32_t rune_rounding_shift_right(int32_t value, int32_t exponent) {
  const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1);
  const int32_t remainder = value & mask;
  const int32_t threshold = (mask >> 1) + (value < 0);
  return (value >> exponent) + (remainder > threshold);
}

/* round(value / 2^exponent), ties towards plus infinity; 1 <= exponent <= 31. */
RUNE_INLINE int32_t rune_half_up_shift_right(int32_t value, int32_t exponent) {
  return (value + (1 << (exponent - 1))) >> exponent;
}

/* sum / count, ties away from zero; count > 0. */
RUNE_INLINE int32_t rune_divide_half_away(int32_t sum, int32_t count) {
  return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

/* sum / count, ties to even; count > 0. */
RUNE_INLINE int32_t rune_divide_half_even(int32_t sum, int32_t count) {
  const int32_t whole = sum / count - (sum % count < 0);
  const int32_t doubled = 2 * (sum - whole * count);
  return whole + (doubled > count || (doubled == count && (whole & 1)));
}

/* value * 2^exponent modulo 2^32, as the reference computes it. */
RUNE_INLINE int32_t rune_shift_left(int32_t value, int32_t exponent) {
  return (int32_t)((uint32_t)value << exponent);
}

RUNE_INLINE int32_t rune_multiply(int32_t value, int32_t multiplier, int32_t shift) {
  const int32_t left = shift > 0 ? shift : 0;
  const int32_t right = shift > 0 ? 0 : -shift;
  return rune_rounding_shift_right(rune_doubling_high_multiply(rune_shift_left(value, left), multiplier), right);
}

/* An accumulator to the output's scale, offset by its zero point and clamped. */
RUNE_INLINE int32_t rune_requantize(int32_t accumulator, int32_t multiplier, int32_t shift, int32_t zero_point,
                                    int32_t low, int32_t high) {
  return rune_clamp(rune_multiply(accumulator, multiplier, shift) + zero_point, low, high);
}

/* A 64-bit accumulator with a multiplier of 15 bits, rounded once, ties towards plus infinity: what the reference
 * does to sums of 16-bit activations (MultiplyByQuantizedMultiplier of int64 in common.h). */
RUNE_INLINE int32_t rune_requantize_wide(int64_t accumulator, int32_t multiplier, int32_t shift,
                                         int32_t zero_point, int32_t low, int32_t high) {
  const int32_t reduced = multiplier < 0x7FFF0000 ? (multiplier + (1 << 15)) >> 16 : 0x7FFF;
  const int32_t fraction = 15 - shift;
  const int64_t scaled = (accumulator * reduced + (INT64_C(1) << (fraction - 1))) >> fraction;
  return rune_clamp((int32_t)scaled + zero_point, low, high);
}

/* As rune_requantize, but rounded once, ties to even: what float arithmetic and a rounding at its end come to, as in ONNX. */
RUNE_INLINE int32_t rune_requantize_once(int32_t accumulator, int32_t multiplier, int32_t shift,
                                         int32_t zero_point, int32_t low, int32_t high) {
  const int32_t fraction = 31 - shift;
  const int64_t raised = (int64_t)accumulator * multiplier + (INT64_C(1) << (fraction - 1));
  const bool is_tie = (raised & ((INT64_C(1) << fraction) - 1)) == 0;
  const int64_t rounded = (raised >> fraction) & (is_tie ? ~INT64_C(1) : ~INT64_C(0));
  const int64_t offset = rounded + zero_point;
  return offset < low ? low : offset > high ? high : (int32_t)offset;
}

#endif
