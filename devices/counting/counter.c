/* Counts the instructions of a container between its calls, in an emulated Cortex-M in the place of its agent.
 *
 * The emulator lets an instruction take one nanosecond of the board's time, and SysTick counts the core's clock, whose
 * period is n / d nanoseconds, in lowest terms.  A single reading is therefore exact to n / d instructions.  The sum of
 * n readings is exact to one: of those taken at times x, x + 7, ..., x + 7 (n - 1), where n and 7 have no common
 * factor,
 *
 *     floor(x d / n) + floor((x + 7) d / n) + ... = x d + constant,
 *
 * because the remainders of the n quotients are 0 to n - 1 in some order (Hermite's identity).  That is what stamp()
 * takes when a container's call begins, and again before the container goes on; devices/counting/log.py computes with
 * it.
 *
 * Before the container a piece of code runs whose instructions are known: see calibrate(). */
#include <stdint.h>

#include "board.h"
#include "container_abi.h"
#include "counter.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#define SYST_FROM_CORE 7u /* enabled, with interrupt, from the core's clock */
#define SYST_LARGEST 0xFFFFFFu
#define AIRCR REGISTER(0xE000ED0C)
#define AIRCR_SYSRESETREQ 0x05FA0004u
#define CPACR REGISTER(0xE000ED88)
#define CPACR_FPU (15u << 20)
#define FPCCR REGISTER(0xE000EF34)
#define FPCCR_NO_STACKING 0u
#define THUMB_STATE 0x01000000u /* the bit T of xPSR */

/* What the core pushes on entry to an exception (ARMv7-M Architecture Reference Manual, B1.5.6). */
enum frame { R0, R1, R2, R3, R12, LR, PC, XPSR, FRAME_WORDS };

/* What the host puts into the flash (devices/counting/run.py). */
struct sample {
  uint32_t number, address, bytes;
};
struct parameters {
  uint32_t entry, stack, ram_start, ram_end, log_start, log_end, sample_count;
  struct sample samples[];
};
#define PARAMETERS ((const volatile struct parameters *)BOARD_FLASH_RECORDS_START)

struct stamp {
  uint32_t wraps; /* of SysTick, as often as its interrupt was taken; bit 31: one more is pending */
  uint32_t base;  /* SysTick counts down from here on */
  uint32_t ticks; /* since `base`, summed over the readings */
};
struct event {
  uint32_t call, argument;
  struct stamp begin, end;
};

/* What the host reads when the counter has reset the board. */
enum status { NOTHING, FINISHED, TRAPPED, FAULTED, LOG_FULL };
__attribute__((section(".result"), used)) static volatile struct {
  uint32_t status, value, pc, events;
} result;

enum phase { CALIBRATE, INSTANTIATE, RUN };
static uint32_t phase;
__attribute__((used)) static volatile uint32_t wraps;
__attribute__((used)) static struct event *next;

__attribute__((naked, used)) static void stamp(void) {
  __asm__ volatile(
      "push {r4-r6, lr}\n"
      "ldr r1, =0xE000E018\n"
      "ldr r2, [r1]\n"
      "movs r3, #0\n"
      "movs r4, %0\n"
      "ldr r5, =0xFFFFFF\n"
      "1: ldr r6, [r1]\n" /* seven instructions from one reading to the next */
      "subs r6, r2, r6\n"
      "ands r6, r5\n"
      "adds r3, r3, r6\n"
      "nop\n"
      "subs r4, #1\n"
      "bne 1b\n"
      "ldr r1, =0xE000ED04\n"
      "ldr r4, [r1]\n"
      "lsrs r4, r4, #26\n" /* PENDSTSET */
      "lsls r4, r4, #31\n"
      "ldr r5, =wraps\n"
      "ldr r5, [r5]\n"
      "orrs r4, r5\n"
      "stmia r0!, {r4}\n"
      "stmia r0!, {r2, r3}\n"
      "pop {r4-r6, pc}\n"
      ".ltorg\n"
      :
      : "i"(COUNTER_READINGS));
}

__attribute__((naked)) static void systick_handler(void) {
  __asm__ volatile(
      "ldr r0, =wraps\n" /* COUNTER_TICK_INSTRUCTIONS of them */
      "ldr r1, [r0]\n"
      "adds r1, #1\n"
      "str r1, [r0]\n"
      "bx lr\n"
      ".ltorg\n");
}

/* The time between two stamps of an event does not count: only the way to the first and from the second must always
 * be the same. */
__attribute__((naked)) static void svc_handler(void) {
  __asm__ volatile(
      "push {r4, lr}\n"
      "ldr r4, =next\n"
      "ldr r4, [r4]\n"
      "movs r0, r4\n"
      "adds r0, #8\n"
      "bl stamp\n"
      "mrs r0, psp\n"
      "movs r1, r4\n"
      "bl answer\n"
      "movs r0, r4\n"
      "adds r0, #20\n"
      "bl stamp\n"
      "pop {r4, pc}\n"
      ".ltorg\n");
}

/* Two calls, one right after the other: what a call costs by itself.  Then COUNTER_KNOWN instructions more. */
__attribute__((naked, noreturn, used)) static void calibrate(void) {
  __asm__ volatile(
      "movs r0, %0\n"
      "movs r1, #0\n"
      "svc #0\n"
      "svc #0\n"
      ".rept %c1\n nop\n .endr\n"
      "svc #0\n"
      "movs r0, %2\n"
      "svc #0\n"
      :
      : "i"(RUNE_CALL_MARK), "i"(COUNTER_KNOWN), "i"(RUNE_CALL_FINISH));
}

static _Noreturn void end(enum status status, uint32_t value, uint32_t pc) {
  result.status = status;
  result.value = value;
  result.pc = pc;
  result.events = (uint32_t)(next - (struct event *)PARAMETERS->log_start);
  __asm__ volatile("dsb" ::: "memory");
  AIRCR = AIRCR_SYSRESETREQ;
  for (;;) {
  }
}

static void start(uint32_t task) {
  uint32_t *frame = (uint32_t *)PARAMETERS->stack - FRAME_WORDS;
  frame[R0] = task;
  frame[PC] = PARAMETERS->entry;
  frame[XPSR] = THUMB_STATE;
  __asm__ volatile("msr psp, %0" ::"r"(frame));
}

static void finish(uint32_t code, uint32_t pc) {
  if (phase == RUN || code != 0) end(FINISHED, code, pc);
  phase++;
  start(phase == INSTANTIATE ? RUNE_TASK_INSTANTIATE : RUNE_TASK_RUN);
}

static uint32_t read(uint32_t number, uint32_t address, uint32_t bytes) {
  uint32_t ram_start = PARAMETERS->ram_start, ram_end = PARAMETERS->ram_end;
  if (address < ram_start || address > ram_end || bytes > ram_end - address) return 0;
  for (uint32_t i = 0; i < PARAMETERS->sample_count; i++) {
    const volatile struct sample *sample = &PARAMETERS->samples[i];
    if (sample->number != number || sample->bytes != bytes) continue;
    const volatile uint8_t *from = (const volatile uint8_t *)sample->address;
    for (uint32_t k = 0; k < bytes; k++) ((volatile uint8_t *)address)[k] = from[k];
    return bytes;
  }
  return 0;
}

__attribute__((used)) static void answer(uint32_t *frame, struct event *event) {
  event->call = frame[R0];
  event->argument = frame[R1];
  next = event + 1;
  if ((uint32_t)(next + 1) > PARAMETERS->log_end) end(LOG_FULL, 0, frame[PC]);
  switch (event->call) {
    case RUNE_CALL_MARK: break;
    case RUNE_CALL_READ: frame[R0] = read(frame[R1], frame[R2], frame[R3]); break;
    case RUNE_CALL_WRITE: frame[R0] = frame[R3]; break;
    case RUNE_CALL_FINISH: finish(event->argument, frame[PC]); break;
    case RUNE_CALL_TRAP: end(TRAPPED, event->argument, frame[PC]);
    default: end(TRAPPED, RUNE_CAUSE_CALL, frame[PC]);
  }
}

static void fault_handler(void) {
  uint32_t *frame;
  __asm__ volatile("mrs %0, psp" : "=r"(frame));
  uint32_t address = (uint32_t)frame;
  if (address < PARAMETERS->ram_start) end(FAULTED, RUNE_CAUSE_STACK, 0);
  end(FAULTED, RUNE_CAUSE_FAULT, address % 4 == 0 && address < PARAMETERS->stack ? frame[PC] : 0);
}

__attribute__((used)) static void prepare(void) {
#if COUNTER_FPU
  CPACR |= CPACR_FPU;
  FPCCR = FPCCR_NO_STACKING;
  __asm__ volatile("dsb\nisb");
#endif
  next = (struct event *)PARAMETERS->log_start;
  SYST_RVR = SYST_LARGEST;
  SYST_CVR = 0;
  SYST_CSR = SYST_FROM_CORE;
}

__attribute__((naked, used)) static void reset_handler(void) {
  __asm__ volatile(
      "bl prepare\n"
      "ldr r0, =%c0\n"
      "ldr r0, [r0, #4]\n" /* the stack of the parameters */
      "msr psp, r0\n"
      "movs r0, #3\n" /* the process stack, unprivileged */
      "msr control, r0\n"
      "isb\n"
      "bl calibrate\n"
      ".ltorg\n"
      :
      : "i"(BOARD_FLASH_RECORDS_START));
}

#define VECTORS 16
__attribute__((used, section(".vectors"))) static void (*const vectors[VECTORS])(void) = {
    (void (*)(void))(BOARD_RAM_AGENT_START + BOARD_RAM_AGENT_SIZE),
    reset_handler,
    [3] = fault_handler,
    [11] = svc_handler,
    [15] = systick_handler,
};
