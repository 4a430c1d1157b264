/* From real numbers to integers. */
#ifndef RUNE_QUANTIZE_H
#define RUNE_QUANTIZE_H

#include "runtime.h"

/* The nearest integer, ties away from zero, still as a float; exact, and no call into a C library. */
RUNE_INLINE float rune_round_half_away(float value) {
  const float whole = __builtin_truncf(value);
  return __builtin_fabsf(value - whole) >= 0.5f ? whole + __builtin_copysignf(1.0f, value) : whole;
}

/* The same with ties to the even neighbour. */
RUNE_INLINE float rune_round_half_even(float value) {
  const float whole = __builtin_truncf(value);
  const float rest = __builtin_fabsf(value - whole);
  const bool is_odd = whole * 0.5f != __builtin_truncf(whole * 0.5f);
  return rest > 0.5f || (rest == 0.5f && is_odd) ? whole + __builtin_copysignf(1.0f, value) : whole;
}

/* clamp(steps + zero_point); infinities saturate, NaN becomes the zero point. */
RUNE_INLINE int32_t rune_saturate_steps(float steps, int32_t zero_point, int32_t low, int32_t high) {
  if (steps != steps) return zero_point;
  if (steps >= (float)(high - zero_point)) return high;
  if (steps <= (float)(low - zero_point)) return low;
  return (int32_t)steps + zero_point;
}

/* clamp(round(value / scale) + zero_point). */
RUNE_INLINE int32_t rune_quantize_f32_ties_away(float value, float scale, int32_t zero_point, int32_t low,
                                                int32_t high) {
  return rune_saturate_steps(rune_round_half_away(value / scale), zero_point, low, high);
}

RUNE_INLINE int32_t rune_quantize_f32_ties_even(float value, float scale, int32_t zero_point, int32_t low,
                                                int32_t high) {
  return rune_saturate_steps(rune_round_half_even(value / scale), zero_point, low, high);
}

#endif
