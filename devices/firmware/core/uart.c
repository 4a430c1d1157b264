#include "uart.h"

#include "framing.h"
#include "port.h"
#include "supervisor.h"

#define IDLE_MS 1000

static uint32_t quiet_ms; /* since the last byte, up to IDLE_MS */

void uart_received(uint8_t byte) {
  quiet_ms = 0;
  if (framing_receive(byte)) supervisor_interrupt();
}

void uart_tick(void) {
  if (quiet_ms < IDLE_MS && ++quiet_ms == IDLE_MS) framing_idle();
}

void framing_put(uint8_t byte) { port_uart_send(byte); }
