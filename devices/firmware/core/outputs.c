#include "outputs.h"

#include "bytes.h"
#include "port.h"

/* In the order of container/tensors.py's ElementType. */
enum element { U8, I8, U16, I16, U32, I32, U64, I64, F32 };

#define SIGN 0x80000000u
#define F32_INFINITY 0x7F800000u

static bool is_signed(enum element element) { return element == I8 || element == I16 || element == I32; }

static uint32_t element_bytes(enum element element) { return element <= I8 ? 1 : element <= I16 ? 2 : 4; }

/* A number that is the larger the larger an element with these bits is. */
static uint32_t order(enum element element, uint32_t bits) {
  if (element == F32) return bits & SIGN ? 0 - bits : bits | SIGN; /* minus zero equals zero */
  return is_signed(element) ? bits ^ SIGN : bits;
}

static uint32_t sign_extended(uint32_t bits, uint32_t bytes) {
  uint32_t unused = 32 - 8 * bytes;
  return (uint32_t)((int32_t)(bits << unused) >> unused);
}

static bool is_number(enum element element, uint32_t bits) { return element != F32 || (bits & ~SIGN) <= F32_INFINITY; }

/* Whether the first element is at least the threshold; false for elements of other types. */
static bool is_above(const struct rune_port *port, const uint8_t *value, uint32_t bytes) {
  enum element element = (enum element)port->element;
  uint32_t bits = 0, size = element_bytes(element);
  if (bytes < size || (element > I32 && element != F32)) return false;
  memcpy(&bits, value, size);
  if (is_signed(element)) bits = sign_extended(bits, size);
  return is_number(element, bits) && is_number(element, port->threshold) &&
         order(element, bits) >= order(element, port->threshold);
}

/* The text ends at a zero byte or with its last byte; the label, in the container, at a zero byte. */
static bool is_label(const struct container *container, uint32_t label, const uint8_t *text, uint32_t bytes) {
  for (uint32_t i = 0;; i++) {
    if (!container_owns(container, label + i, 1)) return false;
    uint8_t expected = *(const uint8_t *)(uintptr_t)(label + i), found = i < bytes ? text[i] : 0;
    if (expected != found) return false;
    if (expected == 0) return true;
  }
}

void outputs_write(const struct container *container, const struct rune_port *port, const uint8_t *value,
                   uint32_t bytes) {
  switch (port->kind) {
    case RUNE_OUTPUT_PIN_ABOVE: (void)port_pin_write(port->argument, is_above(port, value, bytes)); break;
    case RUNE_OUTPUT_PIN_LABEL:
      (void)port_pin_write(port->argument, is_label(container, port->threshold, value, bytes));
      break;
    default: break;
  }
}
