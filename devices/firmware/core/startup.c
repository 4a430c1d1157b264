#include "startup.h"

#include "bytes.h"
#include "cortex_m.h"
#include "port.h"

#define STACK_PATTERN 0xA5A5A5A5u

/* From the linker script. */
extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_bottom[], stack_top[];

int main(void);
void svc_handler(void);
void pendsv_handler(void);
void fault_handler(void);

/* No debugger, no other exception: whatever else comes restarts the chip. */
static void unexpected(void) { port_reset(); }

void reset_handler(void) {
  volatile uint32_t *stack = stack_bottom;
  uint32_t *here = __builtin_frame_address(0);
  while (stack < here - 8) *stack++ = STACK_PATTERN;
  memcpy(data_start, data_load, (size_t)((uintptr_t)data_end - (uintptr_t)data_start));
  memset(bss_start, 0, (size_t)((uintptr_t)bss_end - (uintptr_t)bss_start));
  main();
}

uint32_t startup_stack_used(void) {
  const uint32_t *unused = stack_bottom;
  while (unused < stack_top && *unused == STACK_PATTERN) unused++;
  return (uint32_t)((uintptr_t)stack_top - (uintptr_t)unused);
}

/* The core's part of the vector table; the chip's interrupts follow it (see the port). */
__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top,
    reset_handler,
    unexpected, /* NMI */
    fault_handler,
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    [11] = svc_handler,
    [12] = unexpected, /* DebugMonitor */
    [14] = pendsv_handler,
    [15] = clock_tick, /* SysTick */
};
