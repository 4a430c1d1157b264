#include "clock.h"

#include "port.h"
#include "supervisor.h"
#include "uart.h"

static volatile uint32_t milliseconds;

uint32_t clock_ms(void) { return milliseconds; }

void clock_tick(void) {
  milliseconds++;
  uart_tick();
  supervisor_tick();
}
