#include "cortex_m.h"

#include "agent.h"
#include "container_abi.h"

#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#define NVIC_ISER(n) REGISTER(0xE000E100 + 4 * (n))
#define NVIC_IPR(n) REGISTER(0xE000E400 + 4 * (n))
#define ICSR REGISTER(0xE000ED04)
#define AIRCR REGISTER(0xE000ED0C)
#define SHPR2 REGISTER(0xE000ED1C)
#define SHPR3 REGISTER(0xE000ED20)
#define SHCSR REGISTER(0xE000ED24)
#define CFSR REGISTER(0xE000ED28)
#define HFSR REGISTER(0xE000ED2C)
#define CPACR REGISTER(0xE000ED88)
#define FPCCR REGISTER(0xE000EF34)
#define DEMCR REGISTER(0xE000EDFC)
#define DWT_CTRL REGISTER(0xE0001000)
#define DWT_CYCCNT REGISTER(0xE0001004)

#define ICSR_PENDSVSET (1u << 28)
#define ICSR_PENDSVCLR (1u << 27)
#define AIRCR_SYSRESETREQ 0x05FA0004u
#define SYST_FROM_CORE 7u /* enabled, with interrupt, from the core's clock */
#define SHCSR_FAULTS_ENABLED (7u << 16)
#define SHCSR_SVCALLPENDED (1u << 15)
#define CFSR_MEMORY 0x000000FFu
#define CFSR_BUS 0x0000FF00u
#define CFSR_USAGE 0xFFFF0000u
#define DEMCR_TRCENA (1u << 24)
#define DWT_CYCCNTENA 1u
#define CPACR_FPU (15u << 20)
#define FPCCR_NO_STACKING 0u

/* Faults come first, then the tick and the UART, then SVC and PendSV, which must not interrupt another handler. */
#define PRIORITY_INTERRUPT 0x40u
#define PRIORITY_SWITCH 0xC0u

void cortex_m_init(void) {
  SHPR2 = PRIORITY_SWITCH << 24;
  SHPR3 = PRIORITY_INTERRUPT << 24 | PRIORITY_SWITCH << 16;
#if AGENT_ARMV7M
  SHCSR |= SHCSR_FAULTS_ENABLED;
#endif
#if AGENT_FPU
  /* The agent uses no FPU: its registers are the container's alone and never need saving. */
  CPACR |= CPACR_FPU;
  FPCCR = FPCCR_NO_STACKING;
#endif
}

void cortex_m_reset_fpu(void) {
#if AGENT_FPU
  __asm volatile(".fpu fpv4-sp-d16\n vmsr fpscr, %0" : : "r"(0));
#endif
}

void cortex_m_pend_switch(void) { ICSR = ICSR_PENDSVSET; }

#if AGENT_ARMV7M
uint32_t cortex_m_fault_cause(bool stack_overflowed) {
  uint32_t status = CFSR;
  CFSR = status;
  HFSR = HFSR;
  /* Of a call or a switch that was about to be taken when its frame could not be pushed. */
  SHCSR &= ~SHCSR_SVCALLPENDED;
  ICSR = ICSR_PENDSVCLR;
  if (stack_overflowed) return RUNE_CAUSE_STACK;
  if (status & CFSR_MEMORY) return RUNE_CAUSE_MPU;
  if (status & CFSR_BUS) return RUNE_CAUSE_BUS;
  return status & CFSR_USAGE ? RUNE_CAUSE_USAGE : RUNE_CAUSE_FAULT;
}
#else
uint32_t cortex_m_fault_cause(bool stack_overflowed) {
  ICSR = ICSR_PENDSVCLR;
  return stack_overflowed ? RUNE_CAUSE_STACK : RUNE_CAUSE_FAULT;
}
#endif

#define FRAME_PC 6
#define NARROW_INSTRUCTION 2 /* bytes */

static volatile bool reading; /* in cortex_m_read_or_zero */

/* From the fault handlers, for faults of the agent: all but one restart the chip. */
void cortex_m_agent_fault(uint32_t *frame) {
  if (!reading) cortex_m_reset();
  reading = false;
#if AGENT_ARMV7M
  CFSR = CFSR;
#endif
  frame[FRAME_PC] += NARROW_INSTRUCTION;
}

uint32_t cortex_m_read_or_zero(uint32_t address) {
  uint32_t word = 0;
  reading = true;
  __asm volatile("ldr %0, [%1]" : "+l"(word) : "l"(address) : "memory");
  reading = false;
  return word;
}

void cortex_m_start_systick(uint32_t clock_hz) {
  SYST_RVR = clock_hz / 1000 - 1;
  SYST_CVR = 0;
  SYST_CSR = SYST_FROM_CORE;
}

#if AGENT_ARMV7M

static bool counts_cycles;

void cortex_m_start_cycles(void) {
  DEMCR |= DEMCR_TRCENA;
  DWT_CTRL |= DWT_CYCCNTENA;
  uint32_t begin = DWT_CYCCNT;
  __asm volatile("nop\n nop\n nop\n nop" ::: "memory");
  counts_cycles = DWT_CYCCNT != begin;
}

bool cortex_m_counts_cycles(void) { return counts_cycles; }

uint32_t cortex_m_cycles(void) { return DWT_CYCCNT; }

#else

void cortex_m_start_cycles(void) {}

bool cortex_m_counts_cycles(void) { return false; }

uint32_t cortex_m_cycles(void) { return 0; }

#endif

void cortex_m_reset(void) {
  __asm volatile("dsb" ::: "memory");
  AIRCR = AIRCR_SYSRESETREQ;
  for (;;) {
  }
}

void cortex_m_enable_interrupt(uint32_t line) {
  NVIC_IPR(line / 4) |= PRIORITY_INTERRUPT << (line % 4 * 8);
  NVIC_ISER(line / 32) = 1u << line % 32;
}
