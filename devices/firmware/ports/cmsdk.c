/* Arm's MPS2 with the AN386 image (Application Note AN386, "Cortex-M4 on V2M-MPS2", section 3; Cortex-M System Design
 * Kit Technical Reference Manual, chapters 4.2 "APB timer" and 4.3 "APB UART").  It has no flash: a part of its SRAM is
 * treated as NOR flash. */
#include "board.h"
#include "cortex_m.h"
#include "port.h"

#define TIMER_CTRL REGISTER(0x40000000)
#define TIMER_VALUE REGISTER(0x40000004)
#define TIMER_RELOAD REGISTER(0x40000008)
#define TIMER_ENABLE 1u

#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004)
#define UART_CTRL REGISTER(0x40004008)
#define UART_INTCLEAR REGISTER(0x4000400C)
#define UART_BAUDDIV REGISTER(0x40004010)
#define STATE_TRANSMIT_FULL 1u
#define STATE_RECEIVE_FULL 2u
#define CTRL_BOTH_WAYS_AND_RECEIVE_INTERRUPT 0xBu
#define INT_RECEIVE 2u
#define UART_RECEIVE_LINE 0

#define FLASH_UNIT_BYTES 4096u

static void uart_interrupt(void) {
  UART_INTCLEAR = INT_RECEIVE;
  while (UART_STATE & STATE_RECEIVE_FULL) uart_received((uint8_t)UART_DATA);
}

__attribute__((section(".vectors.chip"), used)) static void (*const vectors[])(void) = {
    [UART_RECEIVE_LINE] = uart_interrupt,
};

void port_init(void) {
  TIMER_RELOAD = 0xFFFFFFFF;
  TIMER_VALUE = 0xFFFFFFFF;
  TIMER_CTRL = TIMER_ENABLE;
  UART_BAUDDIV = BOARD_CLOCK_HZ / BOARD_UART_BAUD;
  UART_CTRL = CTRL_BOTH_WAYS_AND_RECEIVE_INTERRUPT;
  cortex_m_enable_interrupt(UART_RECEIVE_LINE);
  cortex_m_start_systick(BOARD_CLOCK_HZ);
}

void port_uart_send(uint8_t byte) {
  while (UART_STATE & STATE_TRANSMIT_FULL) {
  }
  UART_DATA = byte;
}

bool port_uart_sent(void) { return (UART_STATE & STATE_TRANSMIT_FULL) == 0; }

bool port_flash_write(uint32_t address, const uint32_t *words, size_t count) {
  volatile uint32_t *cell = (volatile uint32_t *)(uintptr_t)address;
  for (size_t i = 0; i < count; i++) {
    if ((cell[i] & words[i]) != words[i]) return false; /* NOR flash cannot set a bit */
    cell[i] = words[i];
  }
  return true;
}

bool port_flash_erase(uint32_t address) {
  volatile uint32_t *cell = (volatile uint32_t *)(uintptr_t)address;
  for (size_t i = 0; i < FLASH_UNIT_BYTES / 4; i++) cell[i] = 0xFFFFFFFF;
  return true;
}

uint32_t port_flash_unit(uint32_t address) {
  (void)address;
  return FLASH_UNIT_BYTES;
}

uint32_t port_cycles(void) { return ~TIMER_VALUE; } /* it counts down */

uint32_t port_cycles_hz(void) { return BOARD_CLOCK_HZ; }

void port_reset(void) { cortex_m_reset(); }

/* An FPGA image has no number of its own. */
void port_serial_number(char text[17]) {
  for (int i = 0; i < 8; i++) text[i] = '0';
  text[8] = 0;
}

const uint8_t port_capabilities = 0;

bool port_temperature(int32_t *celsius_64ths) {
  (void)celsius_64ths;
  return false;
}

bool port_adc(uint32_t channel, uint16_t *value) {
  (void)channel;
  (void)value;
  return false;
}

bool port_pin_write(uint32_t pin, bool high) {
  (void)pin;
  (void)high;
  return false;
}
