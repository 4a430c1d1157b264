#include "outputs.h"

#include "bytes.h"
#include "port.h"

/* In the order of container/tensors.py's ElementType. */
enum element { U8, I8, U16, I16, U32, I32, U64, I64, F32 };

#define F32_INFINITY 0x7F800000u
#define F32_MAGNITUDE 0x7FFFFFFFu

/* Numbers in the order of the floats that have these bits. */
static int32_t f32_order(uint32_t bits) {
  return bits >> 31 ? -(int32_t)(bits & F32_MAGNITUDE) : (int32_t)bits;
}

static bool f32_at_least(uint32_t value, uint32_t threshold) {
  bool numbers = (value & F32_MAGNITUDE) <= F32_INFINITY && (threshold & F32_MAGNITUDE) <= F32_INFINITY;
  return numbers && f32_order(value) >= f32_order(threshold);
}

static uint32_t element_bytes(enum element element) { return element <= I8 ? 1 : element <= I16 ? 2 : 4; }

/* Whether the first element is at least the threshold; false for elements of other types. */
static bool is_above(const struct rune_port *port, const uint8_t *value, uint32_t bytes) {
  uint32_t raw = 0, size = element_bytes(port->element);
  if (bytes < size) return false;
  memcpy(&raw, value, size);
  switch (port->element) {
    case U8:
    case U16:
    case U32: return raw >= port->threshold;
    case I8: return (int8_t)raw >= (int32_t)port->threshold;
    case I16: return (int16_t)raw >= (int32_t)port->threshold;
    case I32: return (int32_t)raw >= (int32_t)port->threshold;
    case F32: return f32_at_least(raw, port->threshold);
    default: return false;
  }
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
