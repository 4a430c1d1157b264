/* Depthwise convolutions whose windows all lie inside of the image, four neighbouring channels at a time, read where
 * they lie: for results of few pixels, which do not pay for copies of channels.
 *
 * Of every four channels the stream has bias and scale each, then of each tap their weights as the halfwords (0, 2) and
 * (1, 3), which is what SXTB16 makes of the bytes of the image. */
#ifndef RUNE_MCU_DEPTHWISE_H
#define RUNE_MCU_DEPTHWISE_H

#include "dsp.h"
#include "mcu.h"

#ifndef __wasm_simd128__

enum { RUNE_MCU_QUAD = 4, RUNE_MCU_QUAD_HEADER = 12 };

/* Products of lower and upper halves, each added to a sum of its own: SMLABB and SMLATT. */
RUNE_INLINE void rune_mcu_two_products(uint32_t x, uint32_t w, uint32_t *lower, uint32_t *upper) {
  *lower += (uint32_t)((int32_t)(int16_t)x * (int16_t)w);
  *upper += (uint32_t)(((int32_t)x >> 16) * ((int32_t)w >> 16));
}

/* Steps are in bytes: of the taps of a window, and of windows. */
RUNE_INLINE int32_t rune_mcu_depthwise_inside(const int8_t *x, const int32_t *stream, int8_t *y, int32_t kernel_height,
                                              int32_t kernel_width, int32_t tap_row, int32_t tap_column,
                                              int32_t window_row, int32_t window_column, int32_t y_height,
                                              int32_t y_width, int32_t channels, int32_t y_zero, int32_t low,
                                              int32_t high, int32_t rounds_away, int32_t shifts) {
  const rune_mcu_range range = {y_zero, low, high, rounds_away, shifts};
  const int32_t block = RUNE_MCU_QUAD_HEADER + 2 * kernel_height * kernel_width;
#pragma clang loop unroll(disable)
  for (int32_t pixel = 0; pixel < y_height * y_width; ++pixel) {
    const int8_t *const window = x + pixel / y_width * window_row + pixel % y_width * window_column;
#pragma clang loop unroll(disable)
    for (int32_t c = 0; c < channels; c += RUNE_MCU_QUAD) {
      const int32_t *const header = stream + c / RUNE_MCU_QUAD * block;
      uint32_t sums[RUNE_MCU_QUAD] = {(uint32_t)header[0], (uint32_t)header[3], (uint32_t)header[6], (uint32_t)header[9]};
#pragma clang loop unroll_count(4)
      for (int32_t ky = 0; ky < kernel_height; ++ky) {
#pragma clang loop unroll_count(4)
        for (int32_t kx = 0; kx < kernel_width; ++kx) {
          const uint32_t bytes = rune_mcu_word(window + c + ky * tap_row + kx * tap_column);
          uint32_t weights[2];
          rune_mcu_load_two(header + RUNE_MCU_QUAD_HEADER + 2 * (ky * kernel_width + kx), weights);
          rune_mcu_two_products(rune_sxtb16(bytes), weights[0], &sums[0], &sums[2]);
          rune_mcu_two_products(rune_sxtb16_ror8(bytes), weights[1], &sums[1], &sums[3]);
        }
      }
      uint32_t result = 0;
#pragma clang loop unroll(full)
      for (int32_t k = 0; k < RUNE_MCU_QUAD; ++k) {
        const int8_t byte = rune_mcu_requantize((int32_t)sums[k], header + 3 * k + 1, range);
        result |= (uint32_t)(uint8_t)byte << 8 * k;
      }
      rune_mcu_store(y + pixel * channels + c, result);
    }
  }
  return 0;
}

#endif

#endif
