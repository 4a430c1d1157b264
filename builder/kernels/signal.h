/* The signal operators of TensorFlow Lite Micro's audio front end; operators/signal.py has their meaning. */
#ifndef RUNE_SIGNAL_H
#define RUNE_SIGNAL_H

#include "fixed_point.h"

/* Position of the highest bit that is set, counted from 1; 0 for 0. */
RUNE_INLINE int32_t rune_bit_length(uint32_t value) { return value ? 32 - __builtin_clz(value) : 0; }

RUNE_INLINE int32_t rune_signal_window(const int16_t *x, const int16_t *window, int16_t *y, int32_t rows,
                                       int32_t size, int32_t shift) {
  for (int32_t i = 0; i < rows * size; ++i) {
    y[i] = (int16_t)rune_clamp((x[i] * window[i % size]) >> shift, INT16_MIN, INT16_MAX);
  }
  return 0;
}

RUNE_INLINE int32_t rune_signal_fft_auto_scale(const int16_t *x, int16_t *y, int32_t *bits, int32_t size) {
  int16_t largest = 0; /* -32768 has no magnitude in 16 bits, and makes the search begin again */
  for (int32_t i = 0; i < size; ++i) {
    if (x[i] > largest) {
      largest = x[i];
    } else if (-x[i] > largest) {
      largest = (int16_t)-x[i];
    }
  }
  const int32_t headroom = 15 - rune_bit_length((uint32_t)(int32_t)largest);
  const int32_t shift = largest != 0 && headroom > 0 ? headroom : 0;
  for (int32_t i = 0; i < size; ++i) y[i] = (int16_t)(x[i] * (1 << shift));
  *bits = shift;
  return 0;
}

/* Complex numbers of two 16-bit fractions. */
typedef struct {
  int16_t re, im;
} rune_complex;

/* round(a / 2^15), ties towards plus infinity. */
RUNE_INLINE int16_t rune_q15(int32_t a) { return (int16_t)((a + (1 << 14)) >> 15); }

/* Divided by a small number: multiplied by 32767 / n, rounded down when building. */
RUNE_INLINE rune_complex rune_complex_divided(rune_complex a, int32_t n) {
  const int32_t factor = 32767 / n;
  return (rune_complex){rune_q15(a.re * factor), rune_q15(a.im * factor)};
}

RUNE_INLINE rune_complex rune_complex_product(rune_complex a, rune_complex b) {
  return (rune_complex){rune_q15(a.re * b.re - a.im * b.im), rune_q15(a.re * b.im + a.im * b.re)};
}

RUNE_INLINE rune_complex rune_complex_sum(rune_complex a, rune_complex b) {
  return (rune_complex){(int16_t)(a.re + b.re), (int16_t)(a.im + b.im)};
}

RUNE_INLINE rune_complex rune_complex_difference(rune_complex a, rune_complex b) {
  return (rune_complex){(int16_t)(a.re - b.re), (int16_t)(a.im - b.im)};
}

/* Where in the input the element of the output is found before the first stage: its digits reversed, of which the
 * lowest has base 2 when `odd`, all others base 4. */
RUNE_INLINE int32_t rune_fft_source(int32_t index, int32_t size, bool odd) {
  int32_t source = 0, stride = 1;
  for (int32_t span = size / 4; span >= (odd ? 2 : 1); span /= 4) {
    source += index / span % 4 * stride;
    stride *= 4;
  }
  return odd ? source + index % 2 * stride : source;
}

RUNE_INLINE void rune_fft_stage2(rune_complex *y, int32_t size) {
  for (int32_t i = 0; i < size; i += 2) {
    const rune_complex a = rune_complex_divided(y[i], 2), b = rune_complex_divided(y[i + 1], 2);
    const rune_complex turned = rune_complex_product(b, (rune_complex){32767, 0});
    y[i] = rune_complex_sum(a, turned);
    y[i + 1] = rune_complex_difference(a, turned);
  }
}

/* Joins four transforms of `span` numbers each. */
RUNE_INLINE void rune_fft_stage4(rune_complex *y, const rune_complex *twiddles, int32_t size, int32_t span) {
  const int32_t stride = size / (4 * span);
  for (int32_t i = 0; i < size; ++i) {
    const int32_t k = i % (4 * span);
    if (k >= span) continue;
    rune_complex *p = y + i;
    rune_complex turned[4];
    for (int32_t q = 0; q < 4; ++q) {
      turned[q] = rune_complex_divided(p[q * span], 4);
      if (q > 0) turned[q] = rune_complex_product(turned[q], twiddles[q * k * stride]);
    }
    const rune_complex even = rune_complex_sum(turned[0], turned[2]), odd = rune_complex_sum(turned[1], turned[3]);
    const rune_complex a = rune_complex_difference(turned[0], turned[2]);
    const rune_complex b = rune_complex_difference(turned[1], turned[3]);
    p[2 * span] = rune_complex_difference(even, odd);
    p[0] = rune_complex_sum(even, odd);
    p[span] = (rune_complex){(int16_t)(a.re + b.im), (int16_t)(a.im - b.re)};
    p[3 * span] = (rune_complex){(int16_t)(a.re - b.im), (int16_t)(a.im + b.re)};
  }
}

/* From the transform of neighbours taken as complex numbers to that of the real numbers they are, in place. */
RUNE_INLINE void rune_fft_split(rune_complex *y, const rune_complex *turns, int32_t size) {
  const rune_complex first = rune_complex_divided(y[0], 2);
  y[0] = (rune_complex){(int16_t)(first.re + first.im), 0};
  y[size] = (rune_complex){(int16_t)(first.re - first.im), 0};
  for (int32_t k = 1; k <= size / 2; ++k) {
    const rune_complex mirrored = {y[size - k].re, (int16_t)-y[size - k].im};
    const rune_complex a = rune_complex_divided(y[k], 2), b = rune_complex_divided(mirrored, 2);
    const rune_complex sum = rune_complex_sum(a, b);
    const rune_complex turned = rune_complex_product(rune_complex_difference(a, b), turns[k - 1]);
    y[k] = (rune_complex){(int16_t)((sum.re + turned.re) >> 1), (int16_t)((sum.im + turned.im) >> 1)};
    y[size - k] = (rune_complex){(int16_t)((sum.re - turned.re) >> 1), (int16_t)((turned.im - sum.im) >> 1)};
  }
}

/* y: size + 1 complex numbers from `length` <= 2 * size real ones, zeros behind them. */
RUNE_INLINE int32_t rune_signal_rfft(const int16_t *x, const int16_t *twiddles, const int16_t *turns, int16_t *y,
                                     int32_t rows, int32_t length, int32_t size) {
  const bool odd = __builtin_ctz((uint32_t)size) & 1;
  for (int32_t row = 0; row < rows; ++row, x += length, y += 2 * (size + 1)) {
    rune_complex *z = (rune_complex *)y;
    for (int32_t i = 0; i < size; ++i) {
      const int32_t at = 2 * rune_fft_source(i, size, odd);
      z[i] = (rune_complex){at < length ? x[at] : 0, at + 1 < length ? x[at + 1] : 0};
    }
    if (odd) rune_fft_stage2(z, size);
    for (int32_t span = odd ? 2 : 1; span < size; span *= 4) {
      rune_fft_stage4(z, (const rune_complex *)twiddles, size, span);
    }
    rune_fft_split(z, (const rune_complex *)turns, size);
  }
  return 0;
}

RUNE_INLINE int32_t rune_signal_energy(const int16_t *x, uint32_t *y, int32_t size, int32_t begin, int32_t end) {
  for (int32_t i = 0; i < size; ++i) {
    const int32_t re = x[2 * i], im = x[2 * i + 1];
    y[i] = i >= begin && i < end ? (uint32_t)(re * re) + (uint32_t)(im * im) : 0;
  }
  return 0;
}

/* Each energy belongs to two neighbouring channels, to one with its weight, to the next with its unweight. */
RUNE_INLINE int32_t rune_signal_filter_bank(const uint32_t *x, const int16_t *weights, const int16_t *unweights,
                                            const int16_t *frequencies, const int16_t *starts,
                                            const int16_t *widths, uint64_t *y, int32_t channels) {
  uint64_t weighted = 0, rest = 0;
  for (int32_t channel = 0; channel <= channels; ++channel) {
    for (int32_t j = 0; j < widths[channel]; ++j) {
      const uint64_t energy = x[frequencies[channel] + j];
      weighted += (uint64_t)(int64_t)weights[starts[channel] + j] * energy;
      rest += (uint64_t)(int64_t)unweights[starts[channel] + j] * energy;
    }
    if (channel > 0) y[channel - 1] = weighted;
    weighted = rest;
    rest = 0;
  }
  return 0;
}

/* round(sqrt(value)), bit by bit; up to 2^32 - 1 it is at most 2^16 - 1. */
RUNE_INLINE uint32_t rune_square_root(uint64_t value) {
  const uint64_t limit = value >> 32 ? UINT32_MAX : UINT16_MAX;
  uint64_t rest = value, root = 0;
  for (uint64_t bit = value >> 32 ? UINT64_C(1) << 62 : UINT64_C(1) << 30; bit != 0; bit >>= 2) {
    const bool fits = rest >= root + bit;
    if (fits) rest -= root + bit;
    root = (root >> 1) + (fits ? bit : 0);
  }
  return (uint32_t)(rest > root && root != limit ? root + 1 : root);
}

RUNE_INLINE int32_t rune_signal_square_root(const uint64_t *x, const int32_t *bits, uint32_t *y, int32_t size) {
  for (int32_t i = 0; i < size; ++i) y[i] = rune_square_root(x[i]) >> (*bits & 31);
  return 0;
}

/* The noise of a channel follows its signal slowly, odd channels at their own pace. */
RUNE_INLINE int32_t rune_signal_spectral_subtraction(const uint32_t *x, const uint32_t *noise_before, uint32_t *y,
                                                     uint32_t *noise, int32_t size, int32_t even, int32_t even_rest,
                                                     int32_t odd, int32_t odd_rest, int32_t remaining,
                                                     int32_t clamping, int32_t smoothing_bits, int32_t bits) {
  for (int32_t i = 0; i < size; ++i) {
    const uint32_t pace = (uint32_t)(i & 1 ? odd : even), rest = (uint32_t)(i & 1 ? odd_rest : even_rest);
    const uint32_t signal = x[i] << smoothing_bits;
    const uint32_t estimate = (uint32_t)(((uint64_t)signal * pace + (uint64_t)noise_before[i] * rest) >> bits);
    const uint32_t subtracted = estimate > signal ? signal : estimate;
    const uint32_t least = (uint32_t)(((uint64_t)x[i] * (uint32_t)remaining) >> bits);
    const uint32_t left = (signal - subtracted) >> smoothing_bits;
    noise[i] = clamping ? subtracted : estimate;
    y[i] = left > least ? left : least;
  }
  return 0;
}

/* A function of the noise, in pieces that double in length, each a parabola of three numbers of the table. */
RUNE_INLINE int16_t rune_signal_gain(uint32_t x, const int16_t *table) {
  if (x <= 2) return table[x];
  const int32_t interval = rune_bit_length(x);
  const int16_t *piece = table + 4 * interval - 6;
  const int32_t within = (int32_t)((interval < 11 ? x << (11 - interval) : x >> (interval - 11)) & 0x3FF);
  uint32_t result = (uint32_t)((piece[2] * within) >> 5) + ((uint32_t)piece[1] << 5);
  result *= (uint32_t)within;
  return (int16_t)((((int32_t)result + (1 << 14)) >> 15) + piece[0]);
}

/* x^2 / 4 below 2, x - 1 above it; 12 fractional bits in, 6 out. */
RUNE_INLINE uint32_t rune_signal_shrink(uint32_t x) {
  return x < 2 << 12 ? (x * x) >> 20 : (x >> 6) - (1 << 6);
}

RUNE_INLINE int32_t rune_signal_pcan(const uint32_t *x, const uint32_t *noise, const int16_t *table, uint32_t *y,
                                     int32_t size, int32_t shift) {
  for (int32_t i = 0; i < size; ++i) {
    const uint32_t gain = (uint32_t)(int32_t)rune_signal_gain(noise[i], table);
    y[i] = rune_signal_shrink((uint32_t)(((uint64_t)x[i] * gain) >> shift));
  }
  return 0;
}

/* The natural logarithm of x >= 2 times `scale`, by a table of log2(1 + i / 128) - i / 128 in steps of 2^-16. */
RUNE_INLINE uint32_t rune_signal_logarithm(uint32_t x, const uint16_t *table, uint32_t scale) {
  const int32_t whole = rune_bit_length(x) - 1;
  const uint32_t rest = x - (UINT32_C(1) << whole);
  const int32_t fraction = (int32_t)(whole < 16 ? rest << (16 - whole) : rest >> (whole - 16));
  const int32_t segment = fraction >> 9, slope = table[segment + 1] - table[segment];
  const int32_t correction = table[segment] + ((slope * (fraction - (segment << 9))) >> 16);
  const uint32_t binary = ((uint32_t)whole << 16) + (uint32_t)(fraction + correction);
  const uint32_t natural = (uint32_t)((UINT64_C(45426) * binary + (1 << 15)) >> 16); /* log(2) */
  return (scale * natural + (1 << 15)) >> 16;
}

RUNE_INLINE int32_t rune_signal_log(const uint32_t *x, const uint16_t *table, int16_t *y, int32_t size, int32_t scale,
                                    int32_t bits) {
  for (int32_t i = 0; i < size; ++i) {
    const uint32_t value = x[i] << bits;
    const uint32_t logarithm = value > 1 ? rune_signal_logarithm(value, table, (uint32_t)scale) : 0;
    y[i] = (int16_t)(logarithm < INT16_MAX ? logarithm : INT16_MAX);
  }
  return 0;
}

#endif
