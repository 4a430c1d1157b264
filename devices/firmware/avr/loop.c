#include "loop.h"

#include "runtime.h"

#if IMAGE_LOOPS
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <string.h>
#include <util/atomic.h>

/* Of 65,536 cycles. */
#define TICKS_OF_MS(ms) (((ms) * (F_CPU / 1000) + 0xFFFF) >> 16)
#define TICKS_OF_S(s) ((s) * (F_CPU >> 8) >> 8)
#define LONGEST_LEASE_S 3600

static volatile uint32_t lease; /* ticks for which outputs are sent */
static volatile uint16_t pause; /* ticks until the next inference */

void loop_tick(void) {
  if (lease > 0)
    lease--;
  if (pause > 0)
    pause--;
}

bool loop_is_due(void) {
  bool due;
  ATOMIC_BLOCK(ATOMIC_RESTORESTATE) due = pause == 0;
  return due;
}

void loop_went_round(void) {
  inference.number++;
  ATOMIC_BLOCK(ATOMIC_RESTORESTATE) pause = TICKS_OF_MS(IMAGE_PERIOD_MS);
}

void loop_notify_for(uint32_t seconds) {
  uint32_t ticks = TICKS_OF_S(seconds < LONGEST_LEASE_S ? seconds : LONGEST_LEASE_S);
  ATOMIC_BLOCK(ATOMIC_RESTORESTATE) lease = ticks;
}

bool loop_is_heard(void) {
  bool heard;
  ATOMIC_BLOCK(ATOMIC_RESTORESTATE) heard = lease > 0;
  return heard;
}

/* Sensors.  `inline`: a container has those that it names. */

/* Marsaglia, "Xorshift RNGs" (2003).  The state is what the RAM held when the power came, and stays at a reset. */
static inline uint8_t random_byte(void) {
  static uint32_t state __attribute__((section(".noinit")));
  if (state == 0)
    state = 1;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state >> 24;
}

static inline uint32_t fill_RAND(uint8_t *sample, uint16_t bytes, uint8_t unused) {
  (void)unused;
  for (uint16_t i = 0; i < bytes; i++)
    sample[i] = random_byte();
  return bytes;
}

/* ATmega328P data sheet, section 24.9; ATmega2560's, section 26.8, for channels from 8 on. */
#ifdef MUX5
#define ADC_CHANNELS 16
#define SELECT_BANK(channel) (ADCSRB = (channel) >> 3 << MUX5)
#else
#define ADC_CHANNELS 8
#define SELECT_BANK(channel) ((void)(channel))
#endif

/* Of the supply voltage, in 10 bits.  The converter's clock is a 128th of the chip's. */
static inline uint16_t convert(uint8_t channel) {
  ADMUX = _BV(REFS0) | (channel & 7);
  SELECT_BANK(channel);
  ADCSRA = _BV(ADEN) | _BV(ADSC) | _BV(ADPS2) | _BV(ADPS1) | _BV(ADPS0);
  while (ADCSRA & _BV(ADSC)) {
  }
  return ADC;
}

/* Readings have 12 bits on all boards. */
static inline uint32_t fill_ADC(uint8_t *sample, uint16_t bytes, uint8_t channel) {
  if (channel >= ADC_CHANNELS || bytes % 2 != 0)
    return 0;
  for (uint16_t i = 0; i < bytes; i += 2) {
    uint16_t value = convert(channel) << 2;
    memcpy(sample + i, &value, sizeof value);
  }
  return bytes;
}

uint32_t loop_read(void) {
  uint8_t *sample = container_memory + (uint16_t)(inference.address - MEMORY_RAM_START);
  switch (inference.port) {
#define SOURCE(number, sensor, argument) \
  case number:                           \
    return fill_##sensor(sample, inference.bytes, argument);
    IMAGE_SOURCES(SOURCE)
  }
  return 0;
}

/* Pins, which follow outputs. */

static inline void copy_value(void *to, uint8_t bytes) {
  for (uint8_t i = 0; i < bytes; i++)
    ((uint8_t *)to)[i] = container_byte(inference.address + i);
}

/* The text ends at a zero byte or with its last byte. */
static inline bool is_text(const char *label) {
  for (uint16_t i = 0;; i++) {
    uint8_t expected = pgm_read_byte(label + i), found = i < inference.bytes ? container_byte(inference.address + i) : 0;
    if (expected != found)
      return false;
    if (expected == 0)
      return true;
  }
}

static inline void follow(void) {
  switch (inference.port) {
#define SET(letter, bit, high)    \
  if (high)                       \
    PORT##letter |= _BV(bit);     \
  else                            \
    PORT##letter &= ~_BV(bit);    \
  DDR##letter |= _BV(bit);        \
  break;
#define ABOVE(number, element, wide, threshold_bits, letter, bit)     \
  case number: {                                                      \
    element value = 0;                                                \
    wide threshold;                                                   \
    const uint32_t bits = threshold_bits;                             \
    memcpy(&threshold, &bits, sizeof threshold);                      \
    if (inference.bytes >= sizeof value)                              \
      copy_value(&value, sizeof value);                               \
    SET(letter, bit, inference.bytes >= sizeof value && value >= threshold) \
  }
#define LABEL(number, text, letter, bit) \
  case number:                           \
    SET(letter, bit, is_text(PSTR(text)))
    IMAGE_PINS(ABOVE, LABEL)
  }
}

uint32_t loop_write(void) {
  follow();
  if (loop_is_heard())
    commands_notify_output();
  return inference.bytes;
}
#endif
