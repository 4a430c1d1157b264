/* Fully connected layers of a single row; `builder/families/simd_dense.py` says how, and packs the weights. */
#ifndef RUNE_DENSE_H
#define RUNE_DENSE_H

#include "spread.h"

#ifdef __wasm_simd128__
/* Sixteen inputs as eight vectors: of each four, the even ones, which meet two weights at once, and what is left to add
 * for the odd ones.  Gives the sums of the even ones. */
RUNE_INLINE v128_t rune_part_inputs(v128_t x, int16_t *y) {
  const v128_t shifted = wasm_i16x8_shl(x, 8), even = wasm_i16x8_shr(shifted, 8);
  const v128_t odd = wasm_i16x8_sub(wasm_i16x8_sub(wasm_i16x8_shr(x, 8), shifted), wasm_i16x8_const_splat(128));
#define RUNE_PART(pair)                                                                \
  wasm_v128_store(y + 16 * (pair), wasm_i32x4_shuffle(even, even, pair, pair, pair, pair)); \
  wasm_v128_store(y + 16 * (pair) + 8, wasm_i32x4_shuffle(odd, odd, pair, pair, pair, pair));
  RUNE_PART(0) RUNE_PART(1) RUNE_PART(2) RUNE_PART(3)
#undef RUNE_PART
  return wasm_i32x4_dot_i16x8(even, wasm_i16x8_const_splat(1));
}

/* `depth` inputs, parted; gives minus 128 times the sum of the even ones, in all lanes. */
RUNE_INLINE v128_t rune_part_row(const int8_t *restrict x, int16_t *restrict y, int32_t depth) {
  v128_t sums = wasm_i32x4_const_splat(0);
  int32_t i = 0;
#pragma clang loop unroll(disable)
  for (; i + 16 <= depth; i += 16) sums = wasm_i32x4_add(sums, rune_part_inputs(wasm_v128_load(x + i), y + i * 4));
  if (i < depth) {
    int8_t last[16] = {0};
    for (int32_t k = 0; k < depth - i; ++k) last[k] = x[i + k];
    sums = wasm_i32x4_add(sums, rune_part_inputs(wasm_v128_load(last), y + i * 4));
  }
  sums = wasm_i32x4_add(sums, wasm_i32x4_shuffle(sums, sums, 2, 3, 0, 1));
  sums = wasm_i32x4_add(sums, wasm_i32x4_shuffle(sums, sums, 1, 0, 3, 2));
  return wasm_i32x4_neg(wasm_i32x4_shl(sums, 7));
}

/* `weights` are pairs of bytes, that of an even input, plus 128, below that of an odd one. */
#define RUNE_ADD_PAIRS(sum, weights)                                             \
  wasm_i32x4_add(wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(even, weights)), \
                 wasm_i32x4_dot_i16x8(odd, wasm_i16x8_shr(weights, 8)))

/* At least sixteen channels, of which the last sixteen overlap those before them where there is no multiple of sixteen.
 * `parted` is room for four times the inputs, rounded up to sixteen. */
RUNE_INLINE int32_t rune_dense(const int8_t *restrict x, const int8_t *restrict w, const int32_t *restrict table,
                               int8_t *restrict y, int16_t *restrict parted, int32_t depth, int32_t channels,
                               int32_t kind, int32_t is_signed, int32_t zero_point, int32_t low, int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 16};
  const int32_t rows = kind == RUNE_FLOAT32 ? 3 : 5; /* Of sixteen constants. */
  const v128_t correction = rune_part_row(x, parted, depth);
#pragma clang loop unroll(disable)
  for (int32_t next = 0; next < channels; next += 16, table += 16 * rows) {
    const int16_t *inputs = parted;
    int32_t fours = (depth + 15) / 16 * 4;
    v128_t a = wasm_i32x4_add(correction, wasm_v128_load(table));
    v128_t b = wasm_i32x4_add(correction, wasm_v128_load(table + 4));
    v128_t c = wasm_i32x4_add(correction, wasm_v128_load(table + 8));
    v128_t d = wasm_i32x4_add(correction, wasm_v128_load(table + 12));
#pragma clang loop unroll(disable)
    do {
      const v128_t even = wasm_v128_load(inputs), odd = wasm_v128_load(inputs + 8);
      const v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 16);
      const v128_t w2 = wasm_v128_load(w + 32), w3 = wasm_v128_load(w + 48);
      a = RUNE_ADD_PAIRS(a, w0), b = RUNE_ADD_PAIRS(b, w1);
      c = RUNE_ADD_PAIRS(c, w2), d = RUNE_ADD_PAIRS(d, w3);
      inputs += 16, w += 64, --fours;
      RUNE_OPAQUE(inputs);
      RUNE_OPAQUE(w);
      RUNE_OPAQUE(fours);
    } while (fours);
    const v128_t sums[4] = {a, b, c, d};
    wasm_v128_store(y + (next + 16 <= channels ? next : channels - 16), rune_rescale_x16(sums, table, &scaling));
  }
  return 0;
}
#undef RUNE_ADD_PAIRS
#endif

#endif
