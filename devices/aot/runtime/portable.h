/* The container "@name@" as C, for a firmware of your own.
 *
 * SHA-256 of the container: @digest@
 *
 * This file stands alone: compile it with any C compiler of C11 or later that knows GCC's built-in functions (GCC,
 * clang), and with -ffp-contract=off where the machine fuses multiplications and additions.  There is one instance; no
 * memory is allocated, and nothing but what is named here is called or visible.
 *
 * You call:
 *
 *     void rune_instantiate(void);     once before the first inference, and again to forget earlier ones
 *     int32_t rune_run(void);          one inference; 0, or a failed stage's number << 8 and a reason
 *
 * You define:
 *
 *     uint32_t rune_on_read(uint32_t source, void *sample, uint32_t bytes);
 *         Fill `sample` with the next sample of a sensor; returns the bytes that were filled.
 *     uint32_t rune_on_write(uint32_t output, const void *value, uint32_t bytes);
 *         Take the value of an output; returns the bytes that were taken.
 *     _Noreturn void rune_on_trap(uint32_t cause);
 *         The container broke a rule, such as a load outside of its memory: one of RUNE_CAUSE_* below.  It must not
 *         return (restart the chip, or longjmp out of rune_run), and the instance must be instantiated anew.
 *
 * A sample or a value are the bytes of its tensor, little-endian and row-major. */
#include <stdint.h>

void rune_instantiate(void);
int32_t rune_run(void);
uint32_t rune_on_read(uint32_t source, void *sample, uint32_t bytes);
uint32_t rune_on_write(uint32_t output, const void *value, uint32_t bytes);
_Noreturn void rune_on_trap(uint32_t cause);

#define RUNE_TRAP(cause) rune_on_trap(cause)

/* How deep calls may nest, in a container whose functions call themselves. */
#ifndef RUNE_MAXIMUM_DEPTH
#define RUNE_MAXIMUM_DEPTH 64
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#pragma GCC optimize("no-strict-aliasing")
#elif defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif
