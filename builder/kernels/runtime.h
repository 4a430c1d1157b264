/* What every generated unit starts with: the ABI's imports and exact literals. */
#ifndef RUNE_RUNTIME_H
#define RUNE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#define RUNE_INLINE static inline __attribute__((always_inline))

__attribute__((import_module("rune"), import_name("read"))) int32_t rune_read(int32_t source, void *pointer,
                                                                               int32_t length);
__attribute__((import_module("rune"), import_name("write"))) int32_t rune_write(int32_t output,
                                                                                 const void *pointer,
                                                                                 int32_t length);

/* TVM prints floating-point literals with six digits; these carry every bit. */
/* The same address, of which the compiler knows nothing. */
RUNE_INLINE void *rune_opaque(const void *address) {
  __asm__("" : "+r"(address));
  return (void *)address;
}

RUNE_INLINE float rune_f32(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

RUNE_INLINE double rune_f64(uint64_t bits) {
  double value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

RUNE_INLINE int32_t rune_clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

/* What a kernel returned, as a failure; a number that stands for none counts as RUNE_FAILURE_VALUE.  The builder
 * defines these names before this file. */
RUNE_INLINE int32_t rune_failure(int32_t code) {
  return code >= RUNE_FAILURE_READ && code <= RUNE_FAILURE_VALUE ? code : RUNE_FAILURE_VALUE;
}

#endif
