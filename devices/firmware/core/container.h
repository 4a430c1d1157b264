/* The container that is loaded: which slot it lies in, and what belongs to it. */
#ifndef RUNE_CONTAINER_H
#define RUNE_CONTAINER_H

#include "container_abi.h"
#include "image.h"

struct container {
  int slot;
  struct image_header header; /* as storage_image() checked it */
};

/* Whether it may have this range written, or read, on its behalf. */
bool container_owns_ram(const struct container *container, uint32_t address, uint32_t bytes);
bool container_owns(const struct container *container, uint32_t address, uint32_t bytes);

/* Its table of sensors and outputs, up to an entry RUNE_PORT_END. */
const struct rune_port *container_ports(const struct container *container);

/* The entry of a sensor or output; NULL when there is none. */
const struct rune_port *container_port(const struct container *container, uint8_t direction, uint32_t number);

#endif
