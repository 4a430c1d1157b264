/* The board's own sensors. */
#ifndef RUNE_SOURCES_H
#define RUNE_SOURCES_H

#include "container.h"

/* Whether the container has sensors and the host is needed for none. */
bool sources_are_the_boards(const struct container *container);

/* How long the loop waits between two inferences: the longest that one of the sensors asks for. */
uint32_t sources_period_ms(const struct container *container);

/* Fills a sample.  Returns its bytes, or 0 where the board has no such sensor. */
uint32_t sources_read(const struct rune_port *port, uint8_t *sample, uint32_t bytes);

#endif
