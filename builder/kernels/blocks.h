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

#endif
