/* 1x1 convolutions; see builder/families/simd_pointwise.py. */
#ifndef RUNE_POINTWISE_H
#define RUNE_POINTWISE_H

#include "simd.h"

#ifdef __wasm_simd128__
/* Bytes plus `offset` as halfwords, each pair of them four times; `count` is a multiple of 8. */
RUNE_INLINE void rune_spread_pairs(const int8_t *restrict x, int16_t *restrict y, int32_t count, int32_t offset) {
  const v128_t offsets = wasm_i16x8_splat((int16_t)offset);
#pragma clang loop unroll(disable)
  for (int32_t i = 0; i < count; i += 8, y += 32) {
    const v128_t v = wasm_i16x8_add(wasm_i16x8_load8x8(x + i), offsets);
    wasm_v128_store(y, wasm_i32x4_shuffle(v, v, 0, 0, 0, 0));
    wasm_v128_store(y + 8, wasm_i32x4_shuffle(v, v, 1, 1, 1, 1));
    wasm_v128_store(y + 16, wasm_i32x4_shuffle(v, v, 2, 2, 2, 2));
    wasm_v128_store(y + 24, wasm_i32x4_shuffle(v, v, 3, 3, 3, 3));
  }
}

RUNE_INLINE v128_t rune_rescale_x16(v128_t a, v128_t b, v128_t c, v128_t d, const int32_t *table,
                                    const rune_scaling *scaling) {
  const v128_t low =
      wasm_i16x8_narrow_i32x4(rune_rescale_x4(a, table, 0, scaling), rune_rescale_x4(b, table, 4, scaling));
  const v128_t high =
      wasm_i16x8_narrow_i32x4(rune_rescale_x4(c, table, 8, scaling), rune_rescale_x4(d, table, 12, scaling));
  return rune_bounded_bytes(low, high, scaling);
}

/* Two spread pixels by sixteen channels, whose weights lie interleaved, two of each at a time. */
RUNE_INLINE void rune_pointwise_block(const int16_t *restrict x, const int16_t *restrict w,
                                      const int32_t *restrict table, int8_t *restrict y, int32_t depth,
                                      int32_t channels, const rune_scaling *scaling) {
  v128_t a0 = wasm_v128_load(table), a1 = wasm_v128_load(table + 4);
  v128_t a2 = wasm_v128_load(table + 8), a3 = wasm_v128_load(table + 12);
  v128_t b0 = a0, b1 = a1, b2 = a2, b3 = a3;
#pragma clang loop unroll(disable)
  for (int32_t k = 0; k < depth * 4; k += 8, w += 32) {
    const v128_t p = wasm_v128_load(x + k), q = wasm_v128_load(x + depth * 4 + k);
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
  }
  wasm_v128_store(y, rune_rescale_x16(a0, a1, a2, a3, table, scaling));
  wasm_v128_store(y + channels, rune_rescale_x16(b0, b1, b2, b3, table, scaling));
}

/* At least two pixels of `depth` bytes, `step` apart, to as many of `channels` (a multiple of 16).  `spread` is room for two. */
RUNE_INLINE int32_t rune_pointwise(const int8_t *restrict x, const int16_t *restrict w, const int32_t *restrict table,
                                   int8_t *restrict y, int16_t *restrict spread, int32_t pixels, int32_t step,
                                   int32_t depth, int32_t channels, int32_t offset, int32_t kind, int32_t is_signed,
                                   int32_t zero_point, int32_t low, int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 16};
  const int32_t rows = kind == RUNE_FLOAT32 ? 3 : 5; /* Of sixteen constants. */
#pragma clang loop unroll(disable)
  for (int32_t next = 0; next < pixels; next += 2) {
    const int32_t pixel = next + 2 <= pixels ? next : pixels - 2; /* The last pair overlaps the one before it. */
    rune_spread_pairs(x + pixel * step, spread, depth, offset);
    rune_spread_pairs(x + pixel * step + step, spread + depth * 4, depth, offset);
#pragma clang loop unroll(disable)
    for (int32_t c = 0; c < channels; c += 16)
      rune_pointwise_block(spread, w + c * depth, table + c * rows, y + pixel * channels + c, depth, channels, &scaling);
  }
  return 0;
}
#endif

#endif
