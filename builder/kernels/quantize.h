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

/* Cut off towards zero; beyond the range the nearest limit, NaN gives 0. */
RUNE_INLINE int32_t rune_saturating_truncation(float value) {
#ifdef __wasm__
  return __builtin_wasm_trunc_saturate_s_i32_f32(value);
#else
  if (value != value) return 0;
  return value >= 2147483648.0f ? INT32_MAX : value <= -2147483648.0f ? INT32_MIN : (int32_t)value;
#endif
}

/* clamp(round(value / scale) + zero_point).  The float below a half, added and cut off, rounds every float to nearest,
 * ties away from zero: of what is below a tie the sum stays below the next integer, of a tie it is rounded to it. */
RUNE_INLINE int32_t rune_quantize_f32_ties_away(float value, float scale, int32_t zero_point, int32_t low,
                                                int32_t high) {
  const float steps = value / scale;
  const int32_t whole = rune_saturating_truncation(steps + __builtin_copysignf(0x1.fffffep-2f, steps));
  return rune_clamp(whole, low - zero_point, high - zero_point) + zero_point;
}

/* The same with ties to even: next to 3 * 2^22 floats are whole numbers, to which the sum is rounded.  What is too large
 * for that is beyond every range. */
RUNE_INLINE int32_t rune_quantize_f32_ties_even(float value, float scale, int32_t zero_point, int32_t low,
                                                int32_t high) {
  const int32_t whole = rune_saturating_truncation(value / scale + 12582912.0f - 12582912.0f);
  return rune_clamp(whole, low - zero_point, high - zero_point) + zero_point;
}

/* The scale and zero point, range[0] and range[1], for which `count` values fit into int8. */
RUNE_INLINE int32_t rune_dynamic_range(const float *values, float *range, int32_t count, int32_t asymmetric) {
  float low = 0.0f, high = 0.0f;
  for (int32_t i = 0; i < count; ++i) {
    low = values[i] < low ? values[i] : low;
    high = values[i] > high ? values[i] : high;
  }
  range[0] = 1.0f;
  range[1] = 0.0f;
  if (low == high) return 0;
  if (!asymmetric) {
    range[0] = (-low > high ? -low : high) / 127.0f;
    return 0;
  }
  const double scale = ((double)high - (double)low) / 255.0;
  const double from_low = -128.0 - low / scale, from_high = 127.0 - high / scale;
  const double low_error = 128.0 - low / scale, high_error = 127.0 + high / scale;
  const double zero = low_error < high_error ? from_low : from_high;
  range[0] = (float)scale;
  range[1] = zero <= -128.0 ? -128.0f : zero >= 127.0 ? 127.0f : rune_round_half_away((float)zero);
  return 0;
}

RUNE_INLINE int32_t rune_dynamic_quantize(float value, float scale, float zero_point) {
  const float steps = rune_round_half_away(zero_point + value * (1.0f / scale));
  return steps >= 127.0f ? 127 : steps <= -128.0f ? -128 : (int32_t)steps;
}

#endif
