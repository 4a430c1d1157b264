/* 3x3 convolutions with fewer products; `builder/families/simd_winograd.py` says how, and proves the ranges.
 *
 * A tile is two by two output pixels, which four by four input pixels reach: sixteen positions in the transformed
 * domain.  Everything is in integers, where the filters are four times what they should be. */
#ifndef RUNE_WINOGRAD_H
#define RUNE_WINOGRAD_H

#include "simd.h"

#ifdef __wasm_simd128__
enum { RUNE_POSITIONS = 16 };

/* Columns of a tile, halfwords: what a row or a column (a, b, c, d) becomes. */
#define RUNE_TRANSFORM(a, b, c, d)                                                                     \
  {                                                                                                    \
    const v128_t p = wasm_i16x8_sub(a, c), q = wasm_i16x8_add(b, c), r = wasm_i16x8_sub(c, b);         \
    d = wasm_i16x8_sub(b, d), a = p, b = q, c = r;                                                     \
  }

/* A row of tiles of `channels` (a multiple of 8) halfwords, each two pixels from the last, to [tile][position][pair of
 * channels], each pair four times, as rune_winograd_product multiplies it. */
RUNE_INLINE int32_t rune_winograd_input(const int16_t *restrict x, int16_t *restrict v, int32_t width, int32_t channels,
                                        int32_t pitch) {
  for (int32_t tile = 0; 2 * tile < width; ++tile) {
    const int16_t *corner = x + (2 * tile + 2 <= width ? 2 * tile : width - 2) * channels;
#pragma clang loop unroll(disable)
    for (int32_t c = 0; c < channels; c += 8) {
      v128_t d[4][4];
#pragma clang loop unroll(full)
      for (int32_t j = 0; j < 4; ++j) {
        const int16_t *column = corner + j * channels + c;
#pragma clang loop unroll(full)
        for (int32_t i = 0; i < 4; ++i) d[i][j] = wasm_v128_load(column + i * pitch);
        RUNE_TRANSFORM(d[0][j], d[1][j], d[2][j], d[3][j])
      }
#pragma clang loop unroll(full)
      for (int32_t i = 0; i < 4; ++i) {
        RUNE_TRANSFORM(d[i][0], d[i][1], d[i][2], d[i][3])
#pragma clang loop unroll(full)
        for (int32_t j = 0; j < 4; ++j) {
          int16_t *to = v + ((tile * RUNE_POSITIONS + 4 * i + j) * channels + c) * 4;
          wasm_v128_store(to, wasm_i32x4_shuffle(d[i][j], d[i][j], 0, 0, 0, 0));
          wasm_v128_store(to + 8, wasm_i32x4_shuffle(d[i][j], d[i][j], 1, 1, 1, 1));
          wasm_v128_store(to + 16, wasm_i32x4_shuffle(d[i][j], d[i][j], 2, 2, 2, 2));
          wasm_v128_store(to + 24, wasm_i32x4_shuffle(d[i][j], d[i][j], 3, 3, 3, 3));
        }
      }
    }
  }
  return 0;
}

/* The sums over channels of two tiles at one position, for sixteen filters. */
RUNE_INLINE void rune_winograd_sums(const int16_t *restrict v, const int16_t *restrict u, int32_t *restrict m,
                                    int32_t channels, int32_t v_step, int32_t m_step) {
  v128_t a0 = wasm_i32x4_const_splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
#pragma clang loop unroll(disable)
  for (int32_t k = 0; k < channels * 4; k += 8, u += 32) {
    const v128_t p = wasm_v128_load(v + k), q = wasm_v128_load(v + v_step + k);
    const v128_t u0 = wasm_v128_load(u), u1 = wasm_v128_load(u + 8);
    const v128_t u2 = wasm_v128_load(u + 16), u3 = wasm_v128_load(u + 24);
    a0 = wasm_i32x4_add(a0, wasm_i32x4_dot_i16x8(p, u0));
    a1 = wasm_i32x4_add(a1, wasm_i32x4_dot_i16x8(p, u1));
    a2 = wasm_i32x4_add(a2, wasm_i32x4_dot_i16x8(p, u2));
    a3 = wasm_i32x4_add(a3, wasm_i32x4_dot_i16x8(p, u3));
    b0 = wasm_i32x4_add(b0, wasm_i32x4_dot_i16x8(q, u0));
    b1 = wasm_i32x4_add(b1, wasm_i32x4_dot_i16x8(q, u1));
    b2 = wasm_i32x4_add(b2, wasm_i32x4_dot_i16x8(q, u2));
    b3 = wasm_i32x4_add(b3, wasm_i32x4_dot_i16x8(q, u3));
  }
  wasm_v128_store(m, a0), wasm_v128_store(m + 4, a1), wasm_v128_store(m + 8, a2), wasm_v128_store(m + 12, a3);
  m += m_step;
  wasm_v128_store(m, b0), wasm_v128_store(m + 4, b1), wasm_v128_store(m + 8, b2), wasm_v128_store(m + 12, b3);
}

/* A row of at least two tiles by filters (a multiple of 16), to [tile][position][filter]. */
RUNE_INLINE int32_t rune_winograd_product(const int16_t *restrict v, const int16_t *restrict u, int32_t *restrict m,
                                          int32_t tiles, int32_t channels, int32_t filters) {
  const int32_t v_step = RUNE_POSITIONS * channels * 4, m_step = RUNE_POSITIONS * filters;
  for (int32_t position = 0; position < RUNE_POSITIONS; ++position) {
    for (int32_t filter = 0; filter < filters; filter += 16, u += channels * 16) {
#pragma clang loop unroll(disable)
      for (int32_t next = 0; next < tiles; next += 2) {
        const int32_t tile = next + 2 <= tiles ? next : tiles - 2; /* The last pair overlaps the one before it. */
        rune_winograd_sums(v + tile * v_step + position * channels * 4, u,
                           m + tile * m_step + position * filters + filter, channels, v_step, m_step);
      }
    }
  }
  return 0;
}

/* A row of tiles to two rows of `width` pixels. */
RUNE_INLINE int32_t rune_winograd_output(const int32_t *restrict m, const int32_t *restrict table, int8_t *restrict y,
                                         int32_t width, int32_t filters, int32_t kind, int32_t is_signed,
                                         int32_t zero_point, int32_t low, int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 4};
  const int32_t rows = kind == RUNE_FLOAT32 ? 3 : 5; /* Of four constants. */
  for (int32_t tile = 0; 2 * tile < width; ++tile, m += RUNE_POSITIONS * filters) {
    int8_t *corner = y + (2 * tile + 2 <= width ? 2 * tile : width - 2) * filters;
#pragma clang loop unroll(disable)
    for (int32_t filter = 0; filter < filters; filter += 4) {
      const int32_t *constants = table + filter * rows;
      v128_t top[4], bottom[4], sums[4];
#pragma clang loop unroll(full)
      for (int32_t j = 0; j < 4; ++j) {
        const int32_t *from = m + j * filters + filter;
        const v128_t a = wasm_v128_load(from), b = wasm_v128_load(from + 4 * filters);
        const v128_t c = wasm_v128_load(from + 8 * filters), d = wasm_v128_load(from + 12 * filters);
        top[j] = wasm_i32x4_add(a, wasm_i32x4_add(b, c));
        bottom[j] = wasm_i32x4_sub(wasm_i32x4_sub(b, c), d);
      }
      sums[0] = wasm_i32x4_add(top[0], wasm_i32x4_add(top[1], top[2]));
      sums[1] = wasm_i32x4_sub(wasm_i32x4_sub(top[1], top[2]), top[3]);
      sums[2] = wasm_i32x4_add(bottom[0], wasm_i32x4_add(bottom[1], bottom[2]));
      sums[3] = wasm_i32x4_sub(wasm_i32x4_sub(bottom[1], bottom[2]), bottom[3]);
#pragma clang loop unroll(full)
      for (int32_t i = 0; i < 4; ++i) {
        const v128_t sum = wasm_i32x4_add(wasm_i32x4_shr(sums[i], 2), wasm_v128_load(constants));
        sums[i] = rune_rescale_x4(sum, constants, 0, &scaling);
      }
      const v128_t bytes = rune_bounded_bytes(wasm_i16x8_narrow_i32x4(sums[0], sums[1]),
                                              wasm_i16x8_narrow_i32x4(sums[2], sums[3]), &scaling);
      int8_t *below = corner + width * filters;
      wasm_v128_store32_lane(corner + filter, bytes, 0);
      wasm_v128_store32_lane(corner + filters + filter, bytes, 1);
      wasm_v128_store32_lane(below + filter, bytes, 2);
      wasm_v128_store32_lane(below + filters + filter, bytes, 3);
    }
  }
  return 0;
}
#undef RUNE_TRANSFORM
#endif

#endif
