/* The numeric instructions of WebAssembly whose meaning C does not have, under the names that wasm2c calls them by.
 * RUNE_TRAP(cause) comes from the file before this one; it does not return.  (WebAssembly core specification,
 * "Numerics".) */
#ifndef RUNE_NUMERICS_H
#define RUNE_NUMERICS_H

#include <stdbool.h>
#include <stdint.h>

#define RUNE_INLINE static inline __attribute__((always_inline, unused))
#define RUNE_OUTLINE static __attribute__((unused))
#define RUNE_LIKELY(x) __builtin_expect(!!(x), 1)
#define RUNE_UNLIKELY(x) __builtin_expect(!!(x), 0)

typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;
typedef float f32;
typedef double f64;

#define UNREACHABLE RUNE_TRAP(RUNE_CAUSE_UNREACHABLE)
#define INFINITY __builtin_inff()

RUNE_INLINE u32 i32_reinterpret_f32(f32 value) {
  u32 bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

RUNE_INLINE f32 f32_reinterpret_i32(u32 bits) {
  f32 value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

RUNE_INLINE u64 i64_reinterpret_f64(f64 value) {
  u64 bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

RUNE_INLINE f64 f64_reinterpret_i64(u64 bits) {
  f64 value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

/* Integers. */

#define I32_CLZ(x) ((x) ? (u32)__builtin_clzl(x) - 8u * (sizeof(long) - 4u) : 32u)
#define I32_CTZ(x) ((x) ? (u32)__builtin_ctzl(x) : 32u)
#define I32_POPCNT(x) ((u32)__builtin_popcountl(x))
#define I64_CLZ(x) ((x) ? (u64)__builtin_clzll(x) : 64u)
#define I64_CTZ(x) ((x) ? (u64)__builtin_ctzll(x) : 64u)
#define I64_POPCNT(x) ((u64)__builtin_popcountll(x))

#define I32_ROTL(x, n) (((x) << ((n) & 31)) | ((x) >> (-(n) & 31)))
#define I32_ROTR(x, n) (((x) >> ((n) & 31)) | ((x) << (-(n) & 31)))
#define I64_ROTL(x, n) (((x) << ((n) & 63)) | ((x) >> (-(n) & 63)))
#define I64_ROTR(x, n) (((x) >> ((n) & 63)) | ((x) << (-(n) & 63)))

#define RUNE_DEFINE_DIVISION(name, u, s, smallest)                              \
  RUNE_INLINE u name##_DIV_S(u x, u y) {                                        \
    if (RUNE_UNLIKELY(y == 0)) RUNE_TRAP(RUNE_CAUSE_DIVISION);                  \
    if (RUNE_UNLIKELY((s)x == smallest && (s)y == -1)) RUNE_TRAP(RUNE_CAUSE_OVERFLOW); \
    return (u)((s)x / (s)y);                                                    \
  }                                                                             \
  RUNE_INLINE u name##_REM_S(u x, u y) {                                        \
    if (RUNE_UNLIKELY(y == 0)) RUNE_TRAP(RUNE_CAUSE_DIVISION);                  \
    return (s)y == -1 ? 0 : (u)((s)x % (s)y);                                   \
  }

RUNE_DEFINE_DIVISION(I32, u32, s32, INT32_MIN)
RUNE_DEFINE_DIVISION(I64, u64, s64, INT64_MIN)

RUNE_INLINE u32 rune_divisor32(u32 y) {
  if (RUNE_UNLIKELY(y == 0)) RUNE_TRAP(RUNE_CAUSE_DIVISION);
  return y;
}

RUNE_INLINE u64 rune_divisor64(u64 y) {
  if (RUNE_UNLIKELY(y == 0)) RUNE_TRAP(RUNE_CAUSE_DIVISION);
  return y;
}

#define RUNE_DIVISOR(y) _Generic((y), u64: rune_divisor64, default: rune_divisor32)(y)
#define DIV_U(x, y) ((x) / RUNE_DIVISOR(y))
#define REM_U(x, y) ((x) % RUNE_DIVISOR(y))

/* Floats of both widths.  `bits` is the unsigned integer of the same size, `sign` its highest bit, `one` the bits of
 * 1.0, `integer` the smallest number from which on all are integers. */

#define RUNE_DEFINE_FLOAT(f, suffix, bits, to_bits, from_bits, sign, quiet, one, integer) \
  RUNE_INLINE bool rune_is_nan##suffix(f x) {                                   \
    return x != x;                                                              \
  }                                                                             \
  RUNE_INLINE f wasm_quiet##suffix(f x) {                                       \
    return rune_is_nan##suffix(x) ? from_bits(to_bits(x) | quiet) : x;          \
  }                                                                             \
  RUNE_INLINE f wasm_fabs##suffix(f x) {                                        \
    return from_bits(to_bits(x) & ~sign);                                       \
  }                                                                             \
  RUNE_INLINE f copysign##suffix(f x, f y) {                                    \
    return from_bits((to_bits(x) & ~sign) | (to_bits(y) & sign));               \
  }                                                                             \
  RUNE_INLINE f rune_min##suffix(f x, f y) {                                    \
    if (rune_is_nan##suffix(x)) return wasm_quiet##suffix(x);                   \
    if (rune_is_nan##suffix(y)) return wasm_quiet##suffix(y);                   \
    if (x == y) return from_bits(to_bits(x) | to_bits(y));                      \
    return x < y ? x : y;                                                       \
  }                                                                             \
  RUNE_INLINE f rune_max##suffix(f x, f y) {                                    \
    if (rune_is_nan##suffix(x)) return wasm_quiet##suffix(x);                   \
    if (rune_is_nan##suffix(y)) return wasm_quiet##suffix(y);                   \
    if (x == y) return from_bits(to_bits(x) & to_bits(y));                      \
    return x > y ? x : y;                                                       \
  }                                                                             \
  /* Adding and taking away `integer` leaves no room for a fraction: it rounds to nearest, ties to even. */ \
  RUNE_OUTLINE f wasm_nearbyint##suffix(f x) {                                  \
    f size = wasm_fabs##suffix(x);                                              \
    if (!(size < integer)) return wasm_quiet##suffix(x);                        \
    return copysign##suffix((size + integer) - integer, x);                     \
  }                                                                             \
  RUNE_OUTLINE f wasm_trunc##suffix(f x) {                                      \
    f size = wasm_fabs##suffix(x), nearest = wasm_fabs##suffix(wasm_nearbyint##suffix(x)); \
    if (!(size < integer)) return wasm_quiet##suffix(x);                        \
    return copysign##suffix(nearest > size ? nearest - from_bits(one) : nearest, x); \
  }                                                                             \
  RUNE_OUTLINE f wasm_floor##suffix(f x) {                                      \
    f whole = wasm_trunc##suffix(x);                                            \
    return whole > x ? whole - from_bits(one) : whole;                          \
  }                                                                             \
  RUNE_OUTLINE f wasm_ceil##suffix(f x) {                                       \
    f whole = wasm_trunc##suffix(x);                                            \
    return whole < x ? copysign##suffix(whole + from_bits(one), x) : whole;     \
  }

RUNE_DEFINE_FLOAT(f32, f, u32, i32_reinterpret_f32, f32_reinterpret_i32, 0x80000000u, 0x400000u, 0x3f800000u, 0x1p23f)
RUNE_DEFINE_FLOAT(f64, , u64, i64_reinterpret_f64, f64_reinterpret_i64, 0x8000000000000000u, 0x8000000000000u,
                  0x3ff0000000000000u, 0x1p52)

#define FMIN(x, y) _Generic((x), f32: rune_minf, f64: rune_min)(x, y)
#define FMAX(x, y) _Generic((x), f32: rune_maxf, f64: rune_max)(x, y)

/* The root of a number, digit by digit (two bits of the radicand give one of the root): of its mantissa, made to go
 * with an even exponent, the bits of the result and one more, which rounds it.  No root lies halfway between two
 * floats. */
#define RUNE_DEFINE_ROOT(name, f, u, to_bits, from_bits, width, bias)           \
  RUNE_OUTLINE f name(f x) {                                                    \
    u mantissa = to_bits(x) & (((u)1 << width) - 1), root = 0, rest = 0;        \
    s32 exponent = (s32)(to_bits(x) >> width);                                  \
    if (!(x > 0)) return x == 0 ? x : from_bits(to_bits((f)__builtin_nan("")));  \
    if (exponent == 2 * bias + 1) return x;                                     \
    if (exponent == 0) {                                                        \
      for (exponent = 1; !(mantissa >> width); exponent--) mantissa <<= 1;      \
    }                                                                           \
    mantissa |= (u)1 << width;                                                  \
    exponent -= bias;                                                           \
    if (exponent & 1) {                                                         \
      mantissa <<= 1;                                                           \
      exponent--;                                                               \
    }                                                                           \
    for (s32 shift = width; shift >= -(width + 2); shift -= 2) {                \
      u digits = shift >= 0 ? mantissa >> shift : shift == -1 ? mantissa << 1 : 0; \
      rest = (rest << 2) | (digits & 3);                                        \
      root <<= 1;                                                               \
      if (rest > root << 1) {                                                   \
        rest -= (root << 1) | 1;                                                \
        root |= 1;                                                              \
      }                                                                         \
    }                                                                           \
    return from_bits(((root + 1) >> 1) + ((u)(exponent / 2 + bias - 1) << width)); \
  }

#if defined(__ARM_FP) && (__ARM_FP & 4)
#define RUNE_ROOT_F32 __builtin_sqrtf
#else
RUNE_DEFINE_ROOT(rune_root_f32, f32, u32, i32_reinterpret_f32, f32_reinterpret_i32, 23, 127)
#define RUNE_ROOT_F32 rune_root_f32
#endif
RUNE_DEFINE_ROOT(rune_root_f64, f64, u64, i64_reinterpret_f64, f64_reinterpret_i64, 52, 1023)

RUNE_INLINE f32 wasm_sqrtf(f32 x) {
  return rune_is_nanf(x) ? wasm_quietf(x) : RUNE_ROOT_F32(x);
}

RUNE_INLINE f64 wasm_sqrt(f64 x) {
  return rune_is_nan(x) ? wasm_quiet(x) : rune_root_f64(x);
}

/* Floats to integers: in `inside`, `x` is the number. */

#define RUNE_DEFINE_TRUNCATION(name, saturating, u, s, f, inside, low, high)    \
  RUNE_INLINE u name(f x) {                                                     \
    if (RUNE_UNLIKELY(x != x)) RUNE_TRAP(RUNE_CAUSE_CONVERSION);                \
    if (RUNE_UNLIKELY(!(inside))) RUNE_TRAP(RUNE_CAUSE_OVERFLOW);               \
    return (u)(s)x;                                                             \
  }                                                                             \
  RUNE_INLINE u saturating(f x) {                                               \
    if (inside) return (u)(s)x;                                                 \
    return x != x ? 0 : x < 0 ? (u)low : (u)high;                               \
  }

RUNE_DEFINE_TRUNCATION(I32_TRUNC_S_F32, I32_TRUNC_SAT_S_F32, u32, s32, f32, x >= -0x1p31f && x < 0x1p31f, INT32_MIN,
                       INT32_MAX)
RUNE_DEFINE_TRUNCATION(I32_TRUNC_S_F64, I32_TRUNC_SAT_S_F64, u32, s32, f64, x > -2147483649. && x < 0x1p31, INT32_MIN,
                       INT32_MAX)
RUNE_DEFINE_TRUNCATION(I64_TRUNC_S_F32, I64_TRUNC_SAT_S_F32, u64, s64, f32, x >= -0x1p63f && x < 0x1p63f, INT64_MIN,
                       INT64_MAX)
RUNE_DEFINE_TRUNCATION(I64_TRUNC_S_F64, I64_TRUNC_SAT_S_F64, u64, s64, f64, x >= -0x1p63 && x < 0x1p63, INT64_MIN,
                       INT64_MAX)
RUNE_DEFINE_TRUNCATION(I32_TRUNC_U_F32, I32_TRUNC_SAT_U_F32, u32, u32, f32, x > -1 && x < 0x1p32f, 0, UINT32_MAX)
RUNE_DEFINE_TRUNCATION(I32_TRUNC_U_F64, I32_TRUNC_SAT_U_F64, u32, u32, f64, x > -1 && x < 0x1p32, 0, UINT32_MAX)
RUNE_DEFINE_TRUNCATION(I64_TRUNC_U_F32, I64_TRUNC_SAT_U_F32, u64, u64, f32, x > -1 && x < 0x1p64f, 0, UINT64_MAX)
RUNE_DEFINE_TRUNCATION(I64_TRUNC_U_F64, I64_TRUNC_SAT_U_F64, u64, u64, f64, x > -1 && x < 0x1p64, 0, UINT64_MAX)

#if defined(__ARM_FP) && (__ARM_FP & 4)
/* VCVT does just that: it saturates, and makes 0 of NaN (ARMv7-M Architecture Reference Manual, A2.5.7). */
RUNE_INLINE u32 rune_saturating_vcvt(f32 x) {
  f32 bits;
  __asm__("vcvt.s32.f32 %0, %1" : "=t"(bits) : "t"(x));
  return i32_reinterpret_f32(bits);
}
#define I32_TRUNC_SAT_S_F32 rune_saturating_vcvt
#endif

#endif
