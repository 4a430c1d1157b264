/* Nordic's nRF51 and nRF52 (nRF51 Series Reference Manual 3.0; nRF52840 Product Specification 1.1; peripherals are
 * named as there).  What both have is used where they have it, such as the UART without DMA. */
#include "board.h"
#include "cortex_m.h"
#include "port.h"

#define CLOCK_TASKS_HFCLKSTART REGISTER(0x40000000)

#define UART_TASKS_STARTRX REGISTER(0x40002000)
#define UART_TASKS_STARTTX REGISTER(0x40002008)
#define UART_EVENTS_RXDRDY REGISTER(0x40002108)
#define UART_EVENTS_TXDRDY REGISTER(0x4000211C)
#define UART_INTENSET REGISTER(0x40002304)
#define UART_ENABLE REGISTER(0x40002500)
#define UART_PSELTXD REGISTER(0x4000250C)
#define UART_PSELRXD REGISTER(0x40002514)
#define UART_RXD REGISTER(0x40002518)
#define UART_TXD REGISTER(0x4000251C)
#define UART_BAUDRATE REGISTER(0x40002524)
#define UART_ENABLED 4u
#define UART_INT_RXDRDY (1u << 2)
#define UART_LINE 2

#define TIMER0 0x40008000u /* 32 bits wide on all of them */
#define TIMER1 0x40009000u
#define TIMER_TASKS_START(timer) REGISTER((timer) + 0x000)
#define TIMER_TASKS_CAPTURE0(timer) REGISTER((timer) + 0x040)
#define TIMER_EVENTS_COMPARE0(timer) REGISTER((timer) + 0x140)
#define TIMER_SHORTS(timer) REGISTER((timer) + 0x200)
#define TIMER_INTENSET(timer) REGISTER((timer) + 0x304)
#define TIMER_BITMODE(timer) REGISTER((timer) + 0x508)
#define TIMER_PRESCALER(timer) REGISTER((timer) + 0x510)
#define TIMER_CC0(timer) REGISTER((timer) + 0x540)
#define TIMER_32_BITS 3u
#define TIMER_16_BITS 0u
#define TIMER_COMPARE0 (1u << 16)
#define TIMER_COMPARE0_CLEAR 1u
#define TIMER_HZ 16000000u
#define TIMER1_LINE 9

#define TEMP_TASKS_START REGISTER(0x4000C000)
#define TEMP_EVENTS_DATARDY REGISTER(0x4000C100)
#define TEMP_TEMP REGISTER(0x4000C508)
#define TEMP_64THS_PER_UNIT 16 /* it counts quarters of a degree */

#define NVMC_READY REGISTER(0x4001E400)
#define NVMC_CONFIG REGISTER(0x4001E504)
#define NVMC_ERASEPAGE REGISTER(0x4001E508)
enum nvmc_mode { NVMC_READ = 0, NVMC_WRITE = 1, NVMC_ERASE = 2 };

#define FICR_DEVICEID(n) REGISTER(0x10000060 + 4 * (n))

#define GPIO_PORT_STRIDE 0x300u
#define GPIO_OUTSET(port) REGISTER(0x50000508 + GPIO_PORT_STRIDE * (port))
#define GPIO_OUTCLR(port) REGISTER(0x5000050C + GPIO_PORT_STRIDE * (port))
#define GPIO_DIRSET(port) REGISTER(0x50000518 + GPIO_PORT_STRIDE * (port))

#if defined(NRF51)
#define FLASH_UNIT_BYTES 1024u
#define GPIO_PINS 32u
#else
#define FLASH_UNIT_BYTES 4096u
#define GPIO_PINS 48u
#endif

#define LONGEST_POLL 100000u /* far more than any conversion takes */

static void uart_interrupt(void) {
  while (UART_EVENTS_RXDRDY) {
    UART_EVENTS_RXDRDY = 0;
    uart_received((uint8_t)UART_RXD);
  }
}

#if defined(NRF51)

/* The nRF51's core has no SysTick. */
static void tick_interrupt(void) {
  TIMER_EVENTS_COMPARE0(TIMER1) = 0;
  clock_tick();
}

static void start_tick(void) {
  TIMER_BITMODE(TIMER1) = TIMER_16_BITS;
  TIMER_PRESCALER(TIMER1) = 4; /* 16 MHz / 2^4 */
  TIMER_CC0(TIMER1) = 1000;
  TIMER_SHORTS(TIMER1) = TIMER_COMPARE0_CLEAR;
  TIMER_INTENSET(TIMER1) = TIMER_COMPARE0;
  cortex_m_enable_interrupt(TIMER1_LINE);
  TIMER_TASKS_START(TIMER1) = 1;
}

#else

static void tick_interrupt(void) {}

static void start_tick(void) { cortex_m_start_systick(BOARD_CLOCK_HZ); }

#endif

__attribute__((section(".vectors.chip"), used)) static void (*const vectors[])(void) = {
    [UART_LINE] = uart_interrupt,
    [TIMER1_LINE] = tick_interrupt,
};

static void start_uart(void) {
  GPIO_OUTSET(0) = 1u << UART_TX_PIN; /* idle is high */
  GPIO_DIRSET(0) = 1u << UART_TX_PIN;
  UART_PSELTXD = UART_TX_PIN;
  UART_PSELRXD = UART_RX_PIN;
  /* Baud = register * 16 MHz / 2^32, in steps of 2^12. */
  UART_BAUDRATE = (uint32_t)((((uint64_t)BOARD_UART_BAUD << 32) / 16000000u + 0x800u) & ~0xFFFull);
  UART_ENABLE = UART_ENABLED;
  UART_INTENSET = UART_INT_RXDRDY;
  cortex_m_enable_interrupt(UART_LINE);
  UART_TASKS_STARTTX = 1;
  UART_TASKS_STARTRX = 1;
}

void port_init(void) {
  CLOCK_TASKS_HFCLKSTART = 1; /* the crystal, for the UART's sake; the chip runs on until it has started */
  TIMER_BITMODE(TIMER0) = TIMER_32_BITS;
  TIMER_PRESCALER(TIMER0) = 0;
  TIMER_TASKS_START(TIMER0) = 1;
  cortex_m_start_cycles();
  start_uart();
  start_tick();
}

void port_uart_send(uint8_t byte) {
  UART_EVENTS_TXDRDY = 0;
  UART_TXD = byte;
  while (!UART_EVENTS_TXDRDY) {
  }
}

bool port_uart_sent(void) { return true; } /* port_uart_send waits for it */

static void nvmc_wait(void) {
  while ((NVMC_READY & 1u) == 0) {
  }
}

static void nvmc_mode(enum nvmc_mode mode) {
  NVMC_CONFIG = mode;
  nvmc_wait();
}

bool port_flash_write(uint32_t address, const uint32_t *words, size_t count) {
  nvmc_mode(NVMC_WRITE);
  for (size_t i = 0; i < count; i++) {
    REGISTER(address + 4 * i) = words[i];
    nvmc_wait();
  }
  nvmc_mode(NVMC_READ);
  return true;
}

bool port_flash_erase(uint32_t address) {
  nvmc_mode(NVMC_ERASE);
  NVMC_ERASEPAGE = address;
  nvmc_wait();
  nvmc_mode(NVMC_READ);
  return true;
}

uint32_t port_flash_unit(uint32_t address) {
  (void)address;
  return FLASH_UNIT_BYTES;
}

uint32_t port_cycles(void) {
  if (cortex_m_counts_cycles()) return cortex_m_cycles();
  TIMER_TASKS_CAPTURE0(TIMER0) = 1;
  return TIMER_CC0(TIMER0);
}

uint32_t port_cycles_hz(void) { return cortex_m_counts_cycles() ? BOARD_CLOCK_HZ : TIMER_HZ; }

void port_reset(void) { cortex_m_reset(); }

void port_serial_number(char text[17]) {
  for (unsigned i = 0; i < 16; i++) text[i] = "0123456789abcdef"[FICR_DEVICEID(1 - i / 8) >> (28 - 4 * (i % 8)) & 15];
  text[16] = 0;
}

static bool wait_for(volatile uint32_t *event) {
  for (uint32_t i = 0; i < LONGEST_POLL; i++) {
    if (*event) return true;
  }
  return false;
}

bool port_temperature(int32_t *celsius_64ths) {
  TEMP_EVENTS_DATARDY = 0;
  TEMP_TASKS_START = 1;
  if (!wait_for(&TEMP_EVENTS_DATARDY)) return false;
  *celsius_64ths = (int32_t)TEMP_TEMP * TEMP_64THS_PER_UNIT;
  return true;
}

#if defined(NRF51)

#define ADC_TASKS_START REGISTER(0x40007000)
#define ADC_EVENTS_END REGISTER(0x40007100)
#define ADC_ENABLE REGISTER(0x40007500)
#define ADC_CONFIG REGISTER(0x40007504)
#define ADC_RESULT REGISTER(0x40007508)
#define ADC_10_BITS_THIRD_OF_INPUT 0xAu /* against the internal 1.2 V: 3.6 V is full scale */

bool port_adc(uint32_t channel, uint16_t *value) {
  if (channel > 7) return false;
  ADC_ENABLE = 1;
  ADC_CONFIG = ADC_10_BITS_THIRD_OF_INPUT | 1u << (8 + channel);
  ADC_EVENTS_END = 0;
  ADC_TASKS_START = 1;
  bool done = wait_for(&ADC_EVENTS_END);
  *value = (uint16_t)(ADC_RESULT << 2);
  ADC_ENABLE = 0;
  return done;
}

#else

#define SAADC_TASKS_START REGISTER(0x40007000)
#define SAADC_TASKS_SAMPLE REGISTER(0x40007004)
#define SAADC_EVENTS_STARTED REGISTER(0x40007100)
#define SAADC_EVENTS_END REGISTER(0x40007104)
#define SAADC_ENABLE REGISTER(0x40007500)
#define SAADC_CH0_PSELP REGISTER(0x40007510)
#define SAADC_CH0_CONFIG REGISTER(0x40007518)
#define SAADC_RESOLUTION REGISTER(0x400075F0)
#define SAADC_RESULT_PTR REGISTER(0x4000762C)
#define SAADC_RESULT_MAXCNT REGISTER(0x40007630)
#define SAADC_SIXTH_OF_INPUT_10_US 0x00020000u /* against the internal 0.6 V: 3.6 V is full scale */
#define SAADC_12_BITS 2u

bool port_adc(uint32_t channel, uint16_t *value) {
  static volatile int16_t result; /* written by DMA */
  if (channel > 7) return false;
  SAADC_ENABLE = 1;
  SAADC_RESOLUTION = SAADC_12_BITS;
  SAADC_CH0_CONFIG = SAADC_SIXTH_OF_INPUT_10_US;
  SAADC_CH0_PSELP = channel + 1;
  SAADC_RESULT_PTR = (uint32_t)(uintptr_t)&result;
  SAADC_RESULT_MAXCNT = 1;
  SAADC_EVENTS_STARTED = SAADC_EVENTS_END = 0;
  SAADC_TASKS_START = 1;
  bool done = wait_for(&SAADC_EVENTS_STARTED);
  SAADC_TASKS_SAMPLE = 1;
  done = done && wait_for(&SAADC_EVENTS_END);
  *value = result > 0 ? (uint16_t)result : 0; /* offset errors read below zero */
  SAADC_ENABLE = 0;
  return done;
}

#endif

const uint8_t port_capabilities = PORT_TEMPERATURE | PORT_ADC | PORT_PIN;

bool port_pin_write(uint32_t pin, bool high) {
  if (pin >= GPIO_PINS) return false;
  uint32_t bit = 1u << pin % 32, port = pin / 32;
  if (high) {
    GPIO_OUTSET(port) = bit;
  } else {
    GPIO_OUTCLR(port) = bit;
  }
  GPIO_DIRSET(port) = bit;
  return true;
}
