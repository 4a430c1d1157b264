#include "sources.h"

#include "bytes.h"
#include "port.h"

/* Indices in container/tensors.py's ElementType. */
#define ELEMENT_U16 2
#define ELEMENT_F32 8

bool sources_are_the_boards(const struct container *container) {
  bool any = false;
  for (const struct rune_port *port = container_ports(container); port->direction != RUNE_PORT_END; port++) {
    if (port->direction != RUNE_PORT_SOURCE) continue;
    if (port->kind == RUNE_SOURCE_HOST) return false;
    any = true;
  }
  return any;
}

uint32_t sources_period_ms(const struct container *container) {
  uint32_t longest = 0;
  for (const struct rune_port *port = container_ports(container); port->direction != RUNE_PORT_END; port++) {
    if (port->direction == RUNE_PORT_SOURCE && port->period_100ms > longest) longest = port->period_100ms;
  }
  return 100 * longest;
}

/* Marsaglia, "Xorshift RNGs" (2003); never zero. */
static uint32_t next_random(void) {
  static uint32_t state;
  if (state == 0) {
    char serial[17];
    port_serial_number(serial);
    state = port_cycles() | 1;
    for (const char *at = serial; *at != 0; at++) state = state * 31 + (uint8_t)*at;
    if (state == 0) state = 1;
  }
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

#define F32_SIGN 0x80000000u
#define F32_BIAS 127
#define F32_FRACTION_BITS 23

/* The bits of the float that is a 64th of an integer below 2^24 in size. */
static uint32_t f32_of_64ths(int32_t value) {
  uint32_t magnitude = value < 0 ? 0 - (uint32_t)value : (uint32_t)value, sign = value < 0 ? F32_SIGN : 0;
  uint32_t exponent = F32_BIAS + F32_FRACTION_BITS - 6;
  if (magnitude == 0) return 0;
  for (; magnitude < 1u << F32_FRACTION_BITS; magnitude <<= 1) exponent--;
  /* The first bit of the magnitude is implied: it adds one to the exponent. */
  return sign | (((exponent - 1) << F32_FRACTION_BITS) + magnitude);
}

static bool read_temperature(uint8_t *element) {
  int32_t celsius_64ths;
  if (!port_temperature(&celsius_64ths)) return false;
  uint32_t celsius = f32_of_64ths(celsius_64ths);
  memcpy(element, &celsius, sizeof celsius);
  return true;
}

static bool read_adc(uint32_t channel, uint8_t *element) {
  uint16_t value;
  if (!port_adc(channel, &value)) return false;
  memcpy(element, &value, sizeof value);
  return true;
}

static bool read_element(const struct rune_port *port, uint8_t *element) {
  switch (port->kind) {
    case RUNE_SOURCE_RAND: *element = (uint8_t)(next_random() >> 24); return true;
    case RUNE_SOURCE_TEMPERATURE: return port->element == ELEMENT_F32 && read_temperature(element);
    case RUNE_SOURCE_ADC: return port->element == ELEMENT_U16 && read_adc(port->argument, element);
    default: return false;
  }
}

static uint32_t element_bytes(uint8_t kind) {
  return kind == RUNE_SOURCE_TEMPERATURE ? 4 : kind == RUNE_SOURCE_ADC ? 2 : 1;
}

uint32_t sources_read(const struct rune_port *port, uint8_t *sample, uint32_t bytes) {
  uint32_t size = element_bytes(port->kind);
  for (uint32_t at = 0; at < bytes; at += size) {
    if (bytes - at < size || !read_element(port, sample + at)) return 0;
  }
  return bytes;
}
