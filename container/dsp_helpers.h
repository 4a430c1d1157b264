/* The DSP helpers: what the `mcu` profile calls where a Cortex-M4 has one instruction, each with its exact meaning in
 * plain C.
 *
 * A container exports a helper that it uses under its name here; to every engine it is an ordinary function.  The
 * translation for boards puts the instruction in its place, by name and type alone: whatever a container exports as
 * `rune_smlad`, on a board it is SMLAD.  All of them take and return 32-bit words; two signed halfwords lie in a word
 * as bits 0-15 and 16-31.  (ARMv7-M Architecture Reference Manual, A7.7, for each instruction.)
 *
 * One of them is a query and takes nothing: its answer depends on the machine, and results must not depend on it.
 *
 * Whoever includes this file defines RUNE_DSP_HELPER(name, parameters, body) and RUNE_DSP_QUERY(name, body) before. */

/* What is cheap where the code runs, so that a kernel can choose among ways that give equal results:
 *
 *     0  one product of 32 bits at a time, and few registers: ARMv6-M, ARMv8-M Baseline, AVR
 *     1  products that are added up, loads with any sign and a dozen registers: ARMv7-M, WebAssembly, and all others
 *     2  each helper here is an instruction: cores with the DSP extension */
enum { RUNE_LEVEL_SINGLE, RUNE_LEVEL_SUMS, RUNE_LEVEL_DSP };
#ifndef RUNE_CORE_LEVEL /* told, where both ways are to be compared */
#if defined(__ARM_FEATURE_DSP)
#define RUNE_CORE_LEVEL RUNE_LEVEL_DSP
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__) || defined(__AVR__)
#define RUNE_CORE_LEVEL RUNE_LEVEL_SINGLE
#else
#define RUNE_CORE_LEVEL RUNE_LEVEL_SUMS
#endif
#endif
RUNE_DSP_QUERY(rune_core_level, { return RUNE_CORE_LEVEL; })

/* SXTB16: bytes 0 and 2, sign-extended. */
RUNE_DSP_HELPER(rune_sxtb16, (uint32_t x), {
  return ((uint32_t)(int8_t)x & 0xffffu) | (uint32_t)(int8_t)(x >> 16) << 16;
})

/* SXTB16 with ROR #8: bytes 1 and 3, sign-extended. */
RUNE_DSP_HELPER(rune_sxtb16_ror8, (uint32_t x), {
  return ((uint32_t)(int8_t)(x >> 8) & 0xffffu) | (uint32_t)(int8_t)(x >> 24) << 16;
})

/* SXTAB16: bytes 0 and 2 of `x`, sign-extended, added to the halfwords of `sums`; each sum wraps. */
RUNE_DSP_HELPER(rune_sxtab16, (uint32_t sums, uint32_t x), {
  return ((sums + (uint32_t)(int8_t)x) & 0xffffu) | ((sums >> 16) + (uint32_t)(int8_t)(x >> 16)) << 16;
})

/* SXTAB16 with ROR #8: the same with bytes 1 and 3. */
RUNE_DSP_HELPER(rune_sxtab16_ror8, (uint32_t sums, uint32_t x), {
  return ((sums + (uint32_t)(int8_t)(x >> 8)) & 0xffffu) | ((sums >> 16) + (uint32_t)(int8_t)(x >> 24)) << 16;
})

/* SADD16: the sums of halfwords; each wraps. */
RUNE_DSP_HELPER(rune_sadd16, (uint32_t a, uint32_t b), {
  return ((a + b) & 0xffffu) | ((a >> 16) + (b >> 16)) << 16;
})

/* SSUB16: their differences; each wraps. */
RUNE_DSP_HELPER(rune_ssub16, (uint32_t a, uint32_t b), {
  return ((a - b) & 0xffffu) | ((a >> 16) - (b >> 16)) << 16;
})

/* SMUAD: the sum of the products of halfwords; it wraps. */
RUNE_DSP_HELPER(rune_smuad, (uint32_t a, uint32_t b), {
  return (uint32_t)((int32_t)(int16_t)a * (int16_t)b) + (uint32_t)((int32_t)(int16_t)(a >> 16) * (int16_t)(b >> 16));
})

/* SMLAD: the same, added to `sum`. */
RUNE_DSP_HELPER(rune_smlad, (uint32_t a, uint32_t b, uint32_t sum), {
  return sum + (uint32_t)((int32_t)(int16_t)a * (int16_t)b) +
         (uint32_t)((int32_t)(int16_t)(a >> 16) * (int16_t)(b >> 16));
})

/* SMMULR: the upper word of the signed product, rounded to nearest, ties up. */
RUNE_DSP_HELPER(rune_smmulr, (uint32_t a, uint32_t b), {
  return (uint32_t)((uint64_t)((int64_t)(int32_t)a * (int32_t)b + 0x80000000ll) >> 32);
})

/* SMMLAR: the same, added to `sum`.  An int32 times m / 2^31, 2^30 <= m < 2^31, rounded: of the doubled m, modulo 2^32,
 * the product lacks the value itself, which is the sum. */
RUNE_DSP_HELPER(rune_smmlar, (uint32_t a, uint32_t b, uint32_t sum), {
  return sum + (uint32_t)((uint64_t)((int64_t)(int32_t)a * (int32_t)b + 0x80000000ll) >> 32);
})

/* SSAT #8: the nearest of -128 to 127. */
RUNE_DSP_HELPER(rune_ssat8, (uint32_t x), {
  int32_t value = (int32_t)x;
  return (uint32_t)(value < -128 ? -128 : value > 127 ? 127 : value);
})

/* SSAT #16: the nearest of -32768 to 32767. */
RUNE_DSP_HELPER(rune_ssat16, (uint32_t x), {
  int32_t value = (int32_t)x;
  return (uint32_t)(value < -32768 ? -32768 : value > 32767 ? 32767 : value);
})

/* No instruction, but a place among them: `x` is computed before the products and loads of two words that are written
 * behind it.  Left alone, compilers load everything first, and then lack registers. */
RUNE_DSP_HELPER(rune_in_turn, (uint32_t x), {
  return x;
})

/* MLA: the product, added to `sum`; both wrap.  (On cores that have to replace an operand by the product, `a`.) */
RUNE_DSP_HELPER(rune_mla, (uint32_t a, uint32_t b, uint32_t sum), {
  return sum + a * b;
})

/* SXTB, SXTH: the lowest byte or halfword, sign-extended.  For cores whose loads that extend reach less far. */
RUNE_DSP_HELPER(rune_sxtb, (uint32_t x), {
  return (uint32_t)(int8_t)x;
})
RUNE_DSP_HELPER(rune_sxth, (uint32_t x), {
  return (uint32_t)(int16_t)x;
})
