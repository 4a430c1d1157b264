/* Reading numbers from text without a C library: exact for every text of any length.
 *
 * A text ends at its first NUL or after `width` bytes.  Functions return 0, RUNE_NOT_A_NUMBER or RUNE_OUT_OF_RANGE.
 */
#ifndef RUNE_TEXT_H
#define RUNE_TEXT_H

#include "runtime.h"

#define RUNE_NOT_A_NUMBER 1
#define RUNE_OUT_OF_RANGE 2

/* What is left of a text. */
typedef struct {
  const uint8_t *next, *end;
} rune_text;

RUNE_INLINE uint8_t rune_peek(const rune_text *text) { return text->next < text->end ? *text->next : 0; }
RUNE_INLINE bool rune_is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
RUNE_INLINE bool rune_is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void rune_skip_spaces(rune_text *text) {
  while (rune_is_space(rune_peek(text))) ++text->next;
}

/* Takes a word in small letters, in any case. */
static bool rune_take_word(rune_text *text, const char *word) {
  rune_text ahead = *text;
  for (; *word; ++word, ++ahead.next) {
    if ((rune_peek(&ahead) | 0x20) != *word) return false;
  }
  *text = ahead;
  return true;
}

/* Takes a sign, if there is one: whether it is a minus. */
static bool rune_take_sign(rune_text *text) {
  const uint8_t sign = rune_peek(text);
  if (sign == '+' || sign == '-') ++text->next;
  return sign == '-';
}

/* The number in two's complement; `most` and `least` are the largest magnitudes with either sign. */
static int32_t rune_parse_integer(const uint8_t *start, int32_t width, uint64_t most, uint64_t least,
                                  uint64_t *result) {
  rune_text text = {start, start + width};
  const bool is_negative = rune_take_sign(&text);
  const uint64_t limit = is_negative ? least : most;
  if (!rune_is_digit(rune_peek(&text))) return RUNE_NOT_A_NUMBER;
  uint64_t magnitude = 0;
  bool is_held = true;
  for (; rune_is_digit(rune_peek(&text)); ++text.next) {
    const uint64_t digit = *text.next - '0';
    is_held = is_held && (magnitude < limit / 10 || (magnitude == limit / 10 && digit <= limit % 10));
    magnitude = magnitude * 10 + digit;
  }
  if (rune_peek(&text) != 0) return RUNE_NOT_A_NUMBER;
  if (!is_held) return RUNE_OUT_OF_RANGE;
  *result = is_negative ? 0 - magnitude : magnitude;
  return 0;
}

#define RUNE_PARSE_INTEGER(NAME, TYPE, MOST, LEAST)                                         \
  RUNE_INLINE int32_t NAME(const uint8_t *text, int32_t width, TYPE *result) {              \
    uint64_t number = 0;                                                                    \
    const int32_t failure = rune_parse_integer(text, width, MOST, LEAST, &number);          \
    *result = (TYPE)number;                                                                 \
    return failure;                                                                         \
  }
RUNE_PARSE_INTEGER(rune_parse_i8, int8_t, INT8_MAX, UINT64_C(1) << 7)
RUNE_PARSE_INTEGER(rune_parse_i16, int16_t, INT16_MAX, UINT64_C(1) << 15)
RUNE_PARSE_INTEGER(rune_parse_i32, int32_t, INT32_MAX, UINT64_C(1) << 31)
RUNE_PARSE_INTEGER(rune_parse_i64, int64_t, INT64_MAX, UINT64_C(1) << 63)
RUNE_PARSE_INTEGER(rune_parse_u8, uint8_t, UINT8_MAX, 0)
RUNE_PARSE_INTEGER(rune_parse_u16, uint16_t, UINT16_MAX, 0)
RUNE_PARSE_INTEGER(rune_parse_u32, uint32_t, UINT32_MAX, 0)
RUNE_PARSE_INTEGER(rune_parse_u64, uint64_t, UINT64_MAX, 0)

/* 0.DIGITS * 10^point, first and last digit not 0; no digits are zero.  What does not fit is cut off, and `has_rest`
 * remembers that it was more than nothing.  With room for as many digits as the number half-way between two
 * neighbouring floats can have, that decides every rounding: 112 for f32, 767 for f64. */
typedef struct {
  uint8_t *digits;
  int32_t capacity, count, point;
  bool has_rest;
} rune_decimal;

#define RUNE_F32_DIGITS 128
#define RUNE_F64_DIGITS 800
/* The most bits a decimal is shifted by at once: ten times the largest carry fits 64 bits. */
#define RUNE_MOST_BITS 59

static void rune_append(rune_decimal *number, uint8_t digit) {
  if (number->count == 0 && digit == 0) {
    --number->point;
  } else if (number->count < number->capacity) {
    number->digits[number->count++] = digit;
  } else {
    number->has_rest = number->has_rest || digit != 0;
  }
}

static void rune_trim(rune_decimal *number) {
  while (number->count > 0 && number->digits[number->count - 1] == 0) --number->count;
}

/* number / 2^bits, by long division from the left; it never writes a digit before it is read. */
static void rune_divide(rune_decimal *number, int32_t bits) {
  const int32_t count = number->count;
  const uint64_t mask = (UINT64_C(1) << bits) - 1;
  uint64_t carry = 0;
  number->count = 0;
  for (int32_t i = 0; i < count || carry != 0; ++i) {
    carry = carry * 10 + (i < count ? number->digits[i] : 0);
    rune_append(number, (uint8_t)(carry >> bits));
    carry &= mask;
  }
  rune_trim(number);
}

/* number * 2^bits, by long multiplication from the right. */
static void rune_multiply_decimal(rune_decimal *number, int32_t bits) {
  uint64_t carry = 0;
  for (int32_t i = number->count - 1; i >= 0; --i) {
    carry += (uint64_t)number->digits[i] << bits;
    number->digits[i] = (uint8_t)(carry % 10);
    carry /= 10;
  }
  int32_t grown = 0;
  for (uint64_t left = carry; left != 0; left /= 10) ++grown;
  for (int32_t i = number->count - 1; i >= 0; --i) {
    if (i + grown < number->capacity) {
      number->digits[i + grown] = number->digits[i];
    } else {
      number->has_rest = number->has_rest || number->digits[i] != 0;
    }
  }
  for (int32_t i = grown - 1; i >= 0; --i, carry /= 10) number->digits[i] = (uint8_t)(carry % 10);
  number->point += grown;
  number->count = number->count + grown < number->capacity ? number->count + grown : number->capacity;
  rune_trim(number);
}

/* Brings a number that is not 0 to [1/2, 1) and returns the power of two that was taken out.  A factor 8 for each
 * power of ten cannot overshoot. */
static int32_t rune_take_exponent(rune_decimal *number) {
  int32_t exponent = 0;
  while (number->point > 0) {
    const int32_t bits = number->point * 3 < RUNE_MOST_BITS ? number->point * 3 : RUNE_MOST_BITS;
    rune_divide(number, bits);
    exponent += bits;
  }
  while (number->point < 0 || number->digits[0] < 5) {
    const int32_t wanted = number->point < 0 ? number->point * -3 : 1;
    const int32_t bits = wanted < RUNE_MOST_BITS ? wanted : RUNE_MOST_BITS;
    rune_multiply_decimal(number, bits);
    exponent -= bits;
  }
  return exponent;
}

/* The nearest integer, ties to even. */
static uint64_t rune_nearest_integer(const rune_decimal *number) {
  uint64_t whole = 0;
  for (int32_t i = 0; i < number->point; ++i) whole = whole * 10 + (i < number->count ? number->digits[i] : 0);
  const int32_t next = number->point < 0 ? number->count : number->point;
  if (next >= number->count || number->digits[next] < 5) return whole;
  const bool is_tie = number->digits[next] == 5 && next + 1 == number->count && !number->has_rest;
  return is_tie ? whole + (whole & 1) : whole + 1;
}

/* Takes digits with a point among them into the number; whether there were any. */
static bool rune_take_digits(rune_text *text, rune_decimal *number) {
  bool is_found = false, is_past_point = false;
  for (;; ++text->next) {
    const uint8_t c = rune_peek(text);
    if (c == '.' && !is_past_point) {
      is_past_point = true;
    } else if (rune_is_digit(c)) {
      is_found = true;
      number->point += !is_past_point;
      rune_append(number, c - '0');
    } else {
      return is_found;
    }
  }
}

/* Takes an exponent, if there is one, into the number; false when it has no digits. */
static bool rune_take_power(rune_text *text, rune_decimal *number) {
  if ((rune_peek(text) | 0x20) != 'e') return true;
  ++text->next;
  const bool is_negative = rune_take_sign(text);
  if (!rune_is_digit(rune_peek(text))) return false;
  int32_t power = 0;
  for (; rune_is_digit(rune_peek(text)); ++text->next) {
    if (power < 100000000) power = power * 10 + (*text->next - '0');
  }
  number->point += is_negative ? -power : power;
  return true;
}

/* The float mantissa * 2^exponent nearest to a number, ties to even, where floats have `precision` bits and the smallest
 * step is 2^lowest. */
static uint64_t rune_round_decimal(rune_decimal *number, int32_t precision, int32_t lowest, int32_t *exponent) {
  *exponent = lowest;
  rune_trim(number);
  if (number->count == 0 || number->point < -400) return 0;
  const int32_t top = rune_take_exponent(number);
  const int32_t bits = top - lowest < precision ? top - lowest : precision;
  if (bits < 0) return 0;
  rune_multiply_decimal(number, bits);
  *exponent = top - bits;
  return rune_nearest_integer(number);
}

/* 1 for a number, 2 for infinity, 3 for NaN, 0 for none of them. */
static int32_t rune_take_float(rune_text *text, rune_decimal *number, bool *is_negative) {
  *is_negative = rune_take_sign(text);
  int32_t kind = 1;
  if (rune_take_word(text, "infinity") || rune_take_word(text, "inf")) {
    kind = 2;
  } else if (rune_take_word(text, "nan")) {
    kind = 3;
  } else if (!rune_take_digits(text, number) || !rune_take_power(text, number)) {
    return 0;
  }
  if (rune_peek(text) != 0) return 0;
  return kind == 1 && number->count > 0 && number->point > 400 ? 2 : kind;
}

static int32_t rune_parse_f32(const uint8_t *start, int32_t width, float *result) {
  uint8_t digits[RUNE_F32_DIGITS];
  rune_decimal number = {digits, RUNE_F32_DIGITS, 0, 0, false};
  rune_text text = {start, start + width};
  bool is_negative;
  const int32_t kind = rune_take_float(&text, &number, &is_negative);
  if (kind == 0) return RUNE_NOT_A_NUMBER;
  float value = kind == 2 ? __builtin_inff() : __builtin_nanf("");
  if (kind == 1) {
    int32_t exponent;
    const uint64_t mantissa = rune_round_decimal(&number, 24, -149, &exponent);
    const uint32_t normal = (uint32_t)(exponent + 127) << 23, subnormal = UINT32_C(1) << (exponent + 149 & 31);
    value = exponent > 104 ? __builtin_inff() : (float)mantissa * rune_f32(exponent < -126 ? subnormal : normal);
  }
  *result = is_negative ? -value : value;
  return 0;
}

static int32_t rune_parse_f64(const uint8_t *start, int32_t width, double *result) {
  uint8_t digits[RUNE_F64_DIGITS];
  rune_decimal number = {digits, RUNE_F64_DIGITS, 0, 0, false};
  rune_text text = {start, start + width};
  bool is_negative;
  const int32_t kind = rune_take_float(&text, &number, &is_negative);
  if (kind == 0) return RUNE_NOT_A_NUMBER;
  double value = kind == 2 ? __builtin_inf() : __builtin_nan("");
  if (kind == 1) {
    int32_t exponent;
    const uint64_t mantissa = rune_round_decimal(&number, 53, -1074, &exponent);
    const uint64_t normal = (uint64_t)(exponent + 1023) << 52, subnormal = UINT64_C(1) << (exponent + 1074 & 63);
    value = exponent > 971 ? __builtin_inf() : (double)mantissa * rune_f64(exponent < -1022 ? subnormal : normal);
  }
  *result = is_negative ? -value : value;
  return 0;
}

/* Parses the words of a text, where `found` of `count` numbers are there already.  Returns how many there are then, or
 * a negative RUNE_NOT_A_NUMBER or RUNE_OUT_OF_RANGE; one too many is no number. */
#define RUNE_PARSE_WORDS(ELEMENT, TYPE)                                                                        \
  static int32_t rune_parse_words_##ELEMENT(const uint8_t *start, int32_t width, TYPE *results, int32_t count, \
                                            int32_t found) {                                                   \
    rune_text text = {start, start + width};                                                                   \
    for (;; ++found) {                                                                                         \
      rune_skip_spaces(&text);                                                                                 \
      if (rune_peek(&text) == 0) return found;                                                                 \
      if (found == count) return -RUNE_NOT_A_NUMBER;                                                           \
      const uint8_t *const word = text.next;                                                                   \
      while (rune_peek(&text) != 0 && !rune_is_space(rune_peek(&text))) ++text.next;                           \
      const int32_t failure = rune_parse_##ELEMENT(word, (int32_t)(text.next - word), results + found);        \
      if (failure != 0) return -failure;                                                                       \
    }                                                                                                          \
  }
RUNE_PARSE_WORDS(i8, int8_t)
RUNE_PARSE_WORDS(i16, int16_t)
RUNE_PARSE_WORDS(i32, int32_t)
RUNE_PARSE_WORDS(i64, int64_t)
RUNE_PARSE_WORDS(u8, uint8_t)
RUNE_PARSE_WORDS(u16, uint16_t)
RUNE_PARSE_WORDS(u32, uint32_t)
RUNE_PARSE_WORDS(u64, uint64_t)
RUNE_PARSE_WORDS(f32, float)
RUNE_PARSE_WORDS(f64, double)

#endif
