/* Runs a container as a coroutine of the agent.
 *
 * The agent is privileged and uses the main stack; the container uses the process stack and, where the core has it,
 * unprivileged execution in regions of the memory protection unit.  Going over to the container and coming back are
 * exceptions (exceptions.S): the agent enters by SVC, and it returns from that SVC when the container makes a call,
 * faults, has used up its time, or when a request for the agent has arrived. */
#ifndef RUNE_SUPERVISOR_H
#define RUNE_SUPERVISOR_H

#include "container.h"

#define SUPERVISOR_MARKS 16

enum supervisor_event {
  SUPERVISOR_PAUSED, /* it would go on */
  SUPERVISOR_READ,   /* it waits for supervisor_reply() */
  SUPERVISOR_WRITE,
  SUPERVISOR_FINISHED,
  SUPERVISOR_FAILED, /* it is over: see `fault` */
};

struct supervisor_fault {
  uint32_t cause; /* RUNE_CAUSE_...; 0: there was none */
  uint32_t pc;
  int32_t operator;
  int slot;
};

struct supervisor_mark {
  int32_t operator;
  uint32_t cycles; /* of the task up to here */
};

/* What the container asked for last, and what it has used; to be read while it is stopped. */
struct supervisor {
  uint32_t port, address, bytes; /* of READ and WRITE */
  int32_t code;                  /* of FINISH */
  struct supervisor_fault fault;
  uint32_t cycles;                                /* of the present task */
  struct supervisor_mark marks[SUPERVISOR_MARKS]; /* of the present task */
  uint32_t mark_count;
};
extern struct supervisor supervisor;

/* Once after a reset: exceptions and the memory protection unit.  True when the reset came while a container ran. */
bool supervisor_init(void);

/* Gives the container zeros for memory; must come before its first task. */
void supervisor_clear(const struct container *container);

/* Begins a task, of which no more than `deadline_ms` milliseconds may be spent inside of the container. */
void supervisor_start(const struct container *container, uint32_t task, uint32_t deadline_ms);

/* Lets the container go on, for `slice_ms` at most. */
enum supervisor_event supervisor_resume(uint32_t slice_ms);

/* The answer to READ or WRITE. */
void supervisor_reply(uint32_t value);

/* Ends the container for something the agent noticed. */
void supervisor_fail(uint32_t cause);

/* Bytes of its stack that were used since supervisor_clear(). */
uint32_t supervisor_stack_used(const struct container *container);

/* From interrupts: a millisecond has passed; the agent is wanted. */
void supervisor_tick(void);
void supervisor_interrupt(void);

#endif
