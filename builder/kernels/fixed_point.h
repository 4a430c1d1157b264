/* Fixed-point arithmetic with the rounding of TensorFlow Lite Micro's reference kernels.
 *
 * A real multiplier M is a pair (multiplier, shift): M = multiplier * 2^(shift - 31), where multiplier is 0 or in
 * [2^30, 2^31).  Multiplying by it rounds twice, as gemmlowp does: once in the high half of the doubled product,
 * once in the right shift (tensorflow/lite/kernels/internal/common.h, MultiplyByQuantizedMultiplier).
 */
#ifndef RUNE_FIXED_POINT_H
#define RUNE_FIXED_POINT_H

#include "dsp.h"
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

#ifndef __wasm_simd128__

/* rune_multiply by a multiplier of at least 2^30, in one or two instructions of a board.  Of the doubled multiplier,
 * modulo 2^32, the product lacks the value, which is the sum; no value is larger after it, so that it can be moved by
 * one for the ties below zero. */
RUNE_INLINE int32_t rune_multiply_by_halves(int32_t value, int32_t multiplier, int32_t shift) {
  const uint32_t raised = (uint32_t)value << (shift > 0 ? shift : 0);
  const int32_t product = (int32_t)rune_smmlar(raised, 2 * (uint32_t)multiplier, raised);
  if (shift >= 0) return product;
  if (shift == -1) return rune_rounding_shift_right(product, 1);
  return (int32_t)rune_smmulr((uint32_t)(product + (product >> 31)), UINT32_C(1) << (32 + shift));
}

#endif

RUNE_INLINE int32_t rune_multiply(int32_t value, int32_t multiplier, int32_t shift) {
#ifndef __wasm_simd128__
  const bool is_known = __builtin_constant_p(multiplier) && __builtin_constant_p(shift);
  if (is_known && multiplier >= 1 << 30) return rune_multiply_by_halves(value, multiplier, shift);
#endif
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

/* value * 2^exponent within the range of int32; 0 <= exponent <= 31. */
RUNE_INLINE int32_t rune_saturating_shift_left(int32_t value, int32_t exponent) {
  const int64_t raised = (int64_t)value * (INT64_C(1) << exponent);
  return raised > INT32_MAX ? INT32_MAX : raised < INT32_MIN ? INT32_MIN : (int32_t)raised;
}

/* 1 / (1 + x) for x in [0, 1), both with 31 fractional bits: three Newton steps from 48/17 - 32/17 * (1 + x) / 2
 * (one_over_one_plus_x_for_x_in_0_1 in gemmlowp's fixedpoint.h). */
RUNE_INLINE int32_t rune_reciprocal(int32_t x) {
  const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
  const int32_t c48_over_17 = 1515870810, minus_32_over_17 = -1010580540; /* 29 fractional bits */
  int32_t estimate = c48_over_17 + rune_doubling_high_multiply(half_denominator, minus_32_over_17);
  for (int step = 0; step < 3; ++step) {
    const int32_t error = (1 << 29) - rune_doubling_high_multiply(half_denominator, estimate);
    estimate += rune_saturating_shift_left(rune_doubling_high_multiply(estimate, error), 2);
  }
  return rune_saturating_shift_left(estimate, 1);
}

/* A multiplier and a shift that stand for 1 / sqrt(value), value >= 0; 0 counts as 1.  Five Newton steps from 1, with
 * 3 integer bits (GetInvSqrtQuantizedMultiplierExp in tensorflow/lite/kernels/internal/common.h). */
RUNE_INLINE int32_t rune_inverse_square_root(int32_t value, int32_t *shift) {
  *shift = 0;
  if (value <= 1) return INT32_MAX;
  int32_t right = 11;
  for (; value >= 1 << 29; value /= 4) ++right;
  const int32_t pairs = (__builtin_clz((uint32_t)value) - 1) / 2 - 1;
  right -= pairs;
  const int32_t scaled = value << 2 * pairs >> 1, half = rune_rounding_shift_right(scaled, 1);
  const int32_t three_halves = (1 << 28) + (1 << 27), half_sqrt_2 = 1518500250;
  int32_t root = 1 << 28;
  for (int step = 0; step < 5; ++step) {
    const int32_t square = rune_doubling_high_multiply(root, root);
    const int32_t cube = rune_saturating_shift_left(rune_doubling_high_multiply(square, root), 6);
    const int32_t difference =
        rune_doubling_high_multiply(three_halves, root) - rune_doubling_high_multiply(half, cube);
    root = rune_saturating_shift_left(difference, 3);
  }
  root = rune_doubling_high_multiply(root, half_sqrt_2);
  *shift = right > 0 ? -right : 0;
  return right < 0 ? root << -right : root;
}

#endif
