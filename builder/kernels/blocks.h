/* What proc blocks ask of single numbers; see builder/blocks/ for their meaning. */
#ifndef RUNE_BLOCKS_H
#define RUNE_BLOCKS_H

#include "runtime.h"

/* a > b, where NaN is less than anything else. */
RUNE_INLINE bool rune_larger_f32(float a, float b) { return a > b || (b != b && a == a); }
RUNE_INLINE bool rune_larger_f64(double a, double b) { return a > b || (b != b && a == a); }

/* From a remainder with the sign of the dividend to one in [0, modulus). */
RUNE_INLINE float rune_wrap_f32(float remainder, float modulus) {
  const float wrapped = remainder < 0.0f ? remainder + modulus : remainder;
  return wrapped >= modulus ? 0.0f : wrapped;
}
RUNE_INLINE double rune_wrap_f64(double remainder, double modulus) {
  const double wrapped = remainder < 0.0 ? remainder + modulus : remainder;
  return wrapped >= modulus ? 0.0 : wrapped;
}

RUNE_INLINE float rune_scale_f32(float value, float factor, float offset) { return value * factor + offset; }
RUNE_INLINE double rune_scale_f64(double value, double factor, double offset) { return value * factor + offset; }

/* NaN stays NaN. */
RUNE_INLINE float rune_clip_f32(float value, float low, float high) {
  return value < low ? low : value > high ? high : value;
}
RUNE_INLINE double rune_clip_f64(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

/* The integer towards zero, limited to low..high, which hold 0; 0 for NaN.  A bound that has no equal float is rounded
 * to the next one outwards, which no number within the bounds reaches. */
#define RUNE_INTEGER_FROM_FLOAT(NAME, INTEGER, FLOAT)                        \
  RUNE_INLINE INTEGER NAME(FLOAT value, INTEGER low, INTEGER high) {         \
    if (value != value) return 0;                                            \
    return value <= (FLOAT)low ? low : value >= (FLOAT)high ? high : (INTEGER)value; \
  }
RUNE_INTEGER_FROM_FLOAT(rune_i32_from_f32, int32_t, float)
RUNE_INTEGER_FROM_FLOAT(rune_u32_from_f32, uint32_t, float)
RUNE_INTEGER_FROM_FLOAT(rune_i64_from_f32, int64_t, float)
RUNE_INTEGER_FROM_FLOAT(rune_u64_from_f32, uint64_t, float)
RUNE_INTEGER_FROM_FLOAT(rune_i32_from_f64, int32_t, double)
RUNE_INTEGER_FROM_FLOAT(rune_u32_from_f64, uint32_t, double)
RUNE_INTEGER_FROM_FLOAT(rune_i64_from_f64, int64_t, double)
RUNE_INTEGER_FROM_FLOAT(rune_u64_from_f64, uint64_t, double)

#endif
