/* Counts the instructions of one inference on QEMU's mps2-an386, without any agent.
 *
 * With `-icount shift=0` an instruction takes one nanosecond of the machine's time, so that SysTick, at 25 MHz, counts
 * them in steps of 40.  The samples lie at INPUT, one after the other as they are read; what is written goes to
 * OUTPUT.  The answer is one line on UART0 (Arm AN386, "CMSDK APB UART"): ticks, what `run` returned, bytes written
 * and those bytes in hexadecimal; then semihosting ends QEMU.
 *
 * ENTRY is the address of a board image's entry; without it `run` is linked in, compiled for this core. */
#include <stdint.h>

#include "container_abi.h"

#define UART ((volatile uint32_t *)0x40004000)
#define SYSTICK ((volatile uint32_t *)0xE000E010)
#define CPACR (*(volatile uint32_t *)0xE000ED88)

static const uint8_t *input = (const uint8_t *)INPUT;
static uint8_t *output = (uint8_t *)OUTPUT;

static uint32_t take(void *place, uint32_t bytes) {
  __builtin_memcpy(place, input, bytes);
  input += bytes;
  return bytes;
}

static uint32_t give(const void *place, uint32_t bytes) {
  __builtin_memcpy(output, place, bytes);
  output += bytes;
  return bytes;
}

#ifdef ENTRY

__attribute__((naked)) static int32_t perform(uint32_t task, uint32_t entry, uint32_t stack) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "msr psp, r2\n"
      "movs r2, #2\n"
      "msr control, r2\n"
      "isb\n"
      "bx r1\n");
}

/* Where a container's frame returns to when it has finished. */
__attribute__((naked)) static void finished(void) {
  __asm__ volatile(
      "movs r1, #0\n"
      "msr control, r1\n"
      "isb\n"
      "pop {r4-r11, pc}\n");
}

__attribute__((used)) static void answer(uint32_t *frame) {
  uint32_t trap = frame[0] == RUNE_CALL_TRAP ? 0x80000000u | frame[1] : 0;
  if (frame[0] == RUNE_CALL_READ) {
    frame[0] = take((void *)frame[2], frame[3]);
  } else if (frame[0] == RUNE_CALL_WRITE) {
    frame[0] = give((const void *)frame[2], frame[3]);
  } else if (frame[0] == RUNE_CALL_FINISH || trap != 0) {
    frame[0] = trap != 0 ? trap : frame[1];
    frame[6] = (uint32_t)finished & ~1u;
  }
}

__attribute__((naked)) static void supervisor_call(void) {
  __asm__ volatile(
      "mrs r0, psp\n"
      "b answer\n");
}

static void prepare(void) {
  for (uint8_t *byte = (uint8_t *)STACK; byte < (uint8_t *)RAM_END; byte++) *byte = 0;
  perform(RUNE_TASK_INSTANTIATE, ENTRY | 1, STACK);
}

static int32_t infer(void) {
  return perform(RUNE_TASK_RUN, ENTRY | 1, STACK);
}

#else

int32_t run(void);

static void supervisor_call(void) {}

int32_t rune_read(int32_t source, void *pointer, int32_t length) {
  (void)source;
  return (int32_t)take(pointer, (uint32_t)length);
}

int32_t rune_write(int32_t port, const void *pointer, int32_t length) {
  (void)port;
  return (int32_t)give(pointer, (uint32_t)length);
}

static void prepare(void) {}

static int32_t infer(void) {
  return run();
}

#endif

static void put(char letter) {
  UART[0] = (uint8_t)letter;
}

static void put_hexadecimal(uint32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
  if (digits > 2) put(' ');
}

static void start(void) {
  CPACR |= 0xFu << 20;
  __asm__ volatile("dsb\nisb");
  UART[2] = 1;
  prepare();
  SYSTICK[1] = 0xFFFFFF;
  SYSTICK[2] = 0;
  SYSTICK[0] = 5;
  uint32_t before = SYSTICK[2];
  int32_t code = infer();
  uint32_t ticks = (before - SYSTICK[2]) & 0xFFFFFF;
  put_hexadecimal(ticks, 8);
  put_hexadecimal((uint32_t)code, 8);
  for (uint8_t *byte = (uint8_t *)OUTPUT; byte < output; byte++) put_hexadecimal(*byte, 2);
  put('\n');
  register uint32_t reason __asm__("r0") = 0x18;
  register uint32_t detail __asm__("r1") = 0x20026;
  __asm__ volatile("bkpt 0xab" : : "r"(reason), "r"(detail));
  for (;;) {}
}

static void fault(void) {
  put('!');
  for (;;) {}
}

__attribute__((used, section(".vectors"))) static void (*const vectors[16])(void) = {
    (void (*)(void))0x20400000, start, fault, fault, fault, fault, fault, 0, 0, 0, 0, supervisor_call, 0, 0, 0, 0,
};
