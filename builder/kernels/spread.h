/* Sums of products of two columns of inputs by sixteen filters: what 1x1 convolutions, windows and Winograd's positions
 * have in common; `builder/families/simd_spread.py` packs the weights.
 *
 * Inputs are spread: each pair of halfwords fills a vector, and meets those weights of four filters.  So the sums of
 * filters lie side by side in the end, and need not be added up across vectors.
 */
#ifndef RUNE_SPREAD_H
#define RUNE_SPREAD_H

#include "simd.h"

#ifdef __wasm_simd128__
/* Hides from LLVM where a pointer or a counter comes from, so that it does not replace it in loops: loads near a pointer
 * then have offsets, which are free, in place of sums, which are not. */
#define RUNE_OPAQUE(value) __asm__("" : "+r"(value))

/* Four pairs of halfwords, each four times. */
RUNE_INLINE void rune_spread(v128_t pairs, int16_t *y) {
  wasm_v128_store(y, wasm_i32x4_shuffle(pairs, pairs, 0, 0, 0, 0));
  wasm_v128_store(y + 8, wasm_i32x4_shuffle(pairs, pairs, 1, 1, 1, 1));
  wasm_v128_store(y + 16, wasm_i32x4_shuffle(pairs, pairs, 2, 2, 2, 2));
  wasm_v128_store(y + 24, wasm_i32x4_shuffle(pairs, pairs, 3, 3, 3, 3));
}

/* Adds to `a` and `b` the sums of two columns, `step` apart, of at least one pair each.  The weights of four filters lie
 * interleaved, pair by pair. */
RUNE_INLINE void rune_add_products(const int16_t *x, const int16_t *w, int32_t pairs, int32_t step, v128_t a[4],
                                   v128_t b[4]) {
  v128_t a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3], b0 = b[0], b1 = b[1], b2 = b[2], b3 = b[3];
#pragma clang loop unroll(disable)
  do {
    const v128_t p = wasm_v128_load(x), q = wasm_v128_load(x + step);
    const v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 8);
    const v128_t w2 = wasm_v128_load(w + 16), w3 = wasm_v128_load(w + 24);
    a0 = wasm_i32x4_add(a0, wasm_i32x4_dot_i16x8(p, w0));
    a1 = wasm_i32x4_add(a1, wasm_i32x4_dot_i16x8(p, w1));
    a2 = wasm_i32x4_add(a2, wasm_i32x4_dot_i16x8(p, w2));
    a3 = wasm_i32x4_add(a3, wasm_i32x4_dot_i16x8(p, w3));
    b0 = wasm_i32x4_add(b0, wasm_i32x4_dot_i16x8(q, w0));
    b1 = wasm_i32x4_add(b1, wasm_i32x4_dot_i16x8(q, w1));
    b2 = wasm_i32x4_add(b2, wasm_i32x4_dot_i16x8(q, w2));
    b3 = wasm_i32x4_add(b3, wasm_i32x4_dot_i16x8(q, w3));
    x += 8, w += 32, --pairs;
    RUNE_OPAQUE(x);
    RUNE_OPAQUE(w);
    RUNE_OPAQUE(pairs);
  } while (pairs);
  a[0] = a0, a[1] = a1, a[2] = a2, a[3] = a3, b[0] = b0, b[1] = b1, b[2] = b2, b[3] = b3;
}

RUNE_INLINE v128_t rune_rescale_x16(const v128_t sums[4], const int32_t *table, const rune_scaling *scaling) {
  const v128_t low = wasm_i16x8_narrow_i32x4(rune_rescale_x4(sums[0], table, 0, scaling),
                                             rune_rescale_x4(sums[1], table, 4, scaling));
  const v128_t high = wasm_i16x8_narrow_i32x4(rune_rescale_x4(sums[2], table, 8, scaling),
                                              rune_rescale_x4(sums[3], table, 12, scaling));
  return rune_bounded_bytes(low, high, scaling);
}

/* Two spread pixels of `depth` halfwords by `channels`, a multiple of 16. */
RUNE_INLINE void rune_two_pixels(const int16_t *restrict x, const int16_t *restrict w, const int32_t *restrict table,
                                 int8_t *restrict y, int32_t depth, int32_t channels, const rune_scaling *scaling) {
  const int32_t rows = scaling->kind == RUNE_FLOAT32 ? 3 : 5; /* Of sixteen constants. */
#pragma clang loop unroll(disable)
  for (int32_t c = 0; c < channels; c += 16, w += 16 * depth, table += 16 * rows) {
    v128_t a[4], b[4];
#pragma clang loop unroll(full)
    for (int32_t i = 0; i < 4; ++i) a[i] = b[i] = wasm_v128_load(table + 4 * i);
    rune_add_products(x, w, depth / 2, depth * 4, a, b);
    wasm_v128_store(y + c, rune_rescale_x16(a, table, scaling));
    wasm_v128_store(y + channels + c, rune_rescale_x16(b, table, scaling));
  }
}

/* Halfwords, spread; up to a whole vector more than `count`. */
RUNE_INLINE void rune_spread_halfwords(const int16_t *restrict x, int16_t *restrict y, int32_t count) {
#pragma clang loop unroll(disable)
  for (int32_t i = 0; i < count; i += 8, y += 32) {
    RUNE_OPAQUE(y);
    rune_spread(wasm_v128_load(x + i), y);
  }
}

/* Bytes plus `offset`, spread; `count` is a multiple of 8. */
RUNE_INLINE void rune_spread_bytes(const int8_t *restrict x, int16_t *restrict y, int32_t count, int32_t offset) {
  const v128_t offsets = wasm_i16x8_splat((int16_t)offset);
#pragma clang loop unroll(disable)
  for (int32_t i = 0; i < count; i += 8, y += 32) {
    RUNE_OPAQUE(y);
    rune_spread(wasm_i16x8_add(wasm_i16x8_load8x8(x + i), offsets), y);
  }
}

/* A 1x1 convolution: at least two pixels of `depth` bytes (a multiple of 8), `step` apart, to as many of `channels`.
 * `spread` is room for two. */
RUNE_INLINE int32_t rune_pointwise(const int8_t *restrict x, const int16_t *restrict w, const int32_t *restrict table,
                                   int8_t *restrict y, int16_t *restrict spread, int32_t pixels, int32_t step,
                                   int32_t depth, int32_t channels, int32_t offset, int32_t kind, int32_t is_signed,
                                   int32_t zero_point, int32_t low, int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 16};
#pragma clang loop unroll(disable)
  for (int32_t next = 0; next < pixels; next += 2) {
    const int32_t pixel = next + 2 <= pixels ? next : pixels - 2; /* The last pair overlaps the one before it. */
    rune_spread_bytes(x + pixel * step, spread, depth, offset);
    rune_spread_bytes(x + pixel * step + step, spread + depth * 4, depth, offset);
    rune_two_pixels(spread, w, table, y + pixel * channels, depth, channels, &scaling);
  }
  return 0;
}

/* `rows` rows of `width` halfwords, spread side by side: `depth` of them, which is one more where that makes it even; what
 * is beyond meets weights of zero, or is overwritten. */
RUNE_INLINE void rune_spread_window(const int16_t *restrict x, int16_t *restrict y, int16_t *restrict gathered,
                                    int32_t rows, int32_t pitch, int32_t width, int32_t depth) {
  if (width % 8) {
#pragma clang loop unroll_count(4)
    for (int32_t row = 0; row < rows; ++row) {
      for (int32_t i = 0; i < width; i += 8)
        wasm_v128_store(gathered + row * width + i, wasm_v128_load(x + row * pitch + i));
    }
    x = gathered, rows = 1, width = depth;
  }
  for (int32_t row = 0; row < rows; ++row, x += pitch, y += width * 4) rune_spread_halfwords(x, y, width);
}

/* A row of at least two pixels, whose windows are `x_step` apart, of a convolution.  `spread` is room for two windows,
 * `gathered` for one and a vector. */
RUNE_INLINE int32_t rune_windows(const int16_t *restrict x, const int16_t *restrict w, const int32_t *restrict table,
                                 int8_t *restrict y, int16_t *restrict spread, int16_t *restrict gathered,
                                 int32_t pixels, int32_t x_step, int32_t rows, int32_t pitch, int32_t width,
                                 int32_t depth, int32_t channels, int32_t kind, int32_t is_signed, int32_t zero_point,
                                 int32_t low, int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 16};
#pragma clang loop unroll(disable)
  for (int32_t next = 0; next < pixels; next += 2) {
    const int32_t pixel = next + 2 <= pixels ? next : pixels - 2; /* The last pair overlaps the one before it. */
    const int16_t *window = x + pixel * x_step;
    rune_spread_window(window, spread, gathered, rows, pitch, width, depth);
    rune_spread_window(window + x_step, spread + depth * 4, gathered, rows, pitch, width, depth);
    rune_two_pixels(spread, w, table, y + pixel * channels, depth, channels, &scaling);
  }
  return 0;
}
#endif

#endif
