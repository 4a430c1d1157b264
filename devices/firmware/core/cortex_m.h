/* What Armv6-M and Armv7-M have in common, and how they differ, beside the memory protection unit.  Registers are
 * named as in the ARMv7-M Architecture Reference Manual, part B3. */
#ifndef RUNE_CORTEX_M_H
#define RUNE_CORTEX_M_H

#include <stdbool.h>
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Priorities of exceptions, enables faults, and keeps the FPU's registers out of exception frames. */
void cortex_m_init(void);

/* The FPU's state at the begin of a task. */
void cortex_m_reset_fpu(void);

/* Requests the exception that goes from the container back to the agent. */
void cortex_m_pend_switch(void);

/* RUNE_CAUSE_... of the fault being handled. */
uint32_t cortex_m_fault_cause(bool stack_overflowed);

/* A word, or 0 where there is nothing at an address. */
uint32_t cortex_m_read_or_zero(uint32_t address);

/* SysTick, 1000 times a second from the core's clock; it calls clock_tick(). */
void cortex_m_start_systick(uint32_t clock_hz);

/* The cycle counter of the core's trace unit, which not every core has: whether it runs, and its value. */
void cortex_m_start_cycles(void);
bool cortex_m_counts_cycles(void);
uint32_t cortex_m_cycles(void);

/* Restarts the chip. */
void cortex_m_reset(void);

/* An interrupt line of the NVIC. */
void cortex_m_enable_interrupt(uint32_t line);

/* In exceptions.S: goes over to the container and returns when it has stopped. */
void exceptions_enter(void);

#endif
