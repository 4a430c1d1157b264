/* Sums of products along rows of int8 or int16 in pairs of halfwords: what recurrent layers take.
 * `builder/families/mcu_rows.py` packs their weights in the order in which they are read here. */
#ifndef RUNE_MCU_ROWS_H
#define RUNE_MCU_ROWS_H

#include "dsp.h"
#include "mcu.h"

#ifndef __wasm_simd128__

/* Bytes as pairs of halfwords (0, 2), (1, 3) of every four; what is missing of the last four is 0. */
RUNE_INLINE int32_t rune_mcu_spread(const int8_t *x, uint32_t *column, int32_t count) {
  const int32_t whole = count / 4 * 4;
  RUNE_MCU_UNROLL(4)
  for (int32_t i = 0; i < whole; i += 4) {
    const uint32_t bytes = rune_mcu_unaligned_word(x + i);
    column[i / 2] = rune_sxtb16(bytes);
    column[i / 2 + 1] = rune_sxtb16_ror8(bytes);
  }
  if (whole < count) {
    const int32_t left = count - whole;
    const uint32_t first = (uint16_t)x[whole], second = left > 1 ? (uint16_t)x[whole + 1] : 0;
    column[whole / 2] = first | (left > 2 ? (uint32_t)x[whole + 2] << 16 : 0);
    column[whole / 2 + 1] = second;
  }
  return 0;
}

enum { RUNE_MCU_ROW_PAIRS = 4 };

/* The sums of `pairs` pairs of channels over `words` words of a column.  The stream has their biases, then the words of
 * each pair in turn: the bytes of two taps of both channels, as rune_mcu_block has them with wide sums. */
RUNE_INLINE int32_t rune_mcu_sums(const uint32_t *column, const int32_t *stream, int32_t *sums, int32_t pairs,
                                  int32_t words) {
  uint32_t totals[2 * RUNE_MCU_ROW_PAIRS];
#pragma clang loop unroll(full)
  for (int32_t c = 0; c < 2 * pairs; ++c) totals[c] = (uint32_t)stream[c];
  const int32_t *const weights = stream + 2 * pairs;
#pragma clang loop unroll_count(2)
  for (int32_t word = 0; word < words; word += 2) {
    uint32_t x[2], w[2 * RUNE_MCU_ROW_PAIRS];
    rune_mcu_load_two(column + word, x);
#pragma clang loop unroll(full)
    for (int32_t place = 0; place < 2 * pairs; ++place) {
      if (place % 2 == 0) rune_mcu_load_two(weights + word * pairs + place, w + place);
      const int32_t pair = place % pairs;
      totals[2 * pair] = rune_smlad(x[place / pairs], rune_sxtb16(w[place]), totals[2 * pair]);
      totals[2 * pair + 1] = rune_smlad(x[place / pairs], rune_sxtb16_ror8(w[place]), totals[2 * pair + 1]);
    }
  }
#pragma clang loop unroll(full)
  for (int32_t c = 0; c < 2 * pairs; ++c) sums[c] = (int32_t)totals[c];
  return 0;
}

/* sum + the inner product of two rows of int8. */
RUNE_INLINE int32_t rune_mcu_dot_i8(const int8_t *a, const int8_t *b, int32_t count, int32_t sum) {
  uint32_t total = (uint32_t)sum;
  int32_t i = 0;
  RUNE_MCU_UNROLL(2)
  for (; i + 4 <= count; i += 4) {
    const uint32_t x = rune_mcu_unaligned_word(a + i), w = rune_mcu_unaligned_word(b + i);
    total = rune_smlad(rune_sxtb16(x), rune_sxtb16(w), total);
    total = rune_smlad(rune_sxtb16_ror8(x), rune_sxtb16_ror8(w), total);
  }
#pragma clang loop unroll(full)
  for (int32_t left = count / 4 * 4; left < count; ++left) total += (uint32_t)(a[left] * b[left]);
  return (int32_t)total;
}

/* The same of int16; it wraps. */
RUNE_INLINE int32_t rune_mcu_dot_i16(const int16_t *a, const int16_t *b, int32_t count, int32_t sum) {
  uint32_t total = (uint32_t)sum;
  RUNE_MCU_UNROLL(4)
  for (int32_t i = 0; i + 2 <= count; i += 2) {
    uint32_t x, w;
    __builtin_memcpy(&x, a + i, sizeof x);
    __builtin_memcpy(&w, b + i, sizeof w);
    total = rune_smlad(x, w, total);
  }
  if (count % 2 != 0) total += (uint32_t)(a[count - 1] * b[count - 1]);
  return (int32_t)total;
}

/* `count` bytes from `step` bytes on move to the front; in order, so that it may be done in place. */
RUNE_INLINE int32_t rune_mcu_move_forward(const void *before, void *after, int32_t count, int32_t step) {
  const int8_t *const from = (const int8_t *)before + step;
  int8_t *const to = after;
  int32_t i = 0;
  RUNE_MCU_UNROLL(4)
  for (; i + 4 <= count; i += 4) {
    const uint32_t word = rune_mcu_unaligned_word(from + i);
    __builtin_memcpy(to + i, &word, sizeof word);
  }
#pragma clang loop unroll(full)
  for (int32_t left = count / 4 * 4; left < count; ++left) to[left] = from[left];
  return 0;
}

#endif

#endif
