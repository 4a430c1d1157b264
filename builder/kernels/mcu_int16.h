/* Sums of products of int16 activations and int8 weights; `builder/families/mcu_int16.py` says what they compute,
 * proves that their sums fit in 32 bits, and packs the weights in the order in which they are read here.
 *
 * A word of the stream holds two weights of each of two channels, in turn; SXTB16 makes pairs of halfwords of them,
 * and activations are such pairs as they lie in memory. */
#ifndef RUNE_MCU_INT16_H
#define RUNE_MCU_INT16_H

#include "dsp.h"
#include "fixed_point.h"
#include "mcu.h"

#ifndef __wasm_simd128__

/* How sums become int16; constants of a kernel. */
typedef struct {
  int32_t low, high;
  bool once;   /* one product, rounded, as of 64-bit sums; else the two roundings of rune_multiply */
  bool shifts; /* some divisor is below 4, and so the shift itself stands in the place of its multiplier */
} rune_mcu16_range;

/* `scale` has one or two multipliers of SMMULR: of a sum once, or doubled and then 2^32 over the divisor. */
RUNE_INLINE int16_t rune_mcu16_requantize(int32_t sum, const int32_t *scale, rune_mcu16_range range) {
  int32_t value;
  if (range.once) {
    value = (int32_t)rune_smmulr((uint32_t)sum, (uint32_t)scale[0]);
  } else {
    value = (int32_t)rune_smmlar((uint32_t)sum, (uint32_t)scale[0], (uint32_t)sum);
    value = range.shifts ? rune_rounding_shift_right(value, scale[1])
                         : (int32_t)rune_smmulr((uint32_t)(value + (value >> 31)), (uint32_t)scale[1]);
  }
  if (range.high == INT16_MAX) value = (int32_t)rune_ssat16((uint32_t)value);
  return (int16_t)rune_clamp(value, range.low, range.high);
}

/* `pixels` rows of `words` words, `pitch` apart, by `pairs` pairs of channels.  Of each pair the stream has two biases
 * and two scales, then come `words` words of each, in turn. */
RUNE_INLINE void rune_mcu16_block(const uint32_t *x, int32_t pitch, const int32_t *stream, int16_t *y, int32_t pixels,
                                  int32_t pairs, int32_t words, int32_t channels, int32_t count,
                                  rune_mcu16_range range) {
  uint32_t sums[RUNE_MCU_PIXELS][2 * RUNE_MCU_PAIRS];
  const int32_t *weights = stream + 6 * pairs;
#pragma clang loop unroll(full)
  for (int32_t c = 0; c < 2 * pairs; ++c) {
#pragma clang loop unroll(full)
    for (int32_t n = 0; n < pixels; ++n) sums[n][c] = (uint32_t)stream[3 * c];
  }
  /* Never two rounds; see rune_mcu_block. */
  const int32_t unrolled = words > 8 && words <= 16 ? words : words % 8 == 0 ? 8 : words % 4 == 0 ? 4 : 2;
#pragma clang loop unroll(disable)
  for (int32_t word = 0; word < words; word += unrolled) {
    uint32_t values[RUNE_MCU_PIXELS][2], w[2 * RUNE_MCU_PAIRS];
#pragma clang loop unroll(full)
    for (int32_t u = 0; u < unrolled; ++u) {
#pragma clang loop unroll(full)
      for (int32_t p = 0; p < pairs; ++p) {
        const int32_t place = u % 2 * pairs + p;
        if (place % 2 == 0) rune_mcu_load_two(weights + (word + u) * pairs + p, w + place);
        const uint32_t first = rune_sxtb16(w[place]), second = rune_sxtb16_ror8(w[place]);
#pragma clang loop unroll(full)
        for (int32_t n = 0; n < pixels; ++n) {
          if (p == 0 && u % 2 == 0) rune_mcu_load_two(x + n * pitch + word + u, values[n]);
          sums[n][2 * p] = rune_smlad(values[n][u % 2], first, sums[n][2 * p]);
          sums[n][2 * p + 1] = rune_smlad(values[n][u % 2], second, sums[n][2 * p + 1]);
        }
      }
    }
  }
#pragma clang loop unroll(full)
  for (int32_t n = 0; n < pixels; ++n) {
#pragma clang loop unroll(full)
    for (int32_t c = 0; c < 2 * pairs; ++c) {
      if (c >= count) continue;
      y[n * channels + c] = rune_mcu16_requantize((int32_t)sums[n][c], stream + 3 * c + 1, range);
    }
  }
}

RUNE_INLINE void rune_mcu16_copy(const int16_t *from, int16_t *to, int32_t count) {
  int32_t i = 0;
  RUNE_MCU_UNROLL(4)
  for (; i + 2 <= count; i += 2) __builtin_memcpy(to + i, from + i, 4);
  if (count % 2 != 0) to[count - 1] = from[count - 1];
}

/* The window at (top, left); what is outside of the image is 0. */
RUNE_INLINE void rune_mcu16_column(const int16_t *x, int16_t *column, int32_t top, int32_t left, rune_mcu_window w) {
  const int32_t row = w.kernel_width * w.depth, right = left + (w.kernel_width - 1) * w.dilation_width;
#pragma clang loop unroll(disable)
  for (int32_t ky = 0; ky < w.kernel_height; ++ky) {
    const int32_t iy = top + ky * w.dilation_height;
    const bool has_row = (uint32_t)iy < (uint32_t)w.height;
    if (w.dilation_width == 1 && has_row && left >= 0 && right < w.width) {
      const int32_t last = w.height * w.width * w.depth - row;
      rune_mcu16_copy(x + rune_mcu_within((iy * w.width + left) * w.depth, last), column + ky * row, row);
      continue;
    }
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < row; ++i) {
      const int32_t ahead = w.dilation_width == 1 ? i : i / w.depth * w.dilation_width * w.depth + i % w.depth;
      const int32_t place = left * w.depth + ahead, last = w.height * w.width * w.depth - 1;
      const bool is_inside = has_row && (uint32_t)place < (uint32_t)(w.width * w.depth);
      column[ky * row + i] = is_inside ? x[rune_mcu_within(iy * w.width * w.depth + place, last)] : 0;
    }
  }
}

/* A convolution of one image.  `columns` holds `pixels` windows; it is not used where windows are read where they lie. */
RUNE_INLINE int32_t rune_mcu16_convolution(const int16_t *x, const int32_t *stream, int16_t *y, uint32_t *columns,
                                           int32_t height, int32_t width, int32_t depth, int32_t kernel_height,
                                           int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                           int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                                           int32_t pad_left, int32_t y_height, int32_t y_width, int32_t channels,
                                           int32_t pixels, int32_t pairs, int32_t words, int32_t direct, int32_t low,
                                           int32_t high, int32_t once, int32_t shifts) {
  const rune_mcu_window window = {height,         width,           depth,          kernel_height, kernel_width, stride_height,
                                  stride_width,   dilation_height, dilation_width, pad_top,       pad_left,     0};
  const rune_mcu16_range range = {low, high, once, shifts};
  const int32_t total = y_height * y_width;
#pragma clang loop unroll(disable)
  for (int32_t group = 0; group < total; group += pixels) {
    /* The last group overlaps the one before it where the pixels are no multiple of a group's. */
    const int32_t start = group < total - pixels ? group : total - pixels;
    const uint32_t *rows = columns;
    if (direct) {
      rows = __builtin_assume_aligned(x + start * depth, 4);
    } else {
#pragma clang loop unroll(disable)
      for (int32_t n = 0; n < pixels; ++n) {
        const int32_t top = (start + n) / y_width * stride_height - pad_top;
        const int32_t left = (start + n) % y_width * stride_width - pad_left;
        rune_mcu16_column(x, (int16_t *)(columns + n * words), top, left, window);
      }
    }
#pragma clang loop unroll(disable)
    for (int32_t channel = 0, block = 0; channel < channels; channel += 2 * pairs, block += pairs * (6 + words)) {
      const int32_t count = channels % (2 * pairs) == 0 ? 2 * pairs : channels - channel;
      rune_mcu16_block(rows, words, stream + block, y + start * channels + channel, pixels, pairs, words, channels, count,
                       range);
    }
  }
  return 0;
}

/* One channel, or two neighbouring ones into planes of their own, of `rows` rows of an image; what is outside is there
 * already. */
RUNE_INLINE void rune_mcu16_gather(const int16_t *x, int16_t *plane, int32_t top, int32_t rows, int32_t group,
                                   rune_mcu_plane g) {
  const int32_t columns = g.pitch - g.pad_left < g.width ? g.pitch - g.pad_left : g.width, size = rows * g.pitch;
#pragma clang loop unroll(disable)
  for (int32_t row = 0; row < rows; ++row) {
    if ((uint32_t)(top + row) >= (uint32_t)g.height) continue;
    const int16_t *source = x + rune_mcu_within((top + row) * g.x_row, (g.height - 1) * g.x_row);
    int16_t *const target = plane + row * g.pitch + g.pad_left;
    RUNE_MCU_UNROLL(4)
    for (int32_t i = 0; i < columns; ++i) {
      if (group == 1) {
        target[i] = source[i * g.x_column];
        continue;
      }
      uint32_t both;
      __builtin_memcpy(&both, __builtin_assume_aligned(source + i * g.x_column, 4), sizeof both);
      target[i] = (int16_t)both;
      target[size + i] = (int16_t)(both >> 16);
    }
  }
}

/* `strip` rows of one output channel from its plane; as rune_mcu_depthwise_strip. */
RUNE_INLINE void rune_mcu16_depthwise_strip(const uint32_t *plane, const int32_t *taps, int16_t *y, int32_t strip,
                                            int32_t words, rune_mcu_plane g, rune_mcu16_range range) {
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
      int16_t *const target = y + row * g.y_row + ox * g.y_column;
      target[0] = rune_mcu16_requantize((int32_t)sums[0], scale, range);
      if (step == 2 && ox + 1 < g.y_width) target[g.y_column] = rune_mcu16_requantize((int32_t)sums[1], scale, range);
    }
  }
}

/* A depthwise convolution of one image, `strip` rows of `group` channels at a time; `planes` has room for what they
 * read. */
RUNE_INLINE int32_t rune_mcu16_depthwise(const int16_t *x, const int32_t *stream, int16_t *y, uint32_t *planes,
                                         int32_t height, int32_t width, int32_t x_row, int32_t x_column,
                                         int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
                                         int32_t stride_width, int32_t dilation_height, int32_t pad_top,
                                         int32_t pad_left, int32_t zero, int32_t y_height, int32_t y_width,
                                         int32_t y_row, int32_t y_column, int32_t pitch, int32_t channels,
                                         int32_t multiplier, int32_t group, int32_t strip, int32_t words, int32_t low,
                                         int32_t high, int32_t once, int32_t shifts) {
  const rune_mcu_plane g = {height,        width,        x_row,           x_column, kernel_height, kernel_width,
                            stride_height, stride_width, dilation_height, pad_top,  pad_left,      zero,
                            y_height,      y_width,      y_row,           y_column, pitch};
  const rune_mcu16_range range = {low, high, once, shifts};
  const int32_t rows = (strip - 1) * stride_height + (kernel_height - 1) * dilation_height + 1;
#pragma clang loop unroll(disable)
  for (int32_t first_row = 0; first_row < y_height; first_row += strip) {
    const int32_t oy = first_row < y_height - strip ? first_row : y_height - strip;
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < group * rows * pitch / 2; ++i) planes[i] = 0;
#pragma clang loop unroll(disable)
    for (int32_t c = 0; c < channels; ++c) {
      if (c % (multiplier * group) == 0) {
        rune_mcu16_gather(x + c / multiplier, (int16_t *)planes, oy * stride_height - pad_top, rows, group, g);
      }
      const uint32_t *const plane = planes + c % group * (rows * pitch / 2);
      const int32_t *const taps = stream + c * (3 + kernel_height * words);
      rune_mcu16_depthwise_strip(plane, taps, y + c + oy * y_row, strip, words, g, range);
    }
  }
  return 0;
}

#endif

#endif
