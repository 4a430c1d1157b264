/* A container's side of container_abi.h: calls of the agent. */
#ifndef RUNE_BOARD_H
#define RUNE_BOARD_H

static inline __attribute__((always_inline)) uint32_t rune_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c) {
  register uint32_t r0 __asm__("r0") = number;
  register uint32_t r1 __asm__("r1") = a;
  register uint32_t r2 __asm__("r2") = b;
  register uint32_t r3 __asm__("r3") = c;
  __asm__ volatile("svc #0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3) : "memory");
  return r0;
}

/* In place, so that the program counter tells the function. */
static inline __attribute__((always_inline)) _Noreturn void rune_trap(uint32_t cause) {
  register uint32_t r0 __asm__("r0") = RUNE_CALL_TRAP;
  register uint32_t r1 __asm__("r1") = cause;
  __asm__ volatile("svc #0" : : "r"(r0), "r"(r1));
  __builtin_unreachable();
}

#define RUNE_TRAP(cause) rune_trap(cause)

#ifdef RUNE_CHECKS_STACK
/* Below it there is room for the frame of any function, for library functions and for an exception. */
extern uint8_t rune_stack_limit[];
#define FUNC_PROLOGUE                                                                   \
  do {                                                                                  \
    uint32_t rune_stack_pointer;                                                        \
    __asm__ volatile("mov %0, sp" : "=r"(rune_stack_pointer));                          \
    if (rune_stack_pointer < (uint32_t)rune_stack_limit) RUNE_TRAP(RUNE_CAUSE_STACK);   \
  } while (0)
#else
#define FUNC_PROLOGUE ((void)0)
#endif
#define FUNC_EPILOGUE ((void)0)

#endif
