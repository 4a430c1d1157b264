/* Sums of products of float32; `builder/families/float_sums.py` says what they compute and packs the weights in the
 * order in which they are read here.
 *
 * Each sum is taken tap by tap, in the order of the taps, and the bias is added at its end: every bit is that of the
 * reference's plain loops, in both profiles.  What is computed side by side are the sums of several pixels and channels,
 * so that they share loads; four channels are a vector where there are vectors. */
#ifndef RUNE_FLOAT_SUMS_H
#define RUNE_FLOAT_SUMS_H

#include "runtime.h"

enum { RUNE_FLOAT_PIXELS = 4, RUNE_FLOAT_LANES = 4 };

typedef float rune_float_lanes __attribute__((vector_size(16)));

/* The fused activations, in the order in which families/float_sums.py counts them. */
enum { RUNE_FLOAT_NONE, RUNE_FLOAT_RELU, RUNE_FLOAT_RELU6, RUNE_FLOAT_RELU_N1_TO_1 };

RUNE_INLINE float rune_float_activated(float value, int32_t activation) {
  if (activation == RUNE_FLOAT_NONE) return value;
  const float low = activation == RUNE_FLOAT_RELU_N1_TO_1 ? -1.0f : 0.0f;
  const float high = activation == RUNE_FLOAT_RELU_N1_TO_1 ? 1.0f : 6.0f;
  value = value > low ? value : low;
  return activation != RUNE_FLOAT_RELU && !(value < high) ? high : value;
}

RUNE_INLINE rune_float_lanes rune_float_load(const float *from) {
  rune_float_lanes lanes;
  __builtin_memcpy(&lanes, __builtin_assume_aligned(from, 4), sizeof lanes);
  return lanes;
}

/* `count` results from the sums, to which the biases at `bias` are added. */
RUNE_INLINE void rune_float_finish(rune_float_lanes sums, const float *bias, float *y, int32_t count,
                                   int32_t activation) {
#pragma clang loop unroll(full)
  for (int32_t lane = 0; lane < RUNE_FLOAT_LANES; ++lane) {
    if (lane < count) y[lane] = rune_float_activated(sums[lane] + bias[lane], activation);
  }
}

/* `pixels` rows of `taps` numbers, `pitch` apart, by four channels.  `stream` has four biases, then the four weights of
 * each tap. */
RUNE_INLINE void rune_float_block(const float *x, int32_t pitch, const float *stream, float *y, int32_t pixels,
                                  int32_t taps, int32_t channels, int32_t count, int32_t activation) {
  rune_float_lanes sums[RUNE_FLOAT_PIXELS] = {{0.0f}};
  const float *const weights = stream + RUNE_FLOAT_LANES;
#pragma clang loop unroll_count(4)
  for (int32_t tap = 0; tap < taps; ++tap) {
    const rune_float_lanes w = rune_float_load(weights + tap * RUNE_FLOAT_LANES);
#pragma clang loop unroll(full)
    for (int32_t n = 0; n < pixels; ++n) sums[n] += x[n * pitch + tap] * w;
  }
#pragma clang loop unroll(full)
  for (int32_t n = 0; n < pixels; ++n) rune_float_finish(sums[n], stream, y + n * channels, count, activation);
}

/* The same of a single channel: a bias, then a weight for each tap. */
RUNE_INLINE void rune_float_channel(const float *x, int32_t pitch, const float *stream, float *y, int32_t pixels,
                                    int32_t taps, int32_t channels, int32_t activation) {
  float sums[RUNE_FLOAT_PIXELS] = {0.0f};
#pragma clang loop unroll_count(4)
  for (int32_t tap = 0; tap < taps; ++tap) {
#pragma clang loop unroll(full)
    for (int32_t n = 0; n < pixels; ++n) sums[n] += x[n * pitch + tap] * stream[1 + tap];
  }
#pragma clang loop unroll(full)
  for (int32_t n = 0; n < pixels; ++n) y[n * channels] = rune_float_activated(sums[n] + stream[0], activation);
}

/* Where a window lies in an image; constants of a kernel. */
typedef struct {
  int32_t height, width, depth, kernel_height, kernel_width, stride_height, stride_width, dilation_height,
      dilation_width, pad_top, pad_left;
} rune_float_window;

/* An offset, which never is beyond the last; see rune_mcu_within. */
RUNE_INLINE int32_t rune_float_within(int32_t offset, int32_t last) {
#ifndef __wasm_simd128__
  __asm__("" : "+r"(offset));
  return (uint32_t)offset < (uint32_t)last ? offset : last;
#else
  (void)last;
  return offset;
#endif
}

/* The window at (top, left); what is outside of the image is 0. */
RUNE_INLINE void rune_float_column(const float *x, float *column, int32_t top, int32_t left, rune_float_window w) {
  const int32_t row = w.kernel_width * w.depth, right = left + (w.kernel_width - 1) * w.dilation_width;
#pragma clang loop unroll(disable)
  for (int32_t ky = 0; ky < w.kernel_height; ++ky) {
    const int32_t iy = top + ky * w.dilation_height;
    const bool has_row = (uint32_t)iy < (uint32_t)w.height;
    if (w.dilation_width == 1 && has_row && left >= 0 && right < w.width) {
      const float *source = x + rune_float_within((iy * w.width + left) * w.depth, w.height * w.width * w.depth - row);
#pragma clang loop unroll_count(4)
      for (int32_t i = 0; i < row; ++i) column[ky * row + i] = source[i];
      continue;
    }
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < row; ++i) {
      const int32_t ahead = w.dilation_width == 1 ? i : i / w.depth * w.dilation_width * w.depth + i % w.depth;
      const int32_t place = left * w.depth + ahead, last = w.height * w.width * w.depth - 1;
      const bool is_inside = has_row && (uint32_t)place < (uint32_t)(w.width * w.depth);
      column[ky * row + i] = is_inside ? x[rune_float_within(iy * w.width * w.depth + place, last)] : 0.0f;
    }
  }
}

/* A convolution of one image.  `columns` holds `pixels` windows; it is not used where windows are read where they lie. */
RUNE_INLINE int32_t rune_float_convolution(const float *x, const float *stream, float *y, float *columns,
                                           int32_t height, int32_t width, int32_t depth, int32_t kernel_height,
                                           int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                           int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                                           int32_t pad_left, int32_t y_height, int32_t y_width, int32_t channels,
                                           int32_t pixels, int32_t lanes, int32_t direct, int32_t activation) {
  const rune_float_window window = {height,       width,           depth,          kernel_height, kernel_width, stride_height,
                                    stride_width, dilation_height, dilation_width, pad_top,       pad_left};
  const int32_t total = y_height * y_width, taps = kernel_height * kernel_width * depth;
#pragma clang loop unroll(disable)
  for (int32_t group = 0; group < total; group += pixels) {
    /* The last group overlaps the one before it where the pixels are no multiple of a group's. */
    const int32_t start = group < total - pixels ? group : total - pixels;
    const float *const rows = direct ? x + start * depth : columns;
    if (!direct) {
#pragma clang loop unroll(disable)
      for (int32_t n = 0; n < pixels; ++n) {
        const int32_t top = (start + n) / y_width * stride_height - pad_top;
        const int32_t left = (start + n) % y_width * stride_width - pad_left;
        rune_float_column(x, columns + n * taps, top, left, window);
      }
    }
#pragma clang loop unroll(disable)
    for (int32_t channel = 0, block = 0; channel < channels; channel += lanes, block += lanes * (1 + taps)) {
      float *const target = y + start * channels + channel;
      if (lanes == 1) {
        rune_float_channel(rows, taps, stream + block, target, pixels, taps, channels, activation);
      } else {
        const int32_t count = channels % lanes == 0 ? lanes : channels - channel;
        rune_float_block(rows, taps, stream + block, target, pixels, taps, channels, count, activation);
      }
    }
  }
  return 0;
}

/* The sums of `lanes` channels from `c` on at one pixel of a depthwise convolution: 4, or 1 in all lanes. */
RUNE_INLINE rune_float_lanes rune_float_depthwise_pixel(const float *x, const float *weights, int32_t top, int32_t left,
                                                        int32_t c, int32_t lanes, rune_float_window w) {
  rune_float_lanes sums = {0.0f};
#pragma clang loop unroll(disable)
  for (int32_t ky = 0; ky < w.kernel_height; ++ky) {
    const int32_t iy = top + ky * w.dilation_height;
    if ((uint32_t)iy >= (uint32_t)w.height) continue;
#pragma clang loop unroll(disable)
    for (int32_t kx = 0; kx < w.kernel_width; ++kx) {
      const int32_t ix = left + kx * w.dilation_width;
      if ((uint32_t)ix >= (uint32_t)w.width) continue;
      const int32_t last = (w.height * w.width - 1) * w.depth;
      const float *const pixel = x + rune_float_within((iy * w.width + ix) * w.depth, last) + c;
      const float *const taps = weights + (ky * w.kernel_width + kx) * w.depth + c;
      if (lanes == 1) {
        sums[0] += pixel[0] * taps[0];
      } else {
        sums += rune_float_load(pixel) * rune_float_load(taps);
      }
    }
  }
  return sums;
}

/* A depthwise convolution of one image with one filter for each channel, whose weights lie as in the model. */
RUNE_INLINE int32_t rune_float_depthwise(const float *x, const float *weights, const float *bias, float *y,
                                         int32_t height, int32_t width, int32_t depth, int32_t kernel_height,
                                         int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                         int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                                         int32_t pad_left, int32_t y_height, int32_t y_width, int32_t lanes,
                                         int32_t activation) {
  const rune_float_window window = {height,       width,           depth,          kernel_height, kernel_width, stride_height,
                                    stride_width, dilation_height, dilation_width, pad_top,       pad_left};
#pragma clang loop unroll(disable)
  for (int32_t oy = 0; oy < y_height; ++oy) {
#pragma clang loop unroll(disable)
    for (int32_t ox = 0; ox < y_width; ++ox) {
      const int32_t top = oy * stride_height - pad_top, left = ox * stride_width - pad_left;
#pragma clang loop unroll(disable)
      for (int32_t c = 0; c < depth; c += lanes) {
        const rune_float_lanes sums = rune_float_depthwise_pixel(x, weights, top, left, c, lanes, window);
        rune_float_finish(sums, bias + c, y + (oy * y_width + ox) * depth + c, lanes, activation);
      }
    }
  }
  return 0;
}

#endif
