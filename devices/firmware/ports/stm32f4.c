/* ST's STM32F405 family (Reference manual RM0090; sections in parentheses). */
#include "board.h"
#include "cortex_m.h"
#include "port.h"

/* RCC (7.3) */
#define RCC_CR REGISTER(0x40023800)
#define RCC_PLLCFGR REGISTER(0x40023804)
#define RCC_CFGR REGISTER(0x40023808)
#define RCC_AHB1ENR REGISTER(0x40023830)
#define RCC_APB2ENR REGISTER(0x40023844)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define PLL_168_MHZ_FROM_HSI (16u | 336u << 6 | 7u << 24) /* 16 MHz / 16 * 336 / 2; the divisor 2 is coded as 0 */
#define CFGR_APB1_QUARTER_APB2_HALF (5u << 10 | 4u << 13)
#define CFGR_SWITCH_TO_PLL 2u
#define CFGR_SWITCHED_TO_PLL 8u
#define AHB1_GPIOS 0x1FFu /* ports A to I */
#define APB2_USART1 (1u << 4)
#define APB2_ADC1 (1u << 8)
#define APB2_HZ (BOARD_CLOCK_HZ / 2)

/* Embedded flash memory interface (3.9) */
#define FLASH_ACR REGISTER(0x40023C00)
#define FLASH_KEYR REGISTER(0x40023C04)
#define FLASH_SR REGISTER(0x40023C0C)
#define FLASH_CR REGISTER(0x40023C10)
#define ACR_CACHES_AND_5_WAIT_STATES 0x705u
#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu
#define SR_BUSY (1u << 16)
#define SR_ERRORS 0xF2u
#define CR_PROGRAM_WORDS (1u | 2u << 8)
#define CR_ERASE_SECTOR(n) (2u | (n) << 3 | 2u << 8)
#define CR_START (1u << 16)
#define CR_LOCK (1u << 31)

/* GPIO (8.4) */
#define GPIO(port) (0x40020000u + 0x400u * (port))
#define GPIO_MODER(port) REGISTER(GPIO(port) + 0x00)
#define GPIO_BSRR(port) REGISTER(GPIO(port) + 0x18)
#define GPIO_AFRH(port) REGISTER(GPIO(port) + 0x24)
#define GPIO_PINS (9u * 16u)
enum { PORT_A = 0, MODE_OUTPUT = 1, MODE_ALTERNATE = 2, MODE_ANALOG = 3 };
#define AF_USART1 7u

/* USART (30.6) */
#define USART_SR REGISTER(0x40011000)
#define USART_DR REGISTER(0x40011004)
#define USART_BRR REGISTER(0x40011008)
#define USART_CR1 REGISTER(0x4001100C)
#define SR_RXNE (1u << 5)
#define SR_TC (1u << 6)
#define SR_TXE (1u << 7)
#define CR1_BOTH_WAYS_AND_RECEIVE_INTERRUPT 0x202Cu
#define USART1_LINE 37

/* ADC (13.13) */
#define ADC_SR REGISTER(0x40012000)
#define ADC_CR2 REGISTER(0x40012008)
#define ADC_SMPR1 REGISTER(0x4001200C)
#define ADC_SQR3 REGISTER(0x40012034)
#define ADC_DR REGISTER(0x4001204C)
#define ADC_CCR REGISTER(0x40012304)
#define ADC_SR_EOC 2u
#define ADC_CR2_ON 1u
#define ADC_CR2_START (1u << 30)
#define ADC_CCR_QUARTER_CLOCK_AND_TEMPERATURE (1u << 16 | 1u << 23)
#define ADC_SLOWEST_SAMPLING 0x07FFFFFFu /* of channels 10 to 18 */
#define ADC_TEMPERATURE_CHANNEL 16u
#define ADC_EXTERNAL_CHANNELS 16u

/* Unique device identifier (39.1) */
#define UNIQUE_ID 0x1FFF7A10u

#define LONGEST_POLL 100000u /* far more than any start or conversion takes */

static bool wait_for(volatile uint32_t *at, uint32_t mask) {
  for (uint32_t i = 0; i < LONGEST_POLL; i++) {
    if (*at & mask) return true;
  }
  return false;
}

static void uart_interrupt(void) {
  if (USART_SR & SR_RXNE) uart_received((uint8_t)USART_DR);
}

__attribute__((section(".vectors.chip"), used)) static void (*const vectors[])(void) = {
    [USART1_LINE] = uart_interrupt,
};

static void start_clock(void) {
  FLASH_ACR = ACR_CACHES_AND_5_WAIT_STATES;
  RCC_PLLCFGR = PLL_168_MHZ_FROM_HSI;
  RCC_CR |= CR_PLLON;
  (void)wait_for(&RCC_CR, CR_PLLRDY);
  RCC_CFGR = CFGR_APB1_QUARTER_APB2_HALF | CFGR_SWITCH_TO_PLL;
  (void)wait_for(&RCC_CFGR, CFGR_SWITCHED_TO_PLL);
}

/* Pin 16 * n + m is m of port n: 0 is PA0, 16 is PB0. */
static void pin_mode(uint32_t pin, uint32_t mode) {
  uint32_t port = pin / 16, shift = 2 * (pin % 16);
  GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << shift)) | mode << shift;
}

static void start_uart(void) {
  GPIO_AFRH(PORT_A) |= AF_USART1 << 4 | AF_USART1 << 8; /* PA9 sends, PA10 receives */
  pin_mode(9, MODE_ALTERNATE);
  pin_mode(10, MODE_ALTERNATE);
  USART_BRR = (APB2_HZ + BOARD_UART_BAUD / 2) / BOARD_UART_BAUD;
  USART_CR1 = CR1_BOTH_WAYS_AND_RECEIVE_INTERRUPT;
  cortex_m_enable_interrupt(USART1_LINE);
}

void port_init(void) {
  start_clock();
  RCC_AHB1ENR |= AHB1_GPIOS;
  RCC_APB2ENR = APB2_USART1 | APB2_ADC1;
  cortex_m_start_cycles();
  start_uart();
  cortex_m_start_systick(BOARD_CLOCK_HZ);
}

void port_uart_send(uint8_t byte) {
  while ((USART_SR & SR_TXE) == 0) {
  }
  USART_DR = byte;
}

bool port_uart_sent(void) { return (USART_SR & SR_TC) != 0; }

static void flash_wait(void) {
  while (FLASH_SR & SR_BUSY) {
  }
}

/* Unlocks the controller; its errors are cleared by writing them back. */
static void flash_begin(uint32_t control) {
  flash_wait();
  FLASH_KEYR = KEY1;
  FLASH_KEYR = KEY2;
  FLASH_SR = SR_ERRORS;
  FLASH_CR = control;
}

static bool flash_end(void) {
  flash_wait();
  bool right = (FLASH_SR & SR_ERRORS) == 0;
  FLASH_CR = CR_LOCK;
  return right;
}

bool port_flash_write(uint32_t address, const uint32_t *words, size_t count) {
  flash_begin(CR_PROGRAM_WORDS);
  for (size_t i = 0; i < count; i++) {
    REGISTER(address + 4 * i) = words[i];
    flash_wait();
  }
  return flash_end();
}

/* Number and size of the sector that holds an address: four of 16 KB, one of 64 KB, then all of 128 KB (3.3). */
static uint32_t sector_of(uint32_t address, uint32_t *bytes) {
  uint32_t part = (address - BOARD_FLASH_START) >> 14;
  *bytes = part < 4 ? 16384 : part < 8 ? 65536 : 131072;
  return part < 4 ? part : 4 + (part >> 3);
}

bool port_flash_erase(uint32_t address) {
  uint32_t bytes;
  flash_begin(CR_ERASE_SECTOR(sector_of(address, &bytes)));
  FLASH_CR |= CR_START;
  return flash_end();
}

uint32_t port_flash_unit(uint32_t address) {
  uint32_t bytes;
  (void)sector_of(address, &bytes);
  return bytes;
}

uint32_t port_cycles(void) { return cortex_m_cycles(); }

uint32_t port_cycles_hz(void) { return BOARD_CLOCK_HZ; }

void port_reset(void) { cortex_m_reset(); }

void port_serial_number(char text[17]) {
  /* Three words: the die's place on the wafer, and twice the lot's number.  Zero in emulators, which have no such
   * memory. */
  uint32_t words[3];
  for (unsigned i = 0; i < 3; i++) words[i] = cortex_m_read_or_zero(UNIQUE_ID + 4 * i);
  words[1] ^= words[2];
  for (unsigned i = 0; i < 16; i++) {
    text[i] = "0123456789abcdef"[words[i / 8] >> 28];
    words[i / 8] <<= 4;
  }
  text[16] = 0;
}

static bool convert(uint32_t channel, uint16_t *value) {
  ADC_CCR = ADC_CCR_QUARTER_CLOCK_AND_TEMPERATURE;
  ADC_CR2 = ADC_CR2_ON;
  ADC_SMPR1 = ADC_SLOWEST_SAMPLING;
  ADC_SQR3 = channel;
  ADC_SR = 0;
  ADC_CR2 = ADC_CR2_ON | ADC_CR2_START;
  bool done = wait_for(&ADC_SR, ADC_SR_EOC);
  *value = (uint16_t)ADC_DR;
  return done;
}

/* 0.76 V at 25 degrees and 2.5 mV a degree (data sheet DS8626, "Temperature sensor characteristics"), at 3.3 V. */
bool port_temperature(int32_t *celsius_64ths) {
  uint16_t value;
  if (!convert(ADC_TEMPERATURE_CHANNEL, &value)) return false;
  int32_t microvolts = (int32_t)(value * 825000u / 1024); /* beyond 31 bits before the division */
  *celsius_64ths = 64 * 25 + (microvolts - 760000) * 16 / 625;
  return true;
}

/* Channels 0 to 7 are PA0 to PA7, 8 and 9 PB0 and PB1, 10 to 15 PC0 to PC5. */
bool port_adc(uint32_t channel, uint16_t *value) {
  if (channel >= ADC_EXTERNAL_CHANNELS) return false;
  pin_mode(channel < 8 ? channel : channel < 10 ? channel + 16 - 8 : channel + 32 - 10, MODE_ANALOG);
  return convert(channel, value);
}

const uint8_t port_capabilities = PORT_TEMPERATURE | PORT_ADC | PORT_PIN;

bool port_pin_write(uint32_t pin, bool high) {
  if (pin >= GPIO_PINS) return false;
  GPIO_BSRR(pin / 16) = 1u << (pin % 16 + (high ? 0 : 16));
  pin_mode(pin, MODE_OUTPUT);
  return true;
}
