/* Time since the last reset. */
#ifndef RUNE_CLOCK_H
#define RUNE_CLOCK_H

#include <stdint.h>

/* Milliseconds; wraps at 32 bits. */
uint32_t clock_ms(void);

#endif
