/* Depthwise convolutions with rows of three taps; `builder/families/simd_depthwise.py` packs the weights. */
#ifndef RUNE_DEPTHWISE_H
#define RUNE_DEPTHWISE_H

#include "spread.h"

#ifdef __wasm_simd128__
/* Eight bytes plus offsets as halfwords, or zeros where the mask is none. */
RUNE_INLINE v128_t rune_masked_halfwords(const int8_t *x, v128_t offsets, v128_t mask) {
  return wasm_v128_and(wasm_i16x8_add(wasm_i16x8_load8x8(x), offsets), mask);
}

/* Rows of `size` bytes (at least eight), two by two, as pairs of halfwords within a border of zeros: `top` rows above, and
 * rows that are `pitch` pairs wide, of which `left` lie before the image. */
RUNE_INLINE int32_t rune_pair_rows(const int8_t *restrict x, int16_t *restrict y, int32_t pairs, int32_t height,
                                   int32_t size, int32_t top, int32_t left, int32_t pitch, int32_t offset) {
  const v128_t offsets = wasm_i16x8_splat((int16_t)offset);
#pragma clang loop unroll(disable)
  for (int32_t pair = 0; pair < pairs; ++pair, y += 2 * pitch) {
    const int32_t upper = 2 * pair - top, lower = upper + 1;
    const v128_t upper_mask = wasm_i16x8_splat(upper >= 0 && upper < height ? -1 : 0);
    const v128_t lower_mask = wasm_i16x8_splat(lower >= 0 && lower < height ? -1 : 0);
    const int8_t *upper_row = x + rune_clamp(upper, 0, height - 1) * size;
    const int8_t *lower_row = x + rune_clamp(lower, 0, height - 1) * size;
    rune_zero_fill(y, 2 * left);
#pragma clang loop unroll(disable)
    for (int32_t next = 0; next < size; next += 8) {
      const int32_t i = next + 8 <= size ? next : size - 8; /* The last vector overlaps the one before it. */
      const v128_t a = rune_masked_halfwords(upper_row + i, offsets, upper_mask);
      const v128_t b = rune_masked_halfwords(lower_row + i, offsets, lower_mask);
      int16_t *to = y + 2 * (left + i);
      wasm_v128_store(to, wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
      wasm_v128_store(to + 8, wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
    }
    rune_zero_fill(y + 2 * (left + size), 2 * (pitch - left - size));
  }
  return 0;
}

/* Up to five pixels side by side by four channels; `rows` pairs of rows that are `pitch` halfwords apart. */
RUNE_INLINE int32_t rune_depthwise_columns(const int16_t *restrict x, const int16_t *restrict w,
                                           const int32_t *restrict table, int8_t *restrict y, int32_t columns,
                                           int32_t rows, int32_t pitch, int32_t channels, int32_t kind,
                                           int32_t is_signed, int32_t zero_point, int32_t low, int32_t high) {
  enum { MOST = 5 };
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 4};
  v128_t sums[MOST], v[MOST + 2];
#pragma clang loop unroll(full)
  for (int32_t i = 0; i < columns; ++i) sums[i] = wasm_v128_load(table);
#pragma clang loop unroll(disable)
  do {
    const v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 8), w2 = wasm_v128_load(w + 16);
#pragma clang loop unroll(full)
    for (int32_t i = 0; i < columns + 2; ++i) v[i] = wasm_v128_load(x + i * 2 * channels);
#pragma clang loop unroll(full)
    for (int32_t i = 0; i < columns; ++i) {
      sums[i] = wasm_i32x4_add(sums[i], wasm_i32x4_dot_i16x8(v[i], w0));
      sums[i] = wasm_i32x4_add(sums[i], wasm_i32x4_dot_i16x8(v[i + 1], w1));
      sums[i] = wasm_i32x4_add(sums[i], wasm_i32x4_dot_i16x8(v[i + 2], w2));
    }
    x += pitch, w += 24, --rows;
    RUNE_OPAQUE(x);
    RUNE_OPAQUE(w);
    RUNE_OPAQUE(rows);
  } while (rows);
  RUNE_OPAQUE(y);
#pragma clang loop unroll(full)
  for (int32_t i = 0; i < columns; i += 2) {
    const int32_t next = i + 1 < columns ? i + 1 : i;
    const v128_t halves = wasm_i16x8_narrow_i32x4(rune_rescale_x4(sums[i], table, 0, &scaling),
                                                  rune_rescale_x4(sums[next], table, 0, &scaling));
    const v128_t bytes = rune_bounded_bytes(halves, halves, &scaling);
    wasm_v128_store32_lane(y + i * channels, bytes, 0);
    if (next > i) wasm_v128_store32_lane(y + next * channels, bytes, 1);
  }
  return 0;
}
#endif

#endif
