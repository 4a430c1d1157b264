/* The functions of the C library that generated code may call; `mathlib.py` knows where each comes from. */
#ifndef RUNE_MATH_H
#define RUNE_MATH_H

#include "runtime.h"

float asinf(float), ceilf(float), cosf(float), erff(float), exp2f(float), expf(float), expm1f(float), fabsf(float),
    floorf(float), fmodf(float, float), log10f(float), log2f(float), logf(float), powf(float, float), roundf(float),
    sinf(float), sqrtf(float), tanf(float), truncf(float);
double ceil(double), cos(double), exp(double), exp2(double), fabs(double), floor(double), fmod(double, double),
    log(double), log10(double), log2(double), pow(double, double), round(double), sin(double), sqrt(double),
    tan(double), trunc(double);

#define RUNE_PI 3.14159265358979323846f

/* The nearest integer, ties to even. */
RUNE_INLINE float nearbyintf(float x) { return __builtin_nearbyintf(x); }

/* log(1 + x) without the loss of x's digits in the sum (Kahan; theorem 4 in Goldberg, "What Every Computer Scientist
 * Should Know About Floating-Point Arithmetic", 1991). */
RUNE_INLINE float log1pf(float x) {
  const float sum = 1.0f + x;
  return sum == 1.0f || x > 3e38f ? x : logf(sum) * (x / (sum - 1.0f));
}

RUNE_INLINE float sinhf(float x) {
  const float grown = expm1f(__builtin_fabsf(x));
  return grown > 3e38f ? x * 3e38f : __builtin_copysignf(0.5f * (grown + grown / (grown + 1.0f)), x);
}

RUNE_INLINE float coshf(float x) {
  const float root = expf(0.5f * __builtin_fabsf(x));
  return 0.5f * root * root + 0.5f / root / root;
}

RUNE_INLINE float asinhf(float x) {
  const float size = __builtin_fabsf(x);
  const float grown = size > 1e18f ? logf(size) + 0.69314718f
                                   : log1pf(size + size * size / (1.0f + sqrtf(size * size + 1.0f)));
  return __builtin_copysignf(grown, x);
}

RUNE_INLINE float acoshf(float x) {
  const float above = x - 1.0f;
  return x > 1e18f ? logf(x) + 0.69314718f : log1pf(above + sqrtf(2.0f * above + above * above));
}

RUNE_INLINE float atanhf(float x) {
  const float size = __builtin_fabsf(x);
  return __builtin_copysignf(0.5f * log1pf(2.0f * size / (1.0f - size)), x);
}

/* By the half angle towards both ends, where pi / 2 - asin(x) would lose digits. */
RUNE_INLINE float acosf(float x) {
  if (x > 0.5f) return 2.0f * asinf(sqrtf(0.5f * (1.0f - x)));
  if (x < -0.5f) return RUNE_PI - 2.0f * asinf(sqrtf(0.5f * (1.0f + x)));
  return 0.5f * RUNE_PI - asinf(x);
}

RUNE_INLINE float atanf(float x) {
  const float size = __builtin_fabsf(x);
  const float inverse = 1.0f / size;
  const float angle = size <= 1.0f ? asinf(size / sqrtf(1.0f + size * size))
                                   : 0.5f * RUNE_PI - asinf(inverse / sqrtf(1.0f + inverse * inverse));
  return __builtin_copysignf(angle, x);
}

/* tanh(x) = 1 - 2 / (exp(2x) + 1), by expm1 so that small arguments keep their digits; odd in x. */
RUNE_INLINE float tanhf(float x) {
  const float magnitude = __builtin_fabsf(x);
  if (magnitude > 10.0f) return __builtin_copysignf(1.0f, x);
  const float grown = expm1f(2.0f * magnitude);
  return x != x ? x : __builtin_copysignf(grown / (grown + 2.0f), x);
}

#endif
