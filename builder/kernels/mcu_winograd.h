/* 3x3 convolutions of stride 1 with fewer products; `builder/families/mcu_winograd.py` says how, proves that sums are
 * exact and packs the filters in the order in which they are read here.
 *
 * A tile is two by two output pixels, which four by four input pixels reach: sixteen positions in the transformed
 * domain.  Everything is in integers, where the filters are four times what they should be; two channels, of four the
 * even or the odd ones, are the halfwords of a word. */
#ifndef RUNE_MCU_WINOGRAD_H
#define RUNE_MCU_WINOGRAD_H

#include "mcu.h"

#ifndef __wasm_simd128__

enum { RUNE_MCU_POSITIONS = 16, RUNE_MCU_TILES = 2, RUNE_MCU_FILTERS = 4 };

/* An offset of which compilers know no more than that it is not beyond the last: else they add what they know of it to
 * every offset of an instruction, until none is within its reach. */
RUNE_INLINE int32_t rune_mcu_place(int32_t offset, int32_t last) {
  return rune_mcu_within((int32_t)rune_in_turn((uint32_t)offset), last);
}

/* The same pointer, kept in a register of its own for the same reason. */
RUNE_INLINE void *rune_mcu_apart(void *pointer) {
  __asm__("" : "+r"(pointer));
  return pointer;
}

RUNE_INLINE void rune_mcu_store_two(uint32_t *to, const uint32_t *words) {
  const uint64_t both = words[0] | (uint64_t)words[1] << 32;
  __builtin_memcpy(__builtin_assume_aligned(to, 4), &both, sizeof both);
}

/* What a row or a column of two channels becomes. */
RUNE_INLINE void rune_mcu_transform(const uint32_t *from, uint32_t *to, int32_t step) {
  to[0] = rune_ssub16(from[0], from[2]);
  to[step] = rune_sadd16(from[1], from[2]);
  to[2 * step] = rune_ssub16(from[2], from[1]);
  to[3 * step] = rune_ssub16(from[1], from[3]);
}

/* Four by four pixels, whose rows are `pitch` bytes apart, to one tile's words of `v`. */
RUNE_INLINE void rune_mcu_transform_tile(const int8_t *x, uint32_t *v, int32_t pitch, int32_t depth, int32_t step) {
#pragma clang loop unroll(disable)
  for (int32_t c = 0; c < depth; c += 4) {
    const int32_t place = rune_mcu_place(c / 2 * RUNE_MCU_TILES, (depth / 2 - 2) * RUNE_MCU_TILES);
    uint32_t *const base = rune_mcu_apart(v + place);
#pragma clang loop unroll(full)
    for (int32_t odd = 0; odd < 2; ++odd) {
      uint32_t *const to = base + odd * RUNE_MCU_TILES;
      uint32_t first[4], second[4], row[4];
#pragma clang loop unroll(full)
      for (int32_t j = 0; j < 4; ++j) {
        first[j] = rune_mcu_half(rune_mcu_word(x + pitch + j * depth + c), odd);
        second[j] = rune_mcu_half(rune_mcu_word(x + 2 * pitch + j * depth + c), odd);
        row[j] = rune_sadd16(first[j], second[j]);
      }
      rune_mcu_transform(row, to + 4 * step, step);
#pragma clang loop unroll(full)
      for (int32_t j = 0; j < 4; ++j) row[j] = rune_ssub16(second[j], first[j]);
      rune_mcu_transform(row, to + 8 * step, step);
#pragma clang loop unroll(full)
      for (int32_t j = 0; j < 4; ++j) {
        row[j] = rune_ssub16(rune_mcu_half(rune_mcu_word(x + j * depth + c), odd), second[j]);
      }
      rune_mcu_transform(row, to, step);
#pragma clang loop unroll(full)
      for (int32_t j = 0; j < 4; ++j) {
        row[j] = rune_ssub16(first[j], rune_mcu_half(rune_mcu_word(x + 3 * pitch + j * depth + c), odd));
      }
      rune_mcu_transform(row, to + 12 * step, step);
    }
  }
}

/* The tile at (top, left): where a border is among its pixels, from a copy of them. */
RUNE_INLINE void rune_mcu_tile(const int8_t *x, uint32_t *pixels, uint32_t *v, int32_t top, int32_t left,
                               int32_t height, int32_t width, int32_t depth, int32_t zero, int32_t step) {
  const int32_t pitch = width * depth, last = height * pitch - 4 * depth;
  if (top >= 0 && left >= 0 && top + 4 <= height && left + 4 <= width) {
    const int8_t *const source = x + rune_mcu_within(top * pitch + left * depth, last - 3 * pitch);
    rune_mcu_transform_tile(source, v, pitch, depth, step);
    return;
  }
  const uint32_t zeros = ((uint32_t)zero & 0xFF) * 0x1010101u;
#pragma clang loop unroll(disable)
  for (int32_t i = 0; i < 4; ++i) {
#pragma clang loop unroll(disable)
    for (int32_t j = 0; j < 4; ++j) {
      const int32_t iy = top + i, ix = left + j;
      const bool is_inside = (uint32_t)iy < (uint32_t)height && (uint32_t)ix < (uint32_t)width;
      const int8_t *source = x + rune_mcu_within(iy * pitch + ix * depth, last + 3 * depth);
#pragma clang loop unroll(disable)
      for (int32_t c = 0; c < depth; c += 4) {
        pixels[(4 * i + j) * (depth / 4) + c / 4] = is_inside ? rune_mcu_word(source + c) : zeros;
      }
    }
  }
  rune_mcu_transform_tile((const int8_t *)pixels, v, 4 * depth, depth, step);
}

/* The sums over `words` pairs of channels at each position, `unrolled` of them to a round. */
RUNE_INLINE void rune_mcu_products(uint32_t *v, const uint32_t *u, int32_t words, int32_t unrolled, int32_t pitch) {
#pragma clang loop unroll(disable)
  for (int32_t position = 0; position < RUNE_MCU_POSITIONS; ++position) {
    uint32_t sums[RUNE_MCU_FILTERS][RUNE_MCU_TILES] = {0};
    uint32_t *row = v + position * pitch;
#pragma clang loop unroll(disable)
    for (int32_t word = 0; word < words; word += unrolled) {
      const uint32_t *xs = row + word * RUNE_MCU_TILES;
      const uint32_t *ws = u + (position * words + word) * RUNE_MCU_FILTERS;
#pragma clang loop unroll(full)
      for (int32_t k = 0; k < unrolled; ++k) {
        uint32_t x[RUNE_MCU_TILES], w[2];
        rune_mcu_load_two(xs + k * RUNE_MCU_TILES, x);
#pragma clang loop unroll(full)
        for (int32_t f = 0; f < RUNE_MCU_FILTERS; ++f) {
          if (f % 2 == 0) rune_mcu_load_two(ws + k * RUNE_MCU_FILTERS + f, w);
#pragma clang loop unroll(full)
          for (int32_t t = 0; t < RUNE_MCU_TILES; ++t) {
            const bool is_first = unrolled == words && k == 0;
            sums[f][t] = is_first ? rune_smuad(x[t], w[f % 2]) : rune_smlad(x[t], w[f % 2], sums[f][t]);
          }
        }
      }
    }
#pragma clang loop unroll(full)
    for (int32_t f = 0; f < RUNE_MCU_FILTERS; ++f) rune_mcu_store_two(row + (words + f) * RUNE_MCU_TILES, sums[f]);
  }
}

/* One column of the pixels of both tiles, two rows of a channel, from the sums at the positions that reach it. */
RUNE_INLINE void rune_mcu_output(const uint32_t *sums, const int32_t *constants, int8_t **y, int32_t column,
                                 int32_t pitch, int32_t row, rune_mcu_range range) {
  uint32_t rows[4][RUNE_MCU_TILES];
#pragma clang loop unroll(full)
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t *const from = sums + (4 * i + column) * pitch;
    uint32_t a[RUNE_MCU_TILES], b[RUNE_MCU_TILES], c[RUNE_MCU_TILES];
    rune_mcu_load_two(from, a);
    rune_mcu_load_two(from + pitch, b);
    rune_mcu_load_two(from + 2 * pitch, c);
#pragma clang loop unroll(full)
    for (int32_t t = 0; t < RUNE_MCU_TILES; ++t) {
      rows[i][t] = rune_in_turn(column == 0 ? a[t] + b[t] + c[t] : a[t] - b[t] - c[t]);
    }
  }
#pragma clang loop unroll(full)
  for (int32_t t = 0; t < RUNE_MCU_TILES; ++t) {
    const uint32_t top = rows[0][t] + rows[1][t] + rows[2][t], bottom = rows[1][t] - rows[2][t] - rows[3][t];
    y[t][0] = rune_mcu_requantize(((int32_t)top >> 2) + constants[0], constants + 1, range);
    y[t][row] = rune_mcu_requantize(((int32_t)bottom >> 2) + constants[0], constants + 1, range);
  }
}

/* The first pixel of a tile along a side of so many; the last tile overlaps its neighbour where they are odd. */
RUNE_INLINE int32_t rune_mcu_corner(int32_t tile, int32_t size) { return 2 * tile < size - 2 ? 2 * tile : size - 2; }

/* A convolution of one image, whose channels are a multiple of four.  Of each position `v` holds the transformed pixels
 * of both tiles, behind them the sums of four filters; `pixels` has room for a tile. */
RUNE_INLINE int32_t rune_mcu_winograd(const int8_t *x, const int32_t *stream, int8_t *y, uint32_t *v, uint32_t *pixels,
                                      int32_t height, int32_t width, int32_t depth, int32_t pad_top, int32_t pad_left,
                                      int32_t zero, int32_t y_height, int32_t y_width, int32_t channels,
                                      int32_t unrolled, int32_t y_zero, int32_t low, int32_t high, int32_t rounds_away,
                                      int32_t shifts) {
  const rune_mcu_range range = {y_zero, low, high, rounds_away, shifts};
  const int32_t across = (y_width + 1) / 2, total = (y_height + 1) / 2 * across, words = depth / 2;
  const int32_t pitch = (words + RUNE_MCU_FILTERS) * RUNE_MCU_TILES;
  const int32_t blocks = (channels + RUNE_MCU_FILTERS - 1) / RUNE_MCU_FILTERS;
  const int32_t block = RUNE_MCU_FILTERS * (3 + RUNE_MCU_POSITIONS * words);
#pragma clang loop unroll(disable)
  for (int32_t group = 0; group < total; group += RUNE_MCU_TILES) {
    /* The last group overlaps the one before it. */
    const int32_t start = group < total - RUNE_MCU_TILES ? group : total - RUNE_MCU_TILES;
#pragma clang loop unroll(disable)
    for (int32_t t = 0; t < RUNE_MCU_TILES; ++t) {
      const int32_t top = rune_mcu_corner((start + t) / across, y_height) - pad_top;
      const int32_t left = rune_mcu_corner((start + t) % across, y_width) - pad_left;
      rune_mcu_tile(x, pixels, v + t, top, left, height, width, depth, zero, pitch);
    }
    int32_t corners[RUNE_MCU_TILES];
#pragma clang loop unroll(full)
    for (int32_t t = 0; t < RUNE_MCU_TILES; ++t) {
      const int32_t top = rune_mcu_corner((start + t) / across, y_height);
      const int32_t left = rune_mcu_corner((start + t) % across, y_width);
      const int32_t last = ((y_height - 2) * y_width + y_width - 2) * channels;
      corners[t] = rune_mcu_within((top * y_width + left) * channels, last);
    }
#pragma clang loop unroll(disable)
    for (int32_t b = 0; b < blocks; ++b) {
      const int32_t *const constants = stream + rune_mcu_within(b * block, (blocks - 1) * block);
      rune_mcu_products(v, (const uint32_t *)constants + 3 * RUNE_MCU_FILTERS, words, unrolled, pitch);
#pragma clang loop unroll(disable)
      for (int32_t f = 0; f < RUNE_MCU_FILTERS; ++f) {
        const int32_t channel = b * RUNE_MCU_FILTERS + f;
        if (channels % RUNE_MCU_FILTERS != 0 && channel >= channels) break;
        const int32_t place = rune_mcu_place(f * RUNE_MCU_TILES, (RUNE_MCU_FILTERS - 1) * RUNE_MCU_TILES);
        const uint32_t *const sums = v + words * RUNE_MCU_TILES + place;
        int8_t *targets[RUNE_MCU_TILES];
#pragma clang loop unroll(full)
        for (int32_t t = 0; t < RUNE_MCU_TILES; ++t) targets[t] = rune_mcu_apart(y + corners[t] + channel);
        rune_mcu_output(sums, constants + 3 * f, targets, 0, pitch, y_width * channels, range);
#pragma clang loop unroll(full)
        for (int32_t t = 0; t < RUNE_MCU_TILES; ++t) targets[t] += channels;
        rune_mcu_output(sums, constants + 3 * f, targets, 1, pitch, y_width * channels, range);
      }
    }
  }
  return 0;
}

#endif

#endif
