/* From reset to main. */
#ifndef RUNE_STARTUP_H
#define RUNE_STARTUP_H

#include <stdint.h>

/* Bytes of the agent's stack that were used since the reset. */
uint32_t startup_stack_used(void);

#endif
