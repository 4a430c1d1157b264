/* Sums of products of int8 in 128-bit vectors; `builder/families/simd.py` says what they compute and packs their operands.
 *
 * Activations arrive as int16 without their zero point, in a buffer whose border is zero, so that there is neither
 * widening nor a bound to check in the inner loops.  Everything is exact: the same bits as the scalar kernels.
 */
#ifndef RUNE_SIMD_H
#define RUNE_SIMD_H

#include "runtime.h"

#ifdef __wasm_simd128__
#include <wasm_simd128.h>

/* Rows of `width` bytes into rows of `pitch` halfwords, after `top` rows and `left` halfwords of zeros. */
RUNE_INLINE int32_t rune_widen(const int8_t *restrict x, int16_t *restrict y, int32_t height, int32_t width,
                               int32_t top, int32_t left, int32_t pitch, int32_t total, int32_t offset) {
  for (int32_t i = 0; i < total; ++i) y[i] = 0;
  y += top * pitch + left;
  for (int32_t row = 0; row < height; ++row) {
    for (int32_t i = 0; i < width; ++i) y[row * pitch + i] = (int16_t)(x[row * width + i] + offset);
  }
  return 0;
}

/* Four accumulators to the output's scale: rune_requantize with shifts of 0 to 30 bits to the right.
 *
 * `scale` points at the first of four multipliers; three further tables follow at distances of `channels`: half of
 * the divisor, whether it is more than 1 (all bits) or not (none), and 2^30 over the divisor.  A vector cannot shift
 * each lane by another amount, but it can multiply and shift all by 30.
 */
RUNE_INLINE v128_t rune_requantize_x4(v128_t sums, const int32_t *scale, int32_t channels, int32_t zero_point,
                                      int32_t low, int32_t high) {
  const v128_t multiplier = wasm_v128_load(scale), half = wasm_v128_load(scale + channels);
  const v128_t divides = wasm_v128_load(scale + 2 * channels), inverse = wasm_v128_load(scale + 3 * channels);
  const v128_t nudge = wasm_i64x2_const_splat(INT64_C(1) << 30);
  v128_t even = wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(sums, multiplier), nudge);
  v128_t odd = wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(sums, multiplier), nudge);
  even = wasm_i64x2_shr(even, 31);
  odd = wasm_i64x2_shr(odd, 31);
  v128_t value = wasm_i32x4_shuffle(even, odd, 0, 2, 4, 6);
  /* Ties away from zero: a negative value is rounded from one below. */
  value = wasm_i32x4_add(value, wasm_i32x4_add(half, wasm_v128_and(wasm_i32x4_shr(value, 31), divides)));
  even = wasm_i64x2_shr(wasm_i64x2_extmul_low_i32x4(value, inverse), 30);
  odd = wasm_i64x2_shr(wasm_i64x2_extmul_high_i32x4(value, inverse), 30);
  value = wasm_i32x4_add(wasm_i32x4_shuffle(even, odd, 0, 2, 4, 6), wasm_i32x4_splat(zero_point));
  return wasm_i32x4_min(wasm_i32x4_max(value, wasm_i32x4_splat(low)), wasm_i32x4_splat(high));
}

/* The sums of the lanes of four vectors. */
RUNE_INLINE v128_t rune_sum_lanes(v128_t a, v128_t b, v128_t c, v128_t d) {
  const v128_t ab = wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
  const v128_t cd = wasm_i32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
  return wasm_i32x4_add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}

/* The lowest bytes of four lanes; only the first `count` of them are stored. */
RUNE_INLINE void rune_store_bytes(int8_t *y, v128_t values, int32_t count) {
  const v128_t halves = wasm_i16x8_narrow_i32x4(values, values);
  const v128_t bytes = wasm_i8x16_narrow_i16x8(halves, halves);
  if (count >= 4) {
    wasm_v128_store32_lane(y, bytes, 0);
    return;
  }
  int8_t all[16];
  wasm_v128_store(all, bytes);
  for (int32_t i = 0; i < count; ++i) y[i] = all[i];
}

/* One or two pixels, `x_step` apart, by four channels: `rows` rows of `depth` halfwords (a multiple of 8).
 * The weights of the four channels lie interleaved, eight of each at a time. */
RUNE_INLINE int32_t rune_conv_block(const int16_t *restrict x, const int16_t *restrict w, const int32_t *bias,
                                    int8_t *restrict y, int32_t rows, int32_t pitch, int32_t depth,
                                    int32_t pixels, int32_t x_step, int32_t y_step, int32_t channels,
                                    int32_t count, int32_t zero_point, int32_t low, int32_t high) {
  v128_t a0 = wasm_i32x4_const_splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  for (int32_t row = 0; row < rows; ++row) {
    const int16_t *first = x + row * pitch, *second = first + x_step;
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < depth; i += 8, w += 32) {
      const v128_t p = wasm_v128_load(first + i);
      const v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 8);
      const v128_t w2 = wasm_v128_load(w + 16), w3 = wasm_v128_load(w + 24);
      a0 = wasm_i32x4_add(a0, wasm_i32x4_dot_i16x8(p, w0));
      a1 = wasm_i32x4_add(a1, wasm_i32x4_dot_i16x8(p, w1));
      a2 = wasm_i32x4_add(a2, wasm_i32x4_dot_i16x8(p, w2));
      a3 = wasm_i32x4_add(a3, wasm_i32x4_dot_i16x8(p, w3));
      if (pixels == 2) {
        const v128_t q = wasm_v128_load(second + i);
        b0 = wasm_i32x4_add(b0, wasm_i32x4_dot_i16x8(q, w0));
        b1 = wasm_i32x4_add(b1, wasm_i32x4_dot_i16x8(q, w1));
        b2 = wasm_i32x4_add(b2, wasm_i32x4_dot_i16x8(q, w2));
        b3 = wasm_i32x4_add(b3, wasm_i32x4_dot_i16x8(q, w3));
      }
    }
  }
  const v128_t start = wasm_v128_load(bias);
  const int32_t *scale = bias + channels;
  const v128_t a = wasm_i32x4_add(rune_sum_lanes(a0, a1, a2, a3), start);
  rune_store_bytes(y, rune_requantize_x4(a, scale, channels, zero_point, low, high), count);
  if (pixels == 2) {
    const v128_t b = wasm_i32x4_add(rune_sum_lanes(b0, b1, b2, b3), start);
    rune_store_bytes(y + y_step, rune_requantize_x4(b, scale, channels, zero_point, low, high), count);
  }
  return 0;
}

/* One pixel by eight channels of a depthwise convolution. */
RUNE_INLINE int32_t rune_depthwise_block(const int16_t *restrict x, const int16_t *restrict w,
                                         const int32_t *bias, int8_t *restrict y, int32_t kernel_height,
                                         int32_t kernel_width, int32_t y_pitch, int32_t x_pitch,
                                         int32_t channels, int32_t zero_point, int32_t low, int32_t high) {
  v128_t first = wasm_v128_load(bias), second = wasm_v128_load(bias + 4);
  for (int32_t ky = 0; ky < kernel_height; ++ky) {
    for (int32_t kx = 0; kx < kernel_width; ++kx, w += channels) {
      const v128_t p = wasm_v128_load(x + ky * y_pitch + kx * x_pitch), q = wasm_v128_load(w);
      first = wasm_i32x4_add(first, wasm_i32x4_extmul_low_i16x8(p, q));
      second = wasm_i32x4_add(second, wasm_i32x4_extmul_high_i16x8(p, q));
    }
  }
  const int32_t *scale = bias + channels;
  first = rune_requantize_x4(first, scale, channels, zero_point, low, high);
  second = rune_requantize_x4(second, scale + 4, channels, zero_point, low, high);
  const v128_t halves = wasm_i16x8_narrow_i32x4(first, second);
  wasm_v128_store64_lane(y, wasm_i8x16_narrow_i16x8(halves, halves), 0);
  return 0;
}
#endif

#endif
