/* Sums of products of int8 in 128-bit vectors; `builder/families/simd.py` says what they compute and packs their operands.
 *
 * Activations arrive as int16 without their zero point, in a buffer whose border is zero, so that there is neither
 * widening nor a bound to check in the inner loops.  Everything is exact: the same bits as the scalar kernels.
 */
#ifndef RUNE_SIMD_H
#define RUNE_SIMD_H

#include "runtime.h"

#ifdef __wasm_simd128__
#include <wasm_simd128.h>

/* Zeros, a vector at a time: up to seven more than `count`. */
RUNE_INLINE void rune_zero_fill(int16_t *y, int32_t count) {
#pragma clang loop unroll(disable)
  for (int32_t i = 0; i < count; i += 8) wasm_v128_store(y + i, wasm_i16x8_const_splat(0));
}

/* Bytes, each plus `offset`, as halfwords. */
RUNE_INLINE void rune_widen_row(const int8_t *restrict x, int16_t *restrict y, int32_t count, int32_t offset) {
  const v128_t offsets = wasm_i16x8_splat((int16_t)offset);
  int32_t i = 0;
#pragma clang loop unroll(disable)
  for (; i + 8 <= count; i += 8) wasm_v128_store(y + i, wasm_i16x8_add(wasm_i16x8_load8x8(x + i), offsets));
  if (i == count) return;
  if (count >= 8) { /* The last vector overlaps the one before it. */
    wasm_v128_store(y + count - 8, wasm_i16x8_add(wasm_i16x8_load8x8(x + count - 8), offsets));
    return;
  }
#pragma clang loop vectorize(disable)
  for (; i < count; ++i) y[i] = (int16_t)(x[i] + offset);
}

/* Rows of `width` bytes into rows of `pitch` halfwords, after `top` rows and `left` halfwords of zeros.  The memory
 * is `total` halfwords long and a vector more; zeros that reach too far are overwritten by the row behind them. */
RUNE_INLINE int32_t rune_widen(const int8_t *restrict x, int16_t *restrict y, int32_t height, int32_t width,
                               int32_t top, int32_t left, int32_t pitch, int32_t total, int32_t offset) {
  const int32_t first = top * pitch + left, gap = pitch - width;
  const bool is_dense = gap == 0;
  const int32_t rows = is_dense ? 1 : height, row_width = is_dense ? height * width : width;
  rune_zero_fill(y, first);
  y += first;
  for (int32_t row = 0; row < rows; ++row, x += row_width, y += pitch) {
    rune_widen_row(x, y, row_width, offset);
    if (row + 1 < rows) rune_zero_fill(y + row_width, gap);
  }
  const int32_t end = first + (height - 1) * pitch + width;
  rune_zero_fill(y - rows * pitch + end - first, total - end);
  return 0;
}

/* How sums are brought to the output's scale: see builder/families/vector_scaling.py, which proves all but the last. */
enum { RUNE_FLOAT32 = 0, RUNE_FLOAT64 = 1, RUNE_INTEGER = 2 };
typedef struct {
  int32_t kind;
  int32_t is_signed; /* Whether the nudge takes the product's sign. */
  int32_t zero_point, low, high;
  int32_t channels;
  /* The channels of a micro-kernel.  Their constants lie in rows: the bias; then either scales and nudges in floating
   * point, or a multiplier, half of the divisor, whether it is more than 1 (all bits) or not (none), and 2^30 over
   * the divisor. */
} rune_scaling;

RUNE_INLINE v128_t rune_signed_nudge(v128_t nudge, v128_t product, v128_t sign, bool is_signed) {
  return is_signed ? wasm_v128_xor(nudge, wasm_v128_and(product, sign)) : nudge;
}

/* The product rounded to the nearest integer: adding 1.5 * 2^23 leaves it in the low bits. */
RUNE_INLINE v128_t rune_rescale_float32(v128_t sums, const int32_t *table, const rune_scaling *scaling) {
  const v128_t product = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums), wasm_v128_load(table));
  const v128_t nudge = rune_signed_nudge(wasm_v128_load(table + scaling->channels), product,
                                         wasm_i32x4_const_splat(INT32_MIN), scaling->is_signed);
  const v128_t magic = wasm_f32x4_add(wasm_f32x4_add(product, nudge), wasm_f32x4_const_splat(12582912.0f));
  return wasm_i32x4_sub(magic, wasm_i32x4_splat(0x4B400000 - scaling->zero_point));
}

/* The same of two sums in the low half, with 1.5 * 2^52, whose low bits are zero. */
RUNE_INLINE v128_t rune_round_float64(v128_t sums, const int32_t *table, const rune_scaling *scaling) {
  const v128_t product = wasm_f64x2_mul(wasm_f64x2_convert_low_i32x4(sums), wasm_v128_load(table));
  const v128_t nudge = rune_signed_nudge(wasm_v128_load(table + 2 * scaling->channels), product,
                                         wasm_i64x2_const_splat(INT64_MIN), scaling->is_signed);
  return wasm_f64x2_add(wasm_f64x2_add(product, nudge), wasm_f64x2_const_splat(6755399441055744.0));
}

RUNE_INLINE v128_t rune_rescale_float64(v128_t sums, const int32_t *table, const rune_scaling *scaling) {
  const v128_t upper = wasm_i32x4_shuffle(sums, sums, 2, 3, 2, 3);
  const v128_t a = rune_round_float64(sums, table, scaling), b = rune_round_float64(upper, table + 4, scaling);
  return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_splat(scaling->zero_point));
}

/* The low halves of 64-bit products and a summand, shifted to the right by a constant. */
#define RUNE_MULTIPLY_SHIFT(a, b, summand, shift)                                                                \
  wasm_i32x4_shuffle(                                                                                            \
      wasm_u64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(a, b), wasm_i64x2_splat(summand)), shift),       \
      wasm_u64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(a, b), wasm_i64x2_splat(summand)), shift), 0, 2, \
      4, 6)

/* As rune_multiply, with shifts of 0 to 30 bits to the right.  A vector cannot shift each lane by another amount, but
 * it can multiply and shift all by 30. */
RUNE_INLINE v128_t rune_rescale_integer(v128_t sums, const int32_t *table, const rune_scaling *scaling) {
  const int32_t row = scaling->channels;
  const v128_t multiplier = wasm_v128_load(table), half = wasm_v128_load(table + row);
  const v128_t divides = wasm_v128_load(table + 2 * row), inverse = wasm_v128_load(table + 3 * row);
  v128_t value = RUNE_MULTIPLY_SHIFT(sums, multiplier, INT64_C(1) << 30, 31);
  /* Ties away from zero: a negative value is rounded from one below. */
  value = wasm_i32x4_add(value, wasm_i32x4_add(half, wasm_v128_and(wasm_i32x4_shr(value, 31), divides)));
  return wasm_i32x4_add(RUNE_MULTIPLY_SHIFT(value, inverse, 0, 30), wasm_i32x4_splat(scaling->zero_point));
}

/* The sums of four channels, of which the first is the micro-kernel's `first`, at the output's scale. */
RUNE_INLINE v128_t rune_rescale_x4(v128_t sums, const int32_t *table, int32_t first, const rune_scaling *scaling) {
  table += scaling->channels;
  if (scaling->kind == RUNE_FLOAT64) return rune_rescale_float64(sums, table + 2 * first, scaling);
  return scaling->kind == RUNE_FLOAT32 ? rune_rescale_float32(sums, table + first, scaling)
                                       : rune_rescale_integer(sums, table + first, scaling);
}

/* Sixteen scaled sums as bytes within the output's bounds. */
RUNE_INLINE v128_t rune_bounded_bytes(v128_t first, v128_t second, const rune_scaling *scaling) {
  v128_t bytes = wasm_i8x16_narrow_i16x8(first, second);
  if (scaling->low > INT8_MIN) bytes = wasm_i8x16_max(bytes, wasm_i8x16_splat((int8_t)scaling->low));
  if (scaling->high < INT8_MAX) bytes = wasm_i8x16_min(bytes, wasm_i8x16_splat((int8_t)scaling->high));
  return bytes;
}

/* The sums of the lanes of four vectors. */
RUNE_INLINE v128_t rune_sum_lanes(v128_t a, v128_t b, v128_t c, v128_t d) {
  const v128_t ab = wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
  const v128_t cd = wasm_i32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
  return wasm_i32x4_add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}

/* The windows of `pixels` output pixels, `x_step` apart: `rows` rows of `width` halfwords side by side.  What is
 * copied too far is overwritten by what comes next. */
RUNE_INLINE int32_t rune_gather_windows(const int16_t *restrict x, int16_t *restrict y, int32_t pixels, int32_t x_step,
                                        int32_t rows, int32_t pitch, int32_t width, int32_t window) {
#pragma clang loop unroll(disable)
  for (int32_t p = 0; p < pixels; ++p, x += x_step, y += window) {
#pragma clang loop unroll_count(4)
    for (int32_t row = 0; row < rows; ++row) {
      for (int32_t i = 0; i < width; i += 8)
        wasm_v128_store(y + row * width + i, wasm_v128_load(x + row * pitch + i));
    }
  }
  return 0;
}

/* One or two pixels, `x_step` apart, by four channels: `rows` rows of `depth` halfwords (a multiple of 8).
 * The weights of the four channels lie interleaved, eight of each at a time.  Only `count` channels are stored. */
RUNE_INLINE int32_t rune_conv_block(const int16_t *restrict x, const int16_t *restrict w,
                                    const int32_t *restrict table, int8_t *restrict y, int32_t rows, int32_t pitch,
                                    int32_t depth, int32_t pixels, int32_t x_step, int32_t y_step, int32_t count,
                                    int32_t kind, int32_t is_signed, int32_t zero_point, int32_t low,
                                    int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 4};
  v128_t a0 = wasm_i32x4_const_splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  for (int32_t row = 0; row < rows; ++row) {
    const int16_t *first = x + row * pitch, *second = first + x_step;
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < depth; i += 8, w += 32) {
      const v128_t p = wasm_v128_load(first + i);
      const v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 8);
      const v128_t w2 = wasm_v128_load(w + 16), w3 = wasm_v128_load(w + 24);
      a0 = wasm_i32x4_add(a0, wasm_i32x4_dot_i16x8(p, w0));
      a1 = wasm_i32x4_add(a1, wasm_i32x4_dot_i16x8(p, w1));
      a2 = wasm_i32x4_add(a2, wasm_i32x4_dot_i16x8(p, w2));
      a3 = wasm_i32x4_add(a3, wasm_i32x4_dot_i16x8(p, w3));
      if (pixels == 2) {
        const v128_t q = wasm_v128_load(second + i);
        b0 = wasm_i32x4_add(b0, wasm_i32x4_dot_i16x8(q, w0));
        b1 = wasm_i32x4_add(b1, wasm_i32x4_dot_i16x8(q, w1));
        b2 = wasm_i32x4_add(b2, wasm_i32x4_dot_i16x8(q, w2));
        b3 = wasm_i32x4_add(b3, wasm_i32x4_dot_i16x8(q, w3));
      }
    }
  }
  const v128_t bias = wasm_v128_load(table);
  const v128_t a = rune_rescale_x4(wasm_i32x4_add(rune_sum_lanes(a0, a1, a2, a3), bias), table, 0, &scaling);
  v128_t b = a;
  if (pixels == 2)
    b = rune_rescale_x4(wasm_i32x4_add(rune_sum_lanes(b0, b1, b2, b3), bias), table, 0, &scaling);
  const v128_t halves = wasm_i16x8_narrow_i32x4(a, b);
  const v128_t bytes = rune_bounded_bytes(halves, halves, &scaling);
  if (count == 4) {
    wasm_v128_store32_lane(y, bytes, 0);
    if (pixels == 2) wasm_v128_store32_lane(y + y_step, bytes, 1);
    return 0;
  }
  int8_t all[16];
  wasm_v128_store(all, bytes);
  for (int32_t i = 0; i < pixels * count; ++i) y[i / count * y_step + i % count] = all[i / count * 4 + i % count];
  return 0;
}

/* One pixel by four channels, `depth` (a multiple of 8) halfwords by bytes: with a single pixel, weights are read once
 * and what counts is how many bytes they have. */
RUNE_INLINE int32_t rune_dense_block(const int16_t *restrict x, const int8_t *restrict w, const int32_t *restrict table,
                                     int8_t *restrict y, int32_t depth, int32_t count, int32_t kind, int32_t is_signed,
                                     int32_t zero_point, int32_t low, int32_t high) {
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 4};
  v128_t a = wasm_i32x4_const_splat(0), b = a, c = a, d = a;
#pragma clang loop unroll_count(2)
  for (int32_t i = 0; i < depth; i += 8, w += 32) {
    const v128_t p = wasm_v128_load(x + i);
    a = wasm_i32x4_add(a, wasm_i32x4_dot_i16x8(p, wasm_i16x8_load8x8(w)));
    b = wasm_i32x4_add(b, wasm_i32x4_dot_i16x8(p, wasm_i16x8_load8x8(w + 8)));
    c = wasm_i32x4_add(c, wasm_i32x4_dot_i16x8(p, wasm_i16x8_load8x8(w + 16)));
    d = wasm_i32x4_add(d, wasm_i32x4_dot_i16x8(p, wasm_i16x8_load8x8(w + 24)));
  }
  const v128_t sums = wasm_i32x4_add(rune_sum_lanes(a, b, c, d), wasm_v128_load(table));
  const v128_t scaled = rune_rescale_x4(sums, table, 0, &scaling);
  const v128_t halves = wasm_i16x8_narrow_i32x4(scaled, scaled);
  const v128_t bytes = rune_bounded_bytes(halves, halves, &scaling);
  if (count == 4) {
    wasm_v128_store32_lane(y, bytes, 0);
    return 0;
  }
  int8_t all[16];
  wasm_v128_store(all, bytes);
  for (int32_t i = 0; i < count; ++i) y[i] = all[i];
  return 0;
}

/* Two taps of eight channels of a depthwise convolution. */
RUNE_INLINE void rune_tap_pair(v128_t *first, v128_t *second, const int16_t *x0, const int16_t *x1,
                               const int16_t *w) {
  const v128_t a = wasm_v128_load(x0), b = wasm_v128_load(x1);
  const v128_t low = wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const v128_t high = wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  *first = wasm_i32x4_add(*first, wasm_i32x4_dot_i16x8(low, wasm_v128_load(w)));
  *second = wasm_i32x4_add(*second, wasm_i32x4_dot_i16x8(high, wasm_v128_load(w + 8)));
}

/* One pixel by eight channels of a depthwise convolution.  The weights of two taps lie interleaved; an odd last one
 * is its own partner, with weights of zero. */
RUNE_INLINE int32_t rune_depthwise_block(const int16_t *restrict x, const int16_t *restrict w,
                                         const int32_t *restrict table, int8_t *restrict y, int32_t kernel_height,
                                         int32_t kernel_width, int32_t y_pitch, int32_t x_pitch, int32_t kind,
                                         int32_t is_signed, int32_t zero_point, int32_t low, int32_t high) {
  enum { UNROLLED = 64 };
  const rune_scaling scaling = {kind, is_signed, zero_point, low, high, 8};
  const int32_t taps = kernel_height * kernel_width;
  v128_t first = wasm_v128_load(table), second = wasm_v128_load(table + 4);
#define RUNE_TAP(t) (x + (t) / kernel_width * y_pitch + (t) % kernel_width * x_pitch)
#define RUNE_TAP_PAIR(t) \
  rune_tap_pair(&first, &second, RUNE_TAP(t), RUNE_TAP((t) + 1 < taps ? (t) + 1 : (t)), w + 8 * (t))
  if (taps <= UNROLLED) {
#pragma clang loop unroll(full)
    for (int32_t t = 0; t < taps; t += 2) RUNE_TAP_PAIR(t);
  } else {
#pragma clang loop unroll(disable)
    for (int32_t t = 0; t < taps; t += 2) RUNE_TAP_PAIR(t);
  }
#undef RUNE_TAP_PAIR
#undef RUNE_TAP
  const v128_t a = rune_rescale_x4(first, table, 0, &scaling), b = rune_rescale_x4(second, table, 4, &scaling);
  const v128_t halves = wasm_i16x8_narrow_i32x4(a, b);
  wasm_v128_store64_lane(y, rune_bounded_bytes(halves, halves, &scaling), 0);
  return 0;
}

/* Four sums of two operands, scaled and rounded as in rune_rescale_float32. */
typedef struct {
  v128_t scale_a, scale_b, nudge, sign, magic;
} rune_sum_constants;

RUNE_INLINE v128_t rune_sum_x4(v128_t a, v128_t b, const rune_sum_constants *constants) {
  const v128_t scaled_a = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(a), constants->scale_a);
  const v128_t scaled_b = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(b), constants->scale_b);
  const v128_t sum = wasm_f32x4_add(scaled_a, scaled_b);
  const v128_t nudge = wasm_v128_xor(constants->nudge, wasm_v128_and(sum, constants->sign));
  const v128_t rounded = wasm_f32x4_add(wasm_f32x4_add(sum, nudge), wasm_f32x4_const_splat(12582912.0f));
  return wasm_i32x4_sub(rounded, constants->magic);
}

/* Eight sums of halfwords, as halfwords. */
RUNE_INLINE v128_t rune_sum_x8(v128_t a, v128_t b, const rune_sum_constants *constants) {
  return wasm_i16x8_narrow_i32x4(
      rune_sum_x4(wasm_i32x4_extend_low_i16x8(a), wasm_i32x4_extend_low_i16x8(b), constants),
      rune_sum_x4(wasm_i32x4_extend_high_i16x8(a), wasm_i32x4_extend_high_i16x8(b), constants));
}

/* At least sixteen sums; builder/families/simd_sums.py proves the constants, which are the bits of float32. */
RUNE_INLINE int32_t rune_add_i8(const int8_t *restrict a, const int8_t *restrict b, int8_t *restrict y, int32_t count,
                                int32_t scale_a, int32_t scale_b, int32_t nudge, int32_t is_signed, int32_t zero_a,
                                int32_t zero_b, int32_t zero_point, int32_t low, int32_t high) {
  const rune_sum_constants constants = {wasm_i32x4_splat(scale_a), wasm_i32x4_splat(scale_b), wasm_i32x4_splat(nudge),
                                        wasm_i32x4_splat(is_signed ? INT32_MIN : 0),
                                        wasm_i32x4_splat(0x4B400000 - zero_point)};
  const v128_t zeros_a = wasm_i16x8_splat((int16_t)zero_a), zeros_b = wasm_i16x8_splat((int16_t)zero_b);
#pragma clang loop unroll(disable)
  for (int32_t next = 0; next < count; next += 16) {
    const int32_t i = next + 16 <= count ? next : count - 16; /* The last vector overlaps the one before it. */
    const v128_t p = wasm_v128_load(a + i), q = wasm_v128_load(b + i);
    const v128_t first = rune_sum_x8(wasm_i16x8_sub(wasm_i16x8_extend_low_i8x16(p), zeros_a),
                                     wasm_i16x8_sub(wasm_i16x8_extend_low_i8x16(q), zeros_b), &constants);
    const v128_t second = rune_sum_x8(wasm_i16x8_sub(wasm_i16x8_extend_high_i8x16(p), zeros_a),
                                      wasm_i16x8_sub(wasm_i16x8_extend_high_i8x16(q), zeros_b), &constants);
    v128_t bytes = wasm_i8x16_narrow_i16x8(first, second);
    if (low > INT8_MIN) bytes = wasm_i8x16_max(bytes, wasm_i8x16_splat((int8_t)low));
    if (high < INT8_MAX) bytes = wasm_i8x16_min(bytes, wasm_i8x16_splat((int8_t)high));
    wasm_v128_store(y + i, bytes);
  }
  return 0;
}
#endif

#endif
