/* 3x3 convolutions with a quarter of the products; `builder/families/simd_winograd.py` says how, and proves the ranges.
 *
 * A tile is four by four output pixels, which six by six input pixels reach: 36 positions in the transformed domain.
 * Everything is in integers, modulo 2^32 where there are sums; they are 576 times what they should be. */
#ifndef RUNE_WINOGRAD_H
#define RUNE_WINOGRAD_H

#include "spread.h"

#ifdef __wasm_simd128__
enum { RUNE_TILE = 4, RUNE_REACH = 6, RUNE_POSITIONS = RUNE_REACH * RUNE_REACH };

/* What a row or a column of six pixels becomes: the product by B'. */
RUNE_INLINE void rune_winograd_forth(v128_t d[RUNE_REACH]) {
  const v128_t d31 = wasm_i16x8_sub(d[3], d[1]), d42 = wasm_i16x8_sub(d[4], d[2]), d53 = wasm_i16x8_sub(d[5], d[3]);
  const v128_t even = wasm_i16x8_sub(d[4], wasm_i16x8_shl(d[2], 2));
  const v128_t odd = wasm_i16x8_sub(d[3], wasm_i16x8_shl(d[1], 2));
  const v128_t twice = wasm_i16x8_add(d31, d31);
  d[0] = wasm_i16x8_add(wasm_i16x8_shl(wasm_i16x8_sub(d[0], d[2]), 2), d42);
  d[1] = wasm_i16x8_add(even, odd);
  d[2] = wasm_i16x8_sub(even, odd);
  d[3] = wasm_i16x8_add(d42, twice);
  d[4] = wasm_i16x8_sub(d42, twice);
  d[5] = wasm_i16x8_sub(d53, wasm_i16x8_shl(d31, 2));
}

/* What six positions become: the product by A', four sums. */
RUNE_INLINE void rune_winograd_back(const v128_t m[RUNE_REACH], v128_t y[RUNE_TILE]) {
  const v128_t sum = wasm_i32x4_add(m[1], m[2]), difference = wasm_i32x4_sub(m[1], m[2]);
  const v128_t sum2 = wasm_i32x4_add(m[3], m[4]), difference2 = wasm_i32x4_sub(m[3], m[4]);
  y[0] = wasm_i32x4_add(m[0], wasm_i32x4_add(sum, sum2));
  y[1] = wasm_i32x4_add(difference, wasm_i32x4_add(difference2, difference2));
  y[2] = wasm_i32x4_add(sum, wasm_i32x4_shl(sum2, 2));
  y[3] = wasm_i32x4_add(wasm_i32x4_add(difference, wasm_i32x4_shl(difference2, 3)), wasm_i32x4_add(m[5], m[5]));
}

/* A tile of `channels` (a multiple of 8) halfwords, whose rows are `pitch` apart, to [position][channel]. */
RUNE_INLINE void rune_winograd_input(const int16_t *restrict x, int16_t *restrict v, int32_t channels, int32_t pitch) {
#pragma clang loop unroll(disable)
  for (int32_t c = 0; c < channels; c += 8) {
    v128_t columns[RUNE_REACH][RUNE_REACH];
#pragma clang loop unroll(disable)
    for (int32_t j = 0; j < RUNE_REACH; ++j) {
      const int16_t *from = x + j * channels + c;
      RUNE_OPAQUE(from);
      v128_t d[RUNE_REACH];
#pragma clang loop unroll(full)
      for (int32_t i = 0; i < RUNE_REACH; ++i) d[i] = wasm_v128_load(from + i * pitch);
      rune_winograd_forth(d);
#pragma clang loop unroll(full)
      for (int32_t i = 0; i < RUNE_REACH; ++i) columns[i][j] = d[i];
    }
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < RUNE_REACH; ++i) {
      int16_t *to = v + i * RUNE_REACH * channels + c;
      RUNE_OPAQUE(to);
      rune_winograd_forth(columns[i]);
#pragma clang loop unroll(full)
      for (int32_t j = 0; j < RUNE_REACH; ++j) wasm_v128_store(to + j * channels, columns[i][j]);
    }
  }
}

/* An even number of tiles by filters (a multiple of 16), to [tile][position][filter].  `spread` is room for a position of
 * two tiles. */
RUNE_INLINE void rune_winograd_product(const int16_t *restrict v, const int16_t *restrict u, int32_t *restrict m,
                                       int16_t *restrict spread, int32_t tiles, int32_t channels, int32_t filters) {
  const int32_t v_step = RUNE_POSITIONS * channels, m_step = RUNE_POSITIONS * filters;
#pragma clang loop unroll(disable)
  for (int32_t position = 0; position < RUNE_POSITIONS; ++position, v += channels, m += filters, u += channels * filters) {
#pragma clang loop unroll(disable)
    for (int32_t tile = 0; tile < tiles; tile += 2) {
      rune_spread_halfwords(v + tile * v_step, spread, channels);
      rune_spread_halfwords(v + tile * v_step + v_step, spread + channels * 4, channels);
#pragma clang loop unroll(disable)
      for (int32_t filter = 0; filter < filters; filter += 16) {
        int32_t *to = m + tile * m_step + filter;
        v128_t a[4], b[4];
#pragma clang loop unroll(full)
        for (int32_t i = 0; i < 4; ++i) a[i] = b[i] = wasm_i32x4_const_splat(0);
        rune_add_products(spread, u + filter * channels, channels / 2, channels * 4, a, b);
        RUNE_OPAQUE(to);
#pragma clang loop unroll(full)
        for (int32_t i = 0; i < 4; ++i) {
          wasm_v128_store(to + 4 * i, a[i]);
          wasm_v128_store(to + m_step + 4 * i, b[i]);
        }
      }
    }
  }
}

/* Sums [6 rows][6 filters] in place to [4 rows][6 filters]. */
RUNE_INLINE void rune_winograd_rows(int32_t *m, int32_t filters) {
  const int32_t row_size = RUNE_REACH * filters;
#pragma clang loop unroll(disable)
  for (int32_t i = 0; i < row_size; i += 4, m += 4) {
    RUNE_OPAQUE(m);
    v128_t from[RUNE_REACH], to[RUNE_TILE];
#pragma clang loop unroll(full)
    for (int32_t row = 0; row < RUNE_REACH; ++row) from[row] = wasm_v128_load(m + row * row_size);
    rune_winograd_back(from, to);
#pragma clang loop unroll(full)
    for (int32_t row = 0; row < RUNE_TILE; ++row) wasm_v128_store(m + row * row_size, to[row]);
  }
}

/* Four pixels of four filters, scaled. */
RUNE_INLINE void rune_winograd_pixels(const int32_t *restrict m, const int32_t *restrict table, int8_t *restrict y,
                                      int32_t filters, const rune_scaling *scaling) {
  v128_t from[RUNE_REACH], sums[RUNE_TILE];
#pragma clang loop unroll(full)
  for (int32_t j = 0; j < RUNE_REACH; ++j) from[j] = wasm_v128_load(m + j * filters);
  rune_winograd_back(from, sums);
#pragma clang loop unroll(full)
  for (int32_t i = 0; i < RUNE_TILE; ++i) {
    /* Divided by 9, which times 0x38E38E39 is 1 modulo 2^32, then by 64. */
    const v128_t sum = wasm_i32x4_shr(wasm_i32x4_mul(sums[i], wasm_i32x4_const_splat(0x38E38E39)), 6);
    sums[i] = rune_rescale_x4(wasm_i32x4_add(sum, wasm_v128_load(table)), table, 0, scaling);
  }
  const v128_t bytes = rune_bounded_bytes(wasm_i16x8_narrow_i32x4(sums[0], sums[1]),
                                          wasm_i16x8_narrow_i32x4(sums[2], sums[3]), scaling);
  wasm_v128_store32_lane(y, bytes, 0);
  wasm_v128_store32_lane(y + filters, bytes, 1);
  wasm_v128_store32_lane(y + 2 * filters, bytes, 2);
  wasm_v128_store32_lane(y + 3 * filters, bytes, 3);
}

/* A tile [position][filter] to four by four pixels, whose rows are `pitch` bytes apart. */
RUNE_INLINE void rune_winograd_output(int32_t *restrict m, const int32_t *restrict table, int8_t *restrict y,
                                      int32_t filters, int32_t pitch, const rune_scaling *scaling) {
  const int32_t constants = scaling->kind == RUNE_FLOAT32 ? 3 : 5; /* Of each filter. */
  rune_winograd_rows(m, filters);
#pragma clang loop unroll(disable)
  for (int32_t filter = 0; filter < filters; filter += 4) {
#pragma clang loop unroll(disable)
    for (int32_t row = 0; row < RUNE_TILE; ++row)
      rune_winograd_pixels(m + row * RUNE_REACH * filters + filter, table + filter * constants,
                           y + row * pitch + filter, filters, scaling);
  }
}

/* The first row or column of a tile; the last tile overlaps the one before it. */
RUNE_INLINE int32_t rune_tile_start(int32_t tile, int32_t size) {
  return RUNE_TILE * tile + RUNE_TILE <= size ? RUNE_TILE * tile : size - RUNE_TILE;
}

/* `height` by `width` pixels from a padded image whose rows are `pitch` halfwords apart, `together` tiles at a time, an
 * even number, of which there are as many.  `v` and `m` are room for the inputs and sums of so many. */
RUNE_INLINE int32_t rune_winograd(const int16_t *restrict x, const int16_t *restrict u, const int32_t *restrict table,
                                  int8_t *restrict y, int16_t *restrict v, int32_t *restrict m,
                                  int16_t *restrict spread, int32_t together, int32_t height, int32_t width,
                                  int32_t channels, int32_t filters, int32_t pitch, int32_t kind, int32_t is_signed,
                                  int32_t zero_point, int32_t low, int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 4};
  const int32_t across = (width + RUNE_TILE - 1) / RUNE_TILE, tiles = (height + RUNE_TILE - 1) / RUNE_TILE * across;
#pragma clang loop unroll(disable)
  for (int32_t next = 0; next < tiles; next += together) {
    const int32_t first = next + together <= tiles ? next : tiles - together; /* The last ones overlap, too. */
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < together; ++i) {
      const int32_t row = rune_tile_start((first + i) / across, height);
      const int32_t column = rune_tile_start((first + i) % across, width);
      rune_winograd_input(x + row * pitch + column * channels, v + i * RUNE_POSITIONS * channels, channels, pitch);
    }
    rune_winograd_product(v, u, m, spread, together, channels, filters);
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < together; ++i) {
      const int32_t row = rune_tile_start((first + i) / across, height);
      const int32_t column = rune_tile_start((first + i) % across, width);
      rune_winograd_output(m + i * RUNE_POSITIONS * filters, table, y + (row * width + column) * filters, filters,
                           width * filters, &scaling);
    }
  }
  return 0;
}
#endif

#endif
