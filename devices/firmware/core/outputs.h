/* The board's own outputs. */
#ifndef RUNE_OUTPUTS_H
#define RUNE_OUTPUTS_H

#include "container.h"

/* Sets the pin that follows this output, if there is one. */
void outputs_write(const struct container *container, const struct rune_port *port, const uint8_t *value,
                   uint32_t bytes);

#endif
