/* The runtime of an AVR image: runs the container, and answers the host while the container waits, computes or rests.
 *
 * Everything shares one stack.  The container's own functions check it (STACK_LIMIT), so that what the runtime and its
 * interrupts need stays free below. */
#ifndef RUNE_AVR_RUNTIME_H
#define RUNE_AVR_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/container_abi.h"
#include "image.h" /* IMAGE_LOOPS: whether all sensors of the container are the chip's own */

/* States, as docs/device-protocol.md numbers them. */
#define STATE_NONE 0
#define STATE_WANTS_SAMPLE 1
#define STATE_HAS_OUTPUT 2
#define STATE_FINISHED 3
#define STATE_FAILED 4
#define STATE_LOOPS 5
#define STATE_COMPUTES 7

struct inference {
  uint8_t state;
  uint8_t cause;    /* with STATE_FAILED */
  bool wanted;      /* the host has asked for it, and it was not begun */
  bool busy;        /* it computes; the state is that of before */
  bool instantiate; /* before it begins */
#if IMAGE_LOOPS
  bool stopped;     /* the one at work is not wanted any more */
#endif
  uint32_t number;
  uint32_t port;    /* with STATE_WANTS_SAMPLE and STATE_HAS_OUTPUT, as the next four */
  uint32_t address; /* in linear memory */
  uint32_t bytes;
  uint32_t passed;
  uint32_t call;
  int32_t code;     /* with STATE_FINISHED */
  uint32_t cycles;  /* that the container took */
  uint32_t progress;
};

struct statistics {
  uint32_t runs;
  uint32_t faults;
  uint8_t fault_cause;
  uint32_t fault_progress;
};

extern struct inference inference;

/* Whether inferences are the board's own.  Where they never are, the compiler leaves away what asks. */
static inline bool loops(void) { return IMAGE_LOOPS && inference.state == STATE_LOOPS; }

extern struct statistics statistics;
extern uint32_t deadline_cycles;

uint16_t stack_used(void); /* bytes, at most, since the reset */

/* What the container calls; it has checked the addresses. */
uint32_t runtime_read(uint32_t source, uint32_t address, uint32_t bytes);
uint32_t runtime_write(uint32_t output, uint32_t address, uint32_t bytes);
void runtime_trap(uint8_t cause) __attribute__((noreturn));

/* The container, container.c: made from WebAssembly. */
extern uint8_t container_memory[]; /* the linear memory from MEMORY_RAM_START on */
void container_instantiate(void);
uint32_t container_run(void);
uint8_t container_byte(uint32_t address); /* of linear memory; the caller has checked the address */

/* Called once a request was dealt with: does not return when the host wants another inference. */
void runtime_served(void);

/* commands.c: answers the request that has come, if one has.  A request whose answer depends on what the container
 * does next stays where it is while that computes, unless it is overdue. */
void commands_serve(bool is_overdue);

/* To a host that has asked for it: the value that the loop has written, and how the loop has ended. */
void commands_notify_output(void);
void commands_notify_fault(void);

#endif
