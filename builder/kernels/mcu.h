/* Sums of products of int8 in pairs of halfwords; `builder/families/mcu.py` says what they compute and packs the
 * weights in the order in which they are read here.
 *
 * A word of the stream holds two weights of each of two channels, as two halfwords `first + 256 * second`.  Multiplied
 * as it is it adds to the sum of 256 * second + first, its lower bytes to that of `first`; the difference of both sums
 * is exact and gives `second`, so that of four weights only two have to be unpacked.
 *
 * Activations are read as pairs of halfwords (0, 2), (1, 3) of four bytes: what SXTB16 makes of a word.  Their zero
 * point is part of the bias; a border is filled with it. */
#ifndef RUNE_MCU_H
#define RUNE_MCU_H

#include "dsp.h"
#include "fixed_point.h"

#ifndef __wasm_simd128__

enum { RUNE_MCU_PIXELS = 4, RUNE_MCU_PAIRS = 4, RUNE_MCU_TAP_WORDS = 32 };

/* Before a loop outside of the products: so many rounds at once where the code need not be small. */
#define RUNE_MCU_PRAGMA(text) _Pragma(#text)
#ifdef __OPTIMIZE_SIZE__
#define RUNE_MCU_UNROLL(count) RUNE_MCU_PRAGMA(clang loop unroll(disable))
#else
#define RUNE_MCU_UNROLL(count) RUNE_MCU_PRAGMA(clang loop unroll_count(count))
#endif

/* How sums become bytes; constants of a kernel. */
typedef struct {
  int32_t zero, low, high;
  bool rounds_away; /* negative values are rounded away from zero; where they are clamped anyway it does not matter */
  int32_t shifts;   /* what stands in the place of a divisor */
  bool splits;      /* products of 32 bits make up one of 64, where all sums and divisors are below 2^23 */
} rune_mcu_range;

/* 2^32 over the divisor; its logarithm, since some divisor is below 4; that of the divisor of the product's upper word,
 * which is rounded once, ties to even. */
enum { RUNE_MCU_RECIPROCALS, RUNE_MCU_SHIFTS, RUNE_MCU_ONCE };

/* Half of the divisor reaches into the upper word alone; a tie has a lower word of 0. */
RUNE_INLINE int32_t rune_mcu_scale_once(int32_t sum, int32_t multiplier, int32_t shift) {
  const int64_t product = (int64_t)sum * multiplier;
  const int32_t raised = (int32_t)(product >> 32) + (1 << (shift - 1));
  const bool is_tie = (uint32_t)product == 0 && (raised & ((1 << shift) - 1)) == 0;
  return (raised >> shift) & (is_tie ? ~1 : ~0);
}

/* The same result from products of 32 bits.  With the sum's lower 12 bits apart, and the lower 16 of the multiplier,
 * four of them make up the product divided by 2^28, rounded down: below 2^28.  Both roundings add multiples of 2^28,
 * so that they lose nothing by it. */
RUNE_INLINE int32_t rune_mcu_scale_split(int32_t sum, const int32_t *scale, rune_mcu_range range) {
  const uint32_t multiplier = (uint32_t)scale[0] >> 1, shift = 32 - (uint32_t)__builtin_ctz((uint32_t)scale[1]);
  const int32_t low = (int32_t)(multiplier & 0xFFFF), high = (int32_t)(multiplier >> 16);
  const int32_t sum_low = sum & 0xFFF, sum_high = sum >> 12;
  const int32_t middle = (((sum_low * low >> 12) + sum_high * low) >> 4) + sum_low * high;
  int32_t value = (middle >> 12) + sum_high * high + 4;
  if (range.rounds_away) value += (value >> 31) * 8;
  return ((value + (4 << shift)) >> (shift + 3)) + range.zero;
}

/* A sum with its multiplier, doubled but where rounding is once, and 2^32 over the divisor: a product with it, rounded, is
 * the rounded quotient. */
RUNE_INLINE int8_t rune_mcu_requantize(int32_t sum, const int32_t *scale, rune_mcu_range range) {
  if (range.shifts == RUNE_MCU_ONCE) {
    return (int8_t)rune_clamp(rune_mcu_scale_once(sum, scale[0], scale[1]) + range.zero, range.low, range.high);
  }
  if (range.splits) return (int8_t)rune_clamp(rune_mcu_scale_split(sum, scale, range), range.low, range.high);
  int32_t value = (int32_t)rune_smmlar((uint32_t)sum, (uint32_t)scale[0], (uint32_t)sum);
  if (range.shifts == RUNE_MCU_SHIFTS) {
    value = rune_rounding_shift_right(value, scale[1]) + range.zero;
  } else {
    if (range.rounds_away) value += value >> 31;
    value = (int32_t)rune_smmlar((uint32_t)value, (uint32_t)scale[1], (uint32_t)range.zero);
  }
  return (int8_t)rune_clamp(value, range.low, range.high);
}

/* What a block multiplies; constants of a kernel. */
typedef struct {
  bool wide; /* the sums are too large for the difference: words hold the bytes of both channels, all are unpacked */
  enum {
    RUNE_MCU_HALFWORDS, /* in the order of the weights, those of several columns in turn */
    RUNE_MCU_BYTES,     /* as they are, a column after the other */
    RUNE_MCU_SPREAD     /* plus 128, those of several columns in turn */
  } layout;             /* of columns */
} rune_mcu_operands;

/* The word of a column that four bytes give for an even or odd number. */
RUNE_INLINE uint32_t rune_mcu_half(uint32_t bytes, int32_t number) {
  return number % 2 == 0 ? rune_sxtb16(bytes) : rune_sxtb16_ror8(bytes);
}

RUNE_INLINE void rune_mcu_store(int8_t *y, uint32_t bytes) {
  __builtin_memcpy(__builtin_assume_aligned(y, 4), &bytes, sizeof bytes);
}

/* Two words at once: one instruction on a board that knows the address to be aligned. */
RUNE_INLINE void rune_mcu_load_two(const void *from, uint32_t *words) {
  uint64_t both;
  __builtin_memcpy(&both, __builtin_assume_aligned(from, 4), sizeof both);
  words[0] = (uint32_t)both;
  words[1] = (uint32_t)(both >> 32);
}

/* Brings the sums of `pixels` by `pairs` pairs of channels to the output's scale, and stores the first `count`. */
RUNE_INLINE void rune_mcu_finish(uint32_t both[][RUNE_MCU_PAIRS], uint32_t first[][RUNE_MCU_PAIRS],
                                 const int32_t *stream, int8_t *y, int32_t pixels, int32_t pairs, int32_t words,
                                 int32_t channels, int32_t count, rune_mcu_operands form, rune_mcu_range range) {
  /* What suits a compiler's choice of registers, on a Cortex-M4: measured. */
  const bool begins_with_second = pixels > 1 && words == 32;
#pragma clang loop unroll(full)
  for (int32_t n = 0; n < pixels; ++n) {
    uint32_t bytes = 0;
#pragma clang loop unroll(full)
    for (int32_t p = 0; p < pairs; ++p) {
      const int32_t second = form.wide ? (int32_t)both[n][p] : (int32_t)(both[n][p] - first[n][p]) >> 8;
      int8_t y_first, y_second;
      if (begins_with_second) y_second = rune_mcu_requantize(second, stream + 6 * p + 4, range);
      y_first = rune_mcu_requantize((int32_t)first[n][p], stream + 6 * p + 1, range);
      if (!begins_with_second) y_second = rune_mcu_requantize(second, stream + 6 * p + 4, range);
      if (channels % 4 == 0 && pairs % 2 == 0) {
        bytes |= (uint32_t)(uint8_t)y_first << 16 * (p % 2) | (uint32_t)(uint8_t)y_second << (16 * (p % 2) + 8);
        if (p % 2 == 0) continue;
        if (2 * p < count) rune_mcu_store(y + n * channels + 2 * p - 2, bytes);
        bytes = 0;
        continue;
      }
      if (channels % 2 == 0) {
        const uint16_t both_bytes = (uint16_t)((uint8_t)y_first | (uint8_t)y_second << 8);
        if (2 * p < count) __builtin_memcpy(__builtin_assume_aligned(y + n * channels + 2 * p, 2), &both_bytes, 2);
        continue;
      }
      if (2 * p < count) y[n * channels + 2 * p] = y_first;
      if (2 * p + 1 < count) y[n * channels + 2 * p + 1] = y_second;
    }
  }
}

/* `pixels` columns by `pairs` pairs of channels, `unrolled` words in a round.  Of each pair the stream has two biases
 * and two scales, then come `words` words of each, in turn. */
RUNE_INLINE void rune_mcu_block(const uint32_t *columns, const int32_t *stream, int8_t *y, int32_t pixels,
                                int32_t pairs, int32_t unrolled, int32_t words, int32_t channels, int32_t count,
                                rune_mcu_operands form, rune_mcu_range range) {
  uint32_t both[RUNE_MCU_PIXELS][RUNE_MCU_PAIRS], first[RUNE_MCU_PIXELS][RUNE_MCU_PAIRS];
  const int32_t *weights = stream + 6 * pairs;
#pragma clang loop unroll(full)
  for (int32_t p = 0; p < pairs; ++p) {
#pragma clang loop unroll(full)
    for (int32_t n = 0; n < pixels; ++n) {
      first[n][p] = (uint32_t)stream[6 * p];
      both[n][p] = (uint32_t)stream[6 * p + 3];
    }
  }
#pragma clang loop unroll(disable)
  for (int32_t word = 0; word < words; word += unrolled) {
    /* Of an even word and the odd one after it: what is loaded with the last of one belongs to the other. */
    uint32_t x[2 * RUNE_MCU_PIXELS], w[2 * RUNE_MCU_PAIRS];
#pragma clang loop unroll(full)
    for (int32_t u = 0; u < unrolled; ++u) {
#pragma clang loop unroll(full)
      for (int32_t p = 0; p < pairs; ++p) {
        const int32_t place = u % 2 * pairs + p;
        if (place % 2 == 0) rune_mcu_load_two(weights + (word + u) * pairs + p, w + place);
        const uint32_t weight = w[place], lower = rune_sxtb16(weight);
        const uint32_t upper = form.wide ? rune_sxtb16_ror8(weight) : weight;
#pragma clang loop unroll(full)
        for (int32_t n = 0; n < pixels; ++n) {
          const int32_t column = u % 2 * pixels + n;
          if (form.layout != RUNE_MCU_BYTES && p == 0 && column % 2 == 0) {
            rune_mcu_load_two(columns + (word + u) * pixels + n, x + column);
          }
          const uint32_t value = form.layout == RUNE_MCU_BYTES ? rune_mcu_half(columns[(word + u) / 2], u) : x[column];
          both[n][p] = rune_smlad(value, upper, both[n][p]);
          first[n][p] = rune_smlad(value, lower, first[n][p]);
        }
      }
    }
  }
  rune_mcu_finish(both, first, stream, y, pixels, pairs, words, channels, count, form, range);
}

/* Four bytes as numbers `i` to `i + 3` of a column. */
RUNE_INLINE void rune_mcu_put(uint32_t bytes, void *column, int32_t i, int32_t pixels, rune_mcu_operands form) {
  uint32_t *const words = column;
  uint8_t *const spread = column;
  if (form.layout == RUNE_MCU_BYTES) {
    words[i / 4] = bytes;
    return;
  }
  if (form.layout == RUNE_MCU_HALFWORDS) {
    words[i / 2 * pixels] = rune_sxtb16(bytes);
    words[(i / 2 + 1) * pixels] = rune_sxtb16_ror8(bytes);
    return;
  }
  bytes ^= 0x80808080;
#pragma clang loop unroll(full)
  for (int32_t k = 0; k < 4; ++k) spread[(i + k) * pixels] = (uint8_t)(bytes >> 8 * k);
}

RUNE_INLINE uint32_t rune_mcu_word(const int8_t *x) {
  uint32_t word;
  __builtin_memcpy(&word, __builtin_assume_aligned(x, 4), sizeof word);
  return word;
}

RUNE_INLINE uint32_t rune_mcu_unaligned_word(const int8_t *x) {
  uint32_t word;
  __builtin_memcpy(&word, x, sizeof word);
  return word;
}

/* An offset, which never is beyond the last: said so that a board, which sees the bound but not the reason, has one
 * comparison where each access after it would have one.  The `asm` keeps the comparison from being proved here. */
RUNE_INLINE int32_t rune_mcu_within(int32_t offset, int32_t last) {
  __asm__("" : "+r"(offset));
  return (uint32_t)offset < (uint32_t)last ? offset : last;
}

/* Whether sums are scaled by products of 32 bits: where the core has no others, and they suffice. */
RUNE_INLINE bool rune_mcu_splits(int32_t level, int32_t shifts, bool narrow) {
  return level == RUNE_LEVEL_SINGLE && narrow && shifts == RUNE_MCU_RECIPROCALS;
}

/* Where a window lies in an image; constants of a kernel. */
typedef struct {
  int32_t height, width, depth, kernel_height, kernel_width, stride_height, stride_width, dilation_height,
      dilation_width, pad_top, pad_left, zero;
} rune_mcu_window;

/* The window at (top, left) as one column; a depth that is a multiple of four.  Every place is a sum of what loops
 * count, so that a board sees that it lies inside of the column. */
RUNE_INLINE void rune_mcu_column_of_words(const int8_t *x, void *column, int32_t pixels, int32_t top, int32_t left,
                                          rune_mcu_operands form, rune_mcu_window w) {
  const uint32_t zeros = ((uint32_t)w.zero & 0xFF) * 0x1010101u;
  const int32_t row = w.kernel_width * w.depth, right = left + (w.kernel_width - 1) * w.dilation_width;
#pragma clang loop unroll(disable)
  for (int32_t ky = 0; ky < w.kernel_height; ++ky) {
    const int32_t iy = top + ky * w.dilation_height;
    const bool has_row = (uint32_t)iy < (uint32_t)w.height;
    if (w.dilation_width == 1 && has_row && left >= 0 && right < w.width) {
      const int8_t *source = x + rune_mcu_within((iy * w.width + left) * w.depth, w.height * w.width * w.depth - row);
      RUNE_MCU_UNROLL(4)
      for (int32_t i = 0; i < row; i += 4) {
        rune_mcu_put(rune_mcu_word(source + i), column, ky * row + i, pixels, form);
      }
      continue;
    }
#pragma clang loop unroll(disable)
    for (int32_t kx = 0; kx < w.kernel_width; ++kx) {
      const int32_t ix = left + kx * w.dilation_width;
      const bool is_inside = has_row && (uint32_t)ix < (uint32_t)w.width;
      const int32_t last = (w.height * w.width - 1) * w.depth;
      const int8_t *source = x + rune_mcu_within((iy * w.width + ix) * w.depth, last);
#pragma clang loop unroll(disable)
      for (int32_t i = 0; i < w.depth; i += 4) {
        const uint32_t value = is_inside ? rune_mcu_word(source + i) : zeros;
        rune_mcu_put(value, column, ky * row + kx * w.depth + i, pixels, form);
      }
    }
  }
}

/* The same of any depth, by way of the bytes of the window. */
RUNE_INLINE void rune_mcu_column_of_bytes(const int8_t *x, int8_t *bytes, void *column, int32_t pixels, int32_t top,
                                          int32_t left, rune_mcu_operands form, rune_mcu_window w) {
  const int32_t row = w.kernel_width * w.depth, count = w.kernel_height * row, size = w.height * w.width * w.depth;
  const int32_t right = left + (w.kernel_width - 1) * w.dilation_width;
#pragma clang loop unroll(disable)
  for (int32_t ky = 0; ky < w.kernel_height; ++ky) {
    const int32_t iy = top + ky * w.dilation_height;
    const bool has_row = (uint32_t)iy < (uint32_t)w.height;
    int8_t *const target = bytes + ky * row;
    /* By whole words, where they do not reach beyond the image: what is too much the next row covers. */
    const int32_t whole = (row + 3) / 4 * 4, place = (iy * w.width + left) * w.depth;
    const bool reaches = row % 4 != 0 && place > size - whole;
    if (w.dilation_width == 1 && has_row && left >= 0 && right < w.width && !reaches) {
      const int8_t *source = x + rune_mcu_within(place, size - whole);
      for (int32_t i = 0; i < whole; i += 4) __builtin_memcpy(target + i, source + i, 4);
      continue;
    }
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < row; ++i) {
      const int32_t ahead = w.dilation_width == 1 ? i : i / w.depth * w.dilation_width * w.depth + i % w.depth;
      const bool is_inside = has_row && (uint32_t)(left * w.depth + ahead) < (uint32_t)(w.width * w.depth);
      target[i] = is_inside ? x[rune_mcu_within(place + ahead, size - 1)] : (int8_t)w.zero;
    }
  }
  RUNE_MCU_UNROLL(4)
  for (int32_t i = 0; i < count; i += 4) rune_mcu_put(rune_mcu_word(bytes + i), column, i, pixels, form);
}

/* Where the taps of a depthwise convolution lie, once its longer side runs along columns; constants of a kernel.
 * Steps are in elements. */
typedef struct {
  int32_t height, width, x_row, x_column, kernel_height, kernel_width, stride_height, stride_width, dilation_height,
      pad_top, pad_left, zero, y_height, y_width, y_row, y_column, pitch;
} rune_mcu_plane;

#include "mcu_plain.h"

/* A convolution of one image.  `columns` holds `pixels` windows; `bytes`, where the depth is no multiple of four, one. */
RUNE_INLINE int32_t rune_mcu_convolution(int32_t level, const int8_t *x, const int32_t *stream, int8_t *y,
                                         uint32_t *columns, void *bytes, int32_t height, int32_t width, int32_t depth,
                                         int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
                                         int32_t stride_width, int32_t dilation_height, int32_t dilation_width,
                                         int32_t pad_top, int32_t pad_left, int32_t zero, int32_t y_height,
                                         int32_t y_width, int32_t channels, int32_t pixels, int32_t pairs,
                                         int32_t unrolled, int32_t words, int32_t direct, int32_t wide, int32_t y_zero,
                                         int32_t low, int32_t high, int32_t rounds_away, int32_t shifts,
                                         int32_t narrow) {
  const rune_mcu_operands form = {wide, direct ? RUNE_MCU_BYTES : RUNE_MCU_HALFWORDS};
  const rune_mcu_window window = {height,         width,           depth,          kernel_height, kernel_width, stride_height,
                                  stride_width,   dilation_height, dilation_width, pad_top,       pad_left,     zero};
  const rune_mcu_range range = {y_zero, low, high, rounds_away, shifts, rune_mcu_splits(level, shifts, narrow)};
  const int32_t total = y_height * y_width;
  if (level < RUNE_LEVEL_DSP) {
    rune_mcu_plain_convolution(level, x, stream, y, (uint8_t *)columns, bytes, total, y_width, channels,
                               rune_mcu_plain_pixels(total, direct), pairs, words, form, range, window);
    return 0;
  }
#pragma clang loop unroll(disable)
  for (int32_t group = 0; group < total; group += pixels) {
    /* The last group overlaps the one before it where the pixels are no multiple of a group's. */
    const int32_t start = group < total - pixels ? group : total - pixels;
#pragma clang loop unroll(disable)
    for (int32_t n = 0; n < pixels; ++n) {
      const int32_t top = (start + n) / y_width * stride_height - pad_top;
      const int32_t left = (start + n) % y_width * stride_width - pad_left;
      if (depth % 4 == 0) {
        rune_mcu_column_of_words(x, columns + n, pixels, top, left, form, window);
      } else {
        rune_mcu_column_of_bytes(x, bytes, columns + n, pixels, top, left, form, window);
      }
    }
#pragma clang loop unroll(disable)
    for (int32_t channel = 0, block = 0; channel < channels; channel += 2 * pairs, block += pairs * (6 + words)) {
      const int32_t count = channels % (2 * pairs) == 0 ? 2 * pairs : channels - channel;
      int8_t *const target = y + start * channels + channel;
      rune_mcu_block(columns, stream + block, target, pixels, pairs, unrolled, words, channels, count, form, range);
    }
  }
  return 0;
}

/* A fully connected layer of one row, of a multiple of four bytes. */
RUNE_INLINE int32_t rune_mcu_fully_connected(int32_t level, const int8_t *x, const int32_t *stream, int8_t *y,
                                             int32_t channels, int32_t pairs, int32_t unrolled, int32_t words,
                                             int32_t wide, int32_t y_zero, int32_t low, int32_t high,
                                             int32_t rounds_away, int32_t shifts, int32_t narrow) {
  const rune_mcu_operands form = {wide, RUNE_MCU_BYTES};
  const rune_mcu_range range = {y_zero, low, high, rounds_away, shifts, rune_mcu_splits(level, shifts, narrow)};
  const uint32_t *const column = __builtin_assume_aligned(x, 4);
  if (level < RUNE_LEVEL_DSP) stream = rune_mcu_aligned(stream);
#pragma clang loop unroll(disable)
  for (int32_t channel = 0, block = 0; channel < channels; channel += 2 * pairs, block += pairs * (6 + words)) {
    const int32_t count = channels % (2 * pairs) == 0 ? 2 * pairs : channels - channel;
    if (level < RUNE_LEVEL_DSP) {
      rune_mcu_plain_block(level, x, 0, stream, stream + block, y + channel, 1, 0, pairs, words, channels, count, form,
                           range);
    } else {
      rune_mcu_block(column, stream + block, y + channel, 1, pairs, unrolled, words, channels, count, form, range);
    }
  }
  return 0;
}

/* One channel, or `group` neighbouring ones into planes of their own, of `rows` rows of an image as halfwords; what is
 * outside is there already. */
RUNE_INLINE void rune_mcu_gather(const int8_t *x, int16_t *plane, int32_t top, int32_t rows, int32_t group,
                                 rune_mcu_plane g) {
  const int32_t columns = g.pitch - g.pad_left < g.width ? g.pitch - g.pad_left : g.width, size = rows * g.pitch;
#pragma clang loop unroll(disable)
  for (int32_t row = 0; row < rows; ++row) {
    if ((uint32_t)(top + row) >= (uint32_t)g.height) continue;
    const int8_t *source = x + rune_mcu_within((top + row) * g.x_row, (g.height - 1) * g.x_row);
    int16_t *const target = plane + row * g.pitch + g.pad_left;
    RUNE_MCU_UNROLL(4)
    for (int32_t i = 0; i < columns; ++i) {
      if (group == 1) {
        target[i] = source[i * g.x_column];
        continue;
      }
      const uint32_t bytes = rune_mcu_word(source + i * g.x_column);
      const uint32_t even = rune_sxtb16(bytes), odd = rune_sxtb16_ror8(bytes);
      target[i] = (int16_t)even;
      target[size + i] = (int16_t)odd;
      target[2 * size + i] = (int16_t)(even >> 16);
      target[3 * size + i] = (int16_t)(odd >> 16);
    }
  }
}

/* The sums of one or two neighbouring columns, whose first begins at the word `x`. */
RUNE_INLINE void rune_mcu_taps(const uint32_t *x, const uint32_t *first, const uint32_t *second, uint32_t *sums,
                               int32_t words, rune_mcu_plane g) {
#pragma clang loop unroll(full)
  for (int32_t ky = 0; ky < g.kernel_height; ++ky) {
    if (g.kernel_width == 3 && g.stride_width == 1) {
      /* Words of which one half is 0 take a product of halves instead, and no register. */
      const uint32_t *const pairs = x + ky * g.dilation_height * (g.pitch / 2);
      const uint32_t left = first[2 * ky], right = second[2 * ky + 1];
      sums[0] = rune_smlad(pairs[0], left, sums[0]) + (uint32_t)((int16_t)pairs[1] * ((int32_t)right >> 16));
      sums[1] = rune_smlad(pairs[1], right, sums[1]) + (uint32_t)(((int32_t)pairs[0] >> 16) * (int16_t)left);
      continue;
    }
#pragma clang loop unroll(full)
    for (int32_t t = 0; t < words; ++t) {
      const uint32_t pair = x[ky * g.dilation_height * (g.pitch / 2) + t];
      if (2 * t < g.kernel_width) sums[0] = rune_smlad(pair, first[ky * words + t], sums[0]);
      if (g.stride_width == 1) sums[1] = rune_smlad(pair, second[ky * words + t], sums[1]);
    }
  }
}

/* The taps of all rows as `first` has them, and for the column after it: one halfword later. */
RUNE_INLINE void rune_mcu_shift_taps(const int32_t *taps, uint32_t *first, uint32_t *second, int32_t words,
                                     rune_mcu_plane g) {
#pragma clang loop unroll(full)
  for (int32_t t = 0; t < g.kernel_height * words; ++t) {
    first[t] = (uint32_t)taps[t];
    second[t] = first[t] << 16 | (t % words == 0 ? 0 : first[t - 1] >> 16);
  }
}

/* `strip` rows of one output channel from its plane.  Of each channel the stream has bias, scale, and its taps as pairs
 * of halfwords, `words` to a row. */
RUNE_INLINE void rune_mcu_depthwise_strip(const uint32_t *plane, const int32_t *taps, int8_t *y, int32_t strip,
                                          int32_t words, rune_mcu_plane g, rune_mcu_range range) {
  const int32_t scale[2] = {taps[1], taps[2]};
  uint32_t a[RUNE_MCU_TAP_WORDS], b[RUNE_MCU_TAP_WORDS];
  rune_mcu_shift_taps(taps + 3, a, b, words, g);
  const int32_t step = g.stride_width == 1 ? 2 : 1;
#pragma clang loop unroll(disable)
  for (int32_t row = 0; row < strip; ++row) {
#pragma clang loop unroll(disable)
    for (int32_t ox = 0; ox < g.y_width; ox += step) {
      uint32_t sums[2] = {(uint32_t)taps[0], (uint32_t)taps[0]};
      rune_mcu_taps(plane + (row * g.stride_height * g.pitch + ox * g.stride_width) / 2, a, b, sums, words, g);
      int8_t *const target = y + row * g.y_row + ox * g.y_column;
      target[0] = rune_mcu_requantize((int32_t)sums[0], scale, range);
      if (step == 2 && ox + 1 < g.y_width) target[g.y_column] = rune_mcu_requantize((int32_t)sums[1], scale, range);
    }
  }
}

/* A depthwise convolution of one image, `strip` rows of `group` channels at a time; `planes` has room for what they
 * read. */
RUNE_INLINE int32_t rune_mcu_depthwise(int32_t level, const int8_t *x, const int32_t *stream, int8_t *y, uint32_t *planes,
                                       int32_t height, int32_t width, int32_t x_row, int32_t x_column,
                                       int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
                                       int32_t stride_width, int32_t dilation_height, int32_t pad_top,
                                       int32_t pad_left, int32_t zero, int32_t y_height, int32_t y_width,
                                       int32_t y_row, int32_t y_column, int32_t pitch, int32_t channels,
                                       int32_t multiplier, int32_t group, int32_t strip, int32_t words,
                                       int32_t y_zero, int32_t low, int32_t high, int32_t rounds_away,
                                       int32_t shifts, int32_t narrow) {
  const rune_mcu_plane g = {height,        width,        x_row,           x_column, kernel_height, kernel_width,
                            stride_height, stride_width, dilation_height, pad_top,  pad_left,      zero,
                            y_height,      y_width,      y_row,           y_column, pitch};
  const rune_mcu_range range = {y_zero, low, high, rounds_away, shifts, rune_mcu_splits(level, shifts, narrow)};
  const int32_t rows = (strip - 1) * stride_height + (kernel_height - 1) * dilation_height + 1;
  if (level < RUNE_LEVEL_DSP) {
    rune_mcu_plain_depthwise(level, x, stream, y, (uint8_t *)planes, channels, multiplier, group, strip, words, rows, g,
                             range);
    return 0;
  }
  const uint32_t zeros = ((uint32_t)zero & 0xFFFF) * 0x10001u;
#pragma clang loop unroll(disable)
  for (int32_t first_row = 0; first_row < y_height; first_row += strip) {
    const int32_t oy = first_row < y_height - strip ? first_row : y_height - strip;
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < group * rows * pitch / 2; ++i) planes[i] = zeros;
#pragma clang loop unroll(disable)
    for (int32_t c = 0; c < channels; ++c) {
      if (c % (multiplier * group) == 0) {
        rune_mcu_gather(x + c / multiplier, (int16_t *)planes, oy * stride_height - pad_top, rows, group, g);
      }
      const uint32_t *const plane = planes + c % group * (rows * pitch / 2);
      const int32_t *const taps = stream + c * (3 + kernel_height * words);
      rune_mcu_depthwise_strip(plane, taps, y + c + oy * y_row, strip, words, g, range);
    }
  }
  return 0;
}

/* Sums of int8 elements in the linear form that `builder/families/linear_sums.py` proves. */
RUNE_INLINE int32_t rune_mcu_add(const int8_t *a, const int8_t *b, int8_t *y, int32_t count, int32_t a_factor,
                                 int32_t b_factor, int32_t constant, int32_t shift, int32_t low, int32_t high) {
  RUNE_MCU_UNROLL(8)
  for (int32_t i = 0; i < count; ++i) {
    const uint32_t sum = (uint32_t)(a[i] * a_factor) + (uint32_t)(b[i] * b_factor) + (uint32_t)constant;
    y[i] = (int8_t)rune_clamp((int32_t)sum >> shift, low, high);
  }
  return 0;
}

#endif

#endif
