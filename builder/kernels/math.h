/* The functions of the C library that generated code may call; `mathlib.py` knows where each comes from. */
#ifndef RUNE_MATH_H
#define RUNE_MATH_H

#include "runtime.h"

float acosf(float), asinf(float), asinhf(float), atan2f(float, float), atanhf(float), ceilf(float), cosf(float),
    erff(float), exp2f(float), expf(float), expm1f(float), floorf(float), fmodf(float, float), log10f(float),
    log1pf(float), log2f(float), logf(float), powf(float, float), roundf(float), sinf(float), sinhf(float),
    sqrtf(float), tanf(float), truncf(float);
double fmod(double, double);

/* tanh(x) = 1 - 2 / (exp(2x) + 1), by expm1 so that small arguments keep their digits; odd in x. */
RUNE_INLINE float tanhf(float x) {
  const float magnitude = __builtin_fabsf(x);
  if (magnitude > 10.0f) return __builtin_copysignf(1.0f, x);
  const float grown = expm1f(2.0f * magnitude);
  return x != x ? x : __builtin_copysignf(grown / (grown + 2.0f), x);
}

#endif
