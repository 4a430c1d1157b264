/* The kernels of mcu.h for cores without the DSP instructions: from the same weights, a product at a time.
 *
 * The halfword of two channels' weights is multiplied as it is and its lower byte by itself, each loaded with its sign:
 * nothing has to be unpacked, and columns keep bytes.
 *
 * Of cores with few registers, whose products replace an operand, a load with a sign reaches no further than a
 * register: there bytes are plus 128, so that they have none, and what is too much is taken off the bias. */
#ifndef RUNE_MCU_PLAIN_H
#define RUNE_MCU_PLAIN_H

enum { RUNE_MCU_PLAIN_PIXELS = 4, RUNE_MCU_EXCESS = 128, RUNE_MCU_SHORT_TAPS = 256, RUNE_MCU_KEPT_TAPS = 16 };

/* An address that is a multiple of four, said so that a board can prove it, to which misaligned loads are dear. */
RUNE_INLINE const int32_t *rune_mcu_aligned(const int32_t *words) {
  uintptr_t address = (uintptr_t)words;
  __asm__("" : "+r"(address));
  return (const int32_t *)(address & ~(uintptr_t)3);
}

RUNE_INLINE uint16_t rune_mcu_halfword(const void *at) {
  uint16_t halfword;
  __builtin_memcpy(&halfword, __builtin_assume_aligned(at, 2), sizeof halfword);
  return halfword;
}

/* Where the weights of tap `tap` of the first of `pairs` pairs lie. */
RUNE_INLINE const uint8_t *rune_mcu_tap(const uint8_t *weights, int32_t tap, int32_t pairs) {
  return weights + (tap / 4 * 2 + tap % 2) * pairs * 4 + tap % 4 / 2 * 2;
}

/* What gives the first channel's sum: its weight. */
RUNE_INLINE uint32_t rune_mcu_lower(const uint8_t *tap) {
  return rune_sxtb(tap[0]);
}

/* What gives the second channel's sum: its weight with the first one's, or alone. */
RUNE_INLINE uint32_t rune_mcu_upper(const uint8_t *tap, rune_mcu_operands form) {
  return form.wide ? rune_sxtb(tap[1]) : rune_sxth(rune_mcu_halfword(tap));
}

/* Taps in a round of a loop. */
RUNE_INLINE int32_t rune_mcu_round(int32_t words) {
  return words % 4 == 0 ? 8 : 4;
}

/* `pixels` columns of bytes, `step` bytes apart, by `pairs` pairs of channels of `turn` that take turns in the stream:
 * all sums at once. */
RUNE_INLINE void rune_mcu_block_of_bytes(const int8_t *columns, int32_t step, const int32_t *header,
                                         const uint8_t *weights, int8_t *y, int32_t pixels, int32_t pairs, int32_t turn,
                                         int32_t words, int32_t channels, int32_t count, rune_mcu_operands form,
                                         rune_mcu_range range) {
  uint32_t both[RUNE_MCU_PIXELS][RUNE_MCU_PAIRS], first[RUNE_MCU_PIXELS][RUNE_MCU_PAIRS];
#pragma clang loop unroll(full)
  for (int32_t p = 0; p < pairs; ++p) {
#pragma clang loop unroll(full)
    for (int32_t n = 0; n < pixels; ++n) {
      first[n][p] = (uint32_t)header[6 * p];
      both[n][p] = (uint32_t)header[6 * p + 3];
    }
  }
  const int32_t round = rune_mcu_round(words);
#pragma clang loop unroll(disable)
  for (int32_t tap = 0; tap < 2 * words; tap += round) {
#pragma clang loop unroll(full)
    for (int32_t u = 0; u < round; ++u) {
#pragma clang loop unroll(full)
      for (int32_t p = 0; p < pairs; ++p) {
        const uint8_t *const weight = rune_mcu_tap(weights + tap * turn * 2, u, turn) + 4 * p;
        const uint32_t upper = rune_mcu_upper(weight, form), lower = rune_mcu_lower(weight);
#pragma clang loop unroll(full)
        for (int32_t n = 0; n < pixels; ++n) {
          const uint32_t value = (uint32_t)columns[n * step + tap + u];
          both[n][p] = rune_mla(value, upper, both[n][p]);
          first[n][p] = rune_mla(value, lower, first[n][p]);
        }
      }
    }
  }
  rune_mcu_finish(both, first, header, y, pixels, pairs, words, channels, count, form, range);
}

/* `pixels` spread columns by a pair of channels of `turn`, one channel after the other.  `excess` is of both. */
RUNE_INLINE void rune_mcu_block_of_spread(const uint8_t *columns, const int32_t *excess, const int32_t *header,
                                          const uint8_t *weights, int8_t *y, int32_t pixels, int32_t turn,
                                          int32_t words, int32_t channels, int32_t count, rune_mcu_operands form,
                                          rune_mcu_range range) {
  uint32_t sums[2][RUNE_MCU_PIXELS][RUNE_MCU_PAIRS];
  const int32_t round = rune_mcu_round(words);
#pragma clang loop unroll(full)
  for (int32_t pass = 0; pass < 2; ++pass) {
    uint32_t sum[RUNE_MCU_PIXELS];
#pragma clang loop unroll(full)
    for (int32_t n = 0; n < pixels; ++n) sum[n] = (uint32_t)(header[3 * pass] - excess[pass]);
#pragma clang loop unroll(disable)
    for (int32_t tap = 0; tap < 2 * words; tap += round) {
#pragma clang loop unroll(full)
      for (int32_t u = 0; u < round; ++u) {
        const uint8_t *const at = rune_mcu_tap(weights + tap * turn * 2, u, turn);
        const uint32_t weight = pass == 0 ? rune_mcu_lower(at) : rune_mcu_upper(at, form);
#pragma clang loop unroll(full)
        for (int32_t n = 0; n < pixels; ++n) sum[n] = rune_mla(columns[(tap + u) * pixels + n], weight, sum[n]);
      }
    }
#pragma clang loop unroll(full)
    for (int32_t n = 0; n < pixels; ++n) sums[pass][n][0] = sum[n];
  }
  rune_mcu_finish(sums[1], sums[0], header, y, pixels, 1, words, channels, count, form, range);
}

/* A sum of weights, of which many fit into a halfword. */
RUNE_INLINE int32_t rune_mcu_weight_sum(const void *sums, int32_t number, int32_t words) {
  return 2 * words <= RUNE_MCU_SHORT_TAPS ? ((const int16_t *)sums)[number] : ((const int32_t *)sums)[number];
}

/* What is too much in both sums of pair `pair`. */
RUNE_INLINE void rune_mcu_excess(const void *sums, int32_t pair, int32_t words, int32_t *excess,
                                 rune_mcu_operands form) {
  excess[0] = RUNE_MCU_EXCESS * rune_mcu_weight_sum(sums, 2 * pair, words);
  excess[1] = RUNE_MCU_EXCESS * rune_mcu_weight_sum(sums, 2 * pair + 1, words);
  if (!form.wide) excess[1] = 256 * excess[1] + excess[0];
}

/* The sums of the weights of each channel. */
RUNE_INLINE void rune_mcu_sum_weights(const int32_t *stream, void *sums, int32_t channels, int32_t pairs, int32_t words,
                                      rune_mcu_operands form) {
#pragma clang loop unroll(disable)
  for (int32_t block = 0, number = 0; block < channels; block += 2 * pairs, stream += pairs * (6 + words)) {
#pragma clang loop unroll(disable)
    for (int32_t p = 0; p < pairs; ++p, number += 2) {
      const uint8_t *const weights = (const uint8_t *)(stream + 6 * pairs + p);
      uint32_t first = 0, both = 0;
#pragma clang loop unroll(disable)
      for (int32_t word = 0; word < words; ++word) {
#pragma clang loop unroll(full)
        for (int32_t half = 0; half < 2; ++half) {
          first += rune_mcu_lower(weights + 4 * word * pairs + 2 * half);
          both += rune_mcu_upper(weights + 4 * word * pairs + 2 * half, form);
        }
      }
      const int32_t second = form.wide ? (int32_t)both : (int32_t)(both - first) >> 8;
      if (2 * words <= RUNE_MCU_SHORT_TAPS) {
        ((int16_t *)sums)[number] = (int16_t)first;
        ((int16_t *)sums)[number + 1] = (int16_t)second;
      } else {
        ((int32_t *)sums)[number] = (int32_t)first;
        ((int32_t *)sums)[number + 1] = second;
      }
    }
  }
}

/* `pixels` columns by the `pairs` pairs of channels from `channel` on: a pair at a time but where a single pixel leaves
 * registers, or on cores with few of them saves loads that cost more than two sums kept in memory.  `sums` are those of the weights, for spread columns. */
RUNE_INLINE void rune_mcu_plain_block(int32_t level, const void *columns, int32_t step, const void *sums,
                                      const int32_t *header, int8_t *y, int32_t pixels, int32_t channel, int32_t pairs,
                                      int32_t words, int32_t channels, int32_t count, rune_mcu_operands form,
                                      rune_mcu_range range) {
  const int32_t some = pixels > 1 ? 1 : level == RUNE_LEVEL_SUMS || pairs % 2 != 0 ? pairs : 2;
  const uint8_t *const weights = (const uint8_t *)(header + 6 * pairs);
#pragma clang loop unroll(disable)
  for (int32_t p = 0; 2 * p < count; p += some) {
    if (form.layout == RUNE_MCU_SPREAD) {
      int32_t excess[2];
      rune_mcu_excess(sums, channel / 2 + p, words, excess, form);
      rune_mcu_block_of_spread(columns, excess, header + 6 * p, weights + 4 * p, y + 2 * p, pixels, pairs, words,
                               channels, count - 2 * p, form, range);
    } else {
      rune_mcu_block_of_bytes(columns, step, header + 6 * p, weights + 4 * p, y + 2 * p, pixels, some, pairs, words,
                              channels, count - 2 * p, form, range);
    }
  }
}

/* Pixels at a time: one where the workspace has room for one column of bytes. */
RUNE_INLINE int32_t rune_mcu_plain_pixels(int32_t total, bool direct) {
  if (direct) return 1;
  return total < RUNE_MCU_PLAIN_PIXELS ? total : RUNE_MCU_PLAIN_PIXELS;
}

/* The columns of `pixels` pixels from `start` on. */
RUNE_INLINE void rune_mcu_plain_columns(const int8_t *x, uint8_t *columns, void *bytes, int32_t start, int32_t pixels,
                                        int32_t taps, int32_t y_width, rune_mcu_operands form, rune_mcu_window w) {
  const int32_t step = form.layout == RUNE_MCU_SPREAD ? 1 : taps;
#pragma clang loop unroll(disable)
  for (int32_t n = 0; n < pixels; ++n) {
    const int32_t top = (start + n) / y_width * w.stride_height - w.pad_top;
    const int32_t left = (start + n) % y_width * w.stride_width - w.pad_left;
    if (w.depth % 4 == 0) {
      rune_mcu_column_of_words(x, columns + n * step, pixels, top, left, form, w);
    } else {
      rune_mcu_column_of_bytes(x, bytes, columns + n * step, pixels, top, left, form, w);
    }
  }
}

/* rune_mcu_convolution without DSP instructions; behind the columns is room for the sums of weights. */
RUNE_INLINE void rune_mcu_plain_convolution(int32_t level, const int8_t *x, const int32_t *stream, int8_t *y,
                                            uint8_t *columns, void *bytes, int32_t total, int32_t y_width,
                                            int32_t channels, int32_t pixels, int32_t pairs, int32_t words,
                                            rune_mcu_operands form, rune_mcu_range range, rune_mcu_window w) {
  const bool spreads = level == RUNE_LEVEL_SINGLE && pixels > 1;
  const bool is_in_place = !spreads && w.depth % 4 == 0 && w.kernel_height * w.kernel_width == 1 &&
                           w.stride_height * w.stride_width == 1 && w.pad_top + w.pad_left == 0;
  const int32_t taps = 2 * words;
  void *const sums = columns + pixels * taps;
  form.layout = spreads ? RUNE_MCU_SPREAD : RUNE_MCU_BYTES;
  stream = rune_mcu_aligned(stream);
  if (spreads) rune_mcu_sum_weights(stream, sums, channels, pairs, words, form);
#pragma clang loop unroll(disable)
  for (int32_t group = 0; group < total; group += pixels) {
    const int32_t start = group < total - pixels ? group : total - pixels;
    if (!is_in_place) rune_mcu_plain_columns(x, columns, bytes, start, pixels, taps, y_width, form, w);
    const void *const from = is_in_place ? (const void *)(x + start * w.depth) : columns;
#pragma clang loop unroll(disable)
    for (int32_t channel = 0, block = 0; channel < channels; channel += 2 * pairs, block += pairs * (6 + words)) {
      const int32_t rest = channels - channel;
      const int32_t count = channels % (2 * pairs) == 0 || rest > 2 * pairs ? 2 * pairs : rest;
      int8_t *const target = y + start * channels + channel;
      rune_mcu_plain_block(level, from, taps, sums, stream + block, target, pixels, channel, pairs, words, channels,
                           count, form, range);
    }
  }
}

/* As rune_mcu_gather, but into planes of bytes; plus 128 where `bias` is that. */
RUNE_INLINE void rune_mcu_gather_bytes(const int8_t *x, uint8_t *plane, int32_t top, int32_t rows, int32_t group,
                                       uint32_t bias, rune_mcu_plane g) {
  const int32_t columns = g.pitch - g.pad_left < g.width ? g.pitch - g.pad_left : g.width, size = rows * g.pitch;
#pragma clang loop unroll(disable)
  for (int32_t row = 0; row < rows; ++row) {
    if ((uint32_t)(top + row) >= (uint32_t)g.height) continue;
    const int8_t *source = x + rune_mcu_within((top + row) * g.x_row, (g.height - 1) * g.x_row);
    uint8_t *const target = plane + row * g.pitch + g.pad_left;
#pragma clang loop unroll_count(4)
    for (int32_t i = 0; i < columns; ++i) {
      if (group == 1) {
        target[i] = (uint8_t)(source[i * g.x_column] ^ (int32_t)bias);
        continue;
      }
      const uint32_t bytes = rune_mcu_word(source + i * g.x_column) ^ bias * 0x1010101u;
#pragma clang loop unroll(full)
      for (int32_t k = 0; k < 4; ++k) target[k * size + i] = (uint8_t)(bytes >> 8 * k);
    }
  }
}

/* `strip` rows of one output channel from its plane of bytes. */
RUNE_INLINE void rune_mcu_plain_strip(const uint8_t *plane, const int32_t *taps, int8_t *y, int32_t strip,
                                      int32_t words, bool is_biased, rune_mcu_plane g, rune_mcu_range range) {
  const int32_t scale[2] = {taps[1], taps[2]};
  const bool keeps = g.kernel_height * g.kernel_width <= RUNE_MCU_KEPT_TAPS;
  int32_t kept[2 * RUNE_MCU_TAP_WORDS], sum = 0;
#pragma clang loop unroll(full)
  for (int32_t ky = 0; ky < g.kernel_height; ++ky) {
#pragma clang loop unroll(full)
    for (int32_t kx = 0; kx < g.kernel_width; ++kx) {
      const int32_t weight = (int32_t)rune_sxth(rune_mcu_halfword((const int16_t *)(taps + 3) + ky * 2 * words + kx));
      kept[ky * g.kernel_width + kx] = weight;
      sum += weight;
    }
  }
  const uint32_t bias = (uint32_t)(taps[0] - (is_biased ? RUNE_MCU_EXCESS * sum : 0));
  const int32_t step = g.stride_width == 1 ? 2 : 1;
#pragma clang loop unroll(disable)
  for (int32_t row = 0; row < strip; ++row) {
#pragma clang loop unroll(disable)
    for (int32_t ox = 0; ox < g.y_width; ox += step) {
      uint32_t sums[2] = {bias, bias};
      const uint8_t *const corner = plane + row * g.stride_height * g.pitch + ox * g.stride_width;
#pragma clang loop unroll(full)
      for (int32_t ky = 0; ky < g.kernel_height; ++ky) {
#pragma clang loop unroll(full)
        for (int32_t kx = 0; kx < g.kernel_width; ++kx) {
          const int16_t *const tap = (const int16_t *)(taps + 3) + ky * 2 * words + kx;
          const int32_t weight =
              keeps ? kept[ky * g.kernel_width + kx] : (int32_t)rune_sxth(rune_mcu_halfword(tap));
#pragma clang loop unroll(full)
          for (int32_t n = 0; n < step; ++n) {
            const uint8_t byte = corner[ky * g.dilation_height * g.pitch + kx + n];
            sums[n] = rune_mla(is_biased ? byte : (uint32_t)(int8_t)byte, (uint32_t)weight, sums[n]);
          }
        }
      }
      int8_t *const target = y + row * g.y_row + ox * g.y_column;
      target[0] = rune_mcu_requantize((int32_t)sums[0], scale, range);
      if (step == 2 && ox + 1 < g.y_width) target[g.y_column] = rune_mcu_requantize((int32_t)sums[1], scale, range);
    }
  }
}

/* rune_mcu_depthwise without DSP instructions. */
RUNE_INLINE void rune_mcu_plain_depthwise(int32_t level, const int8_t *x, const int32_t *stream, int8_t *y, uint8_t *planes,
                                          int32_t channels, int32_t multiplier, int32_t group, int32_t strip,
                                          int32_t words, int32_t rows, rune_mcu_plane g, rune_mcu_range range) {
  const bool is_biased = level == RUNE_LEVEL_SINGLE;
  const uint32_t bias = is_biased ? RUNE_MCU_EXCESS : 0, size = (uint32_t)(rows * g.pitch);
  const uint32_t zeros = (((uint32_t)g.zero & 0xFF) ^ bias) * 0x1010101u;
  stream = rune_mcu_aligned(stream);
#pragma clang loop unroll(disable)
  for (int32_t first_row = 0; first_row < g.y_height; first_row += strip) {
    const int32_t oy = first_row < g.y_height - strip ? first_row : g.y_height - strip;
#pragma clang loop unroll(disable)
    for (uint32_t i = 0; i < (uint32_t)group * size; i += 4) rune_mcu_store((int8_t *)planes + i, zeros);
#pragma clang loop unroll(disable)
    for (int32_t c = 0; c < channels; ++c) {
      if (c % (multiplier * group) == 0) {
        rune_mcu_gather_bytes(x + c / multiplier, planes, oy * g.stride_height - g.pad_top, rows, group, bias, g);
      }
      const uint8_t *const plane = planes + (uint32_t)(c % group) * size;
      const int32_t *const taps = stream + c * (3 + g.kernel_height * words);
      rune_mcu_plain_strip(plane, taps, y + c + oy * g.y_row, strip, words, is_biased, g, range);
    }
  }
}

#endif
