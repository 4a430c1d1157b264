/* The DSP helpers of container/dsp_helpers.h as instructions, on cores that have them. */
#ifndef RUNE_INSTRUCTIONS_H
#define RUNE_INSTRUCTIONS_H

#if defined(__ARM_FEATURE_DSP)

#define RUNE_INSTRUCTION(text, inputs)                        \
  {                                                           \
    uint32_t result;                                          \
    __asm__(text : "=r"(result) : RUNE_INPUTS inputs);        \
    return result;                                            \
  }
/* In the order in which they are written, among themselves and among loads of two words: that order was made for the
 * registers there are, while the compiler's own begins with all loads. */
#define RUNE_INSTRUCTION_IN_TURN(text, inputs)                  \
  {                                                             \
    uint32_t result;                                            \
    __asm__ volatile(text : "=r"(result) : RUNE_INPUTS inputs); \
    return result;                                              \
  }
#define RUNE_INPUTS(...) __VA_ARGS__

RUNE_INLINE uint32_t rune_core_level(void) {
  return 2;
}

RUNE_INLINE uint32_t rune_sxtb16(uint32_t x) RUNE_INSTRUCTION("sxtb16 %0, %1", ("r"(x)))
RUNE_INLINE uint32_t rune_sxtb16_ror8(uint32_t x) RUNE_INSTRUCTION("sxtb16 %0, %1, ror #8", ("r"(x)))
RUNE_INLINE uint32_t rune_sxtab16(uint32_t sums, uint32_t x)
    RUNE_INSTRUCTION("sxtab16 %0, %1, %2", ("r"(sums), "r"(x)))
RUNE_INLINE uint32_t rune_sxtab16_ror8(uint32_t sums, uint32_t x)
    RUNE_INSTRUCTION("sxtab16 %0, %1, %2, ror #8", ("r"(sums), "r"(x)))
RUNE_INLINE uint32_t rune_sadd16(uint32_t a, uint32_t b) RUNE_INSTRUCTION("sadd16 %0, %1, %2", ("r"(a), "r"(b)))
RUNE_INLINE uint32_t rune_ssub16(uint32_t a, uint32_t b) RUNE_INSTRUCTION("ssub16 %0, %1, %2", ("r"(a), "r"(b)))
RUNE_INLINE uint32_t rune_smuad(uint32_t a, uint32_t b)
    RUNE_INSTRUCTION_IN_TURN("smuad %0, %1, %2", ("r"(a), "r"(b)))
RUNE_INLINE uint32_t rune_smlad(uint32_t a, uint32_t b, uint32_t sum)
    RUNE_INSTRUCTION_IN_TURN("smlad %0, %1, %2, %3", ("r"(a), "r"(b), "r"(sum)))
RUNE_INLINE uint32_t rune_smmulr(uint32_t a, uint32_t b) RUNE_INSTRUCTION("smmulr %0, %1, %2", ("r"(a), "r"(b)))
RUNE_INLINE uint32_t rune_smmlar(uint32_t a, uint32_t b, uint32_t sum)
    RUNE_INSTRUCTION("smmlar %0, %1, %2, %3", ("r"(a), "r"(b), "r"(sum)))
RUNE_INLINE uint32_t rune_mla(uint32_t a, uint32_t b, uint32_t sum)
    RUNE_INSTRUCTION("mla %0, %1, %2, %3", ("r"(a), "r"(b), "r"(sum)))
RUNE_INLINE uint32_t rune_sxtb(uint32_t x) RUNE_INSTRUCTION("sxtb %0, %1", ("r"(x)))
RUNE_INLINE uint32_t rune_sxth(uint32_t x) RUNE_INSTRUCTION("sxth %0, %1", ("r"(x)))
RUNE_INLINE uint32_t rune_ssat8(uint32_t x) RUNE_INSTRUCTION("ssat %0, #8, %1", ("r"(x)))
RUNE_INLINE uint32_t rune_ssat16(uint32_t x) RUNE_INSTRUCTION("ssat %0, #16, %1", ("r"(x)))
RUNE_INLINE uint32_t rune_in_turn(uint32_t x) {
  __asm__ volatile("" : "+r"(x));
  return x;
}

#else
#ifndef RUNE_HELPER /* where they are dear, once for all calls */
#define RUNE_HELPER RUNE_INLINE
#endif
#define RUNE_DSP_HELPER(name, parameters, body) RUNE_HELPER uint32_t name parameters body
#define RUNE_DSP_QUERY(name, body) RUNE_INLINE uint32_t name(void) body
#if defined(__ARM_ARCH_6M__)
#define rune_mla rune_mla_
#define rune_sxtb rune_sxtb_
#define rune_sxth rune_sxth_
#include "dsp_helpers.h"
#undef rune_mla
#undef rune_sxtb
#undef rune_sxth
RUNE_INLINE uint32_t rune_sxtb(uint32_t x) {
  __asm__("sxtb %0, %0" : "+l"(x));
  return x;
}
RUNE_INLINE uint32_t rune_sxth(uint32_t x) {
  __asm__("sxth %0, %0" : "+l"(x));
  return x;
}
RUNE_INLINE uint32_t rune_mla(uint32_t a, uint32_t b, uint32_t sum) {
  __asm__ volatile("muls %0, %2, %0\n\tadds %1, %1, %0" : "+&l"(a), "+l"(sum) : "l"(b) : "cc");
  return sum;
}
#elif defined(__ARM_ARCH_7M__)
#define rune_mla rune_mla_
#include "dsp_helpers.h"
#undef rune_mla
RUNE_INLINE uint32_t rune_mla(uint32_t a, uint32_t b, uint32_t sum) {
  __asm__("mla %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
  return sum;
}
#else
#include "dsp_helpers.h"
#endif
#endif

#endif
