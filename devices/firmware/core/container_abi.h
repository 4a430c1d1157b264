/* What a container's machine code and the agent say to each other.  Included by both.
 *
 * A board image (its header is described in devices/image.py) has one entry function,
 *
 *     void entry(uint32_t task)
 *
 * which the agent starts in thread mode, unprivileged, on the process stack: r0 is the task, the stack pointer
 * stands at ram_start + stack_bytes of the image's header, and what lies above it was set to zero before the first
 * task, which is RUNE_TASK_INSTANTIATE.  It never returns: it ends each task with RUNE_CALL_FINISH and is then
 * started anew for the next one; its memory stays.
 *
 * To ask for something the container executes `svc #0` with the number of the call in r0 and its arguments in r1 to
 * r3; the answer comes in r0.  Other registers keep their values.  The agent may let any time pass before it answers,
 * or never answer. */
#ifndef RUNE_CONTAINER_ABI_H
#define RUNE_CONTAINER_ABI_H

#include <stdint.h>

/* The image's header has the address of a table of these, one for each sensor and output, which an entry with
 * direction RUNE_PORT_END closes. */
#define RUNE_PORT_SOURCE 0
#define RUNE_PORT_OUTPUT 1
#define RUNE_PORT_END 255

#define RUNE_SOURCE_HOST 0        /* no sensor of the board's: the host sends samples */
#define RUNE_SOURCE_RAND 1        /* random bytes */
#define RUNE_SOURCE_TEMPERATURE 2 /* degrees Celsius as f32, once for each element */
#define RUNE_SOURCE_ADC 3         /* `argument` is the channel; u16 readings, one for each element */

#define RUNE_OUTPUT_HOST 0       /* streamed to the host alone */
#define RUNE_OUTPUT_PIN_ABOVE 1  /* pin `argument` is high while the first element is at least `threshold` */
#define RUNE_OUTPUT_PIN_LABEL 2  /* pin `argument` is high while the text is the label at address `threshold` */

struct rune_port {
  uint8_t direction;
  uint8_t kind;
  uint8_t element;    /* of the tensor: the index in container/tensors.py's ElementType */
  uint8_t period_100ms; /* of the board's own loop; 0: as fast as it goes */
  uint32_t number;    /* passed to `read` or `write` */
  uint32_t bytes;
  uint32_t argument;
  uint32_t threshold; /* the bits of an f32, or a 32-bit integer, by `element` */
};

/* Tasks. */
#define RUNE_TASK_INSTANTIATE 0 /* set globals and memory to their first values; finishes with 0 */
#define RUNE_TASK_RUN 1         /* one inference; finishes with what `run` returned */

/* Calls. */
#define RUNE_CALL_FINISH 0 /* (code): the task is over */
#define RUNE_CALL_READ 1   /* (source, address, bytes) -> bytes filled; address lies in the container's RAM */
#define RUNE_CALL_WRITE 2  /* (output, address, bytes) -> bytes taken; address lies in its RAM or its image */
#define RUNE_CALL_TRAP 3   /* (cause): the container cannot go on; never answered */
#define RUNE_CALL_MARK 4   /* (operator): the first operator of another stage begins; no answer */

/* Why a container ended before its time.  Up to 15 the code itself says so, as WebAssembly's traps; from 16 on the
 * agent found out. */
#define RUNE_CAUSE_MEMORY 1      /* a load or store outside of the linear memory, or a store to its constants */
#define RUNE_CAUSE_OVERFLOW 2    /* integer overflow in a division or conversion */
#define RUNE_CAUSE_DIVISION 3    /* division by zero */
#define RUNE_CAUSE_CONVERSION 4  /* a float that is no number to an integer */
#define RUNE_CAUSE_UNREACHABLE 5 /* the instruction `unreachable` */
#define RUNE_CAUSE_INDIRECT 6    /* an indirect call to no function of that type */
#define RUNE_CAUSE_STACK 7       /* the native stack is used up */
#define RUNE_CAUSE_MPU 16        /* the memory protection unit refused an access */
#define RUNE_CAUSE_BUS 17        /* there is nothing at an address */
#define RUNE_CAUSE_USAGE 18      /* an instruction that cannot be executed */
#define RUNE_CAUSE_FAULT 19      /* any other fault */
#define RUNE_CAUSE_DEADLINE 20   /* it took longer than allowed */
#define RUNE_CAUSE_CALL 21       /* a call that does not exist, or with an address that is not the container's */
#define RUNE_CAUSE_RESET 22      /* the board was reset while it ran */

#endif
