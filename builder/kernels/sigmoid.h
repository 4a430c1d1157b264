/* Logistic function and hyperbolic tangent of fixed point, for int16 results with 15 fractional bits: `table` is that
 * of builder/sigmoid.py, sigmoid(i / 24) in steps of 2^-16, read with linear interpolation.  `value` is the argument
 * times 3 * 2^12: three times an int16 with 12 fractional bits.
 * Source: tensorflow/lite/kernels/internal/reference/integer_ops/logistic.h and tanh.h. */
#ifndef RUNE_SIGMOID_H
#define RUNE_SIGMOID_H

#include "runtime.h"

RUNE_INLINE int32_t rune_sigmoid_q15(const uint16_t *table, int32_t value) {
  const uint32_t magnitude = value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
  const uint32_t index = magnitude >> 9;
  uint32_t result = UINT32_C(0x7FFF) << 10;
  if (index < 255) result = ((uint32_t)table[index] << 9) + (magnitude & 511) * (table[index + 1] - table[index]);
  result = value >= 0 ? result + (1 << 9) : (UINT32_C(1) << 25) - result + (1 << 9) - 1;
  return (int32_t)(result >> 10);
}

/* tanh(x) = 2 * sigmoid(2 * x) - 1. */
RUNE_INLINE int32_t rune_tanh_q15(const uint16_t *table, int32_t value) {
  const uint32_t magnitude = value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
  const uint32_t index = magnitude >> 8;
  int32_t result = 0xFFFF << 8;
  if (index < 255) {
    result = (int32_t)(((uint32_t)table[index] << 8) + (magnitude & 255) * (table[index + 1] - table[index]));
  }
  result = value >= 0 ? result - (1 << 23) + (1 << 7) : (1 << 23) - result + (1 << 7) - 1;
  return result >> 8;
}

#endif
