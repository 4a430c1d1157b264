/* The loop of a container whose sensors are all the chip's own: what it reads, which pins follow it, and when. */
#ifndef RUNE_AVR_LOOP_H
#define RUNE_AVR_LOOP_H

#include <stdbool.h>
#include <stdint.h>

void loop_tick(void);       /* every 65,536 cycles, with interrupts off */
bool loop_is_due(void);     /* whether the period since the last inference is over */
void loop_went_round(void); /* an inference has finished */

/* The call that `inference` describes.  Each returns the bytes that have passed. */
uint32_t loop_read(void);
uint32_t loop_write(void);

void loop_notify_for(uint32_t seconds);
bool loop_is_heard(void); /* whether that time lasts */

#endif
