#include "container.h"

#include <stddef.h>

static bool inside(uint32_t start, uint32_t bytes, uint32_t address, uint32_t length) {
  return address >= start && address - start <= bytes && length <= bytes - (address - start);
}

bool container_owns_ram(const struct container *container, uint32_t address, uint32_t bytes) {
  return inside(container->header.ram_start, container->header.ram_bytes, address, bytes);
}

bool container_owns(const struct container *container, uint32_t address, uint32_t bytes) {
  uint32_t image_bytes = IMAGE_HEADER_BYTES + container->header.body_bytes;
  return container_owns_ram(container, address, bytes) ||
         inside(container->header.address, image_bytes, address, bytes);
}

const struct rune_port *container_ports(const struct container *container) {
  return (const struct rune_port *)(uintptr_t)container->header.ports;
}

const struct rune_port *container_port(const struct container *container, uint8_t direction, uint32_t number) {
  for (const struct rune_port *port = container_ports(container); port->direction != RUNE_PORT_END; port++) {
    if (port->direction == direction && port->number == number) return port;
  }
  return NULL;
}
