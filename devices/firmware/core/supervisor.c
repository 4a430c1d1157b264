#include "supervisor.h"

#include "bytes.h"
#include "cortex_m.h"
#include "mpu.h"
#include "port.h"

#define STACK_PATTERN 0xA5
#define THUMB_STATE 0x01000000u         /* the bit T of xPSR */
#define EXCEPTION_RETURN_TO_PSP 0xFFFFFFFDu /* to thread mode and the process stack, without FPU registers */
#define NO_RETURN_ADDRESS 0xFFFFFFFFu
#define RUNNING_MAGIC 0x52554E21u

/* What the core pushes on entry to an exception (ARMv7-M Architecture Reference Manual, B1.5.6). */
enum frame { R0, R1, R2, R3, R12, LR, PC, XPSR, FRAME_WORDS };

/* Registers of the container while it is stopped, as exceptions.S stores them. */
struct {
  uint32_t *stack;
  uint32_t exception_return;
  uint32_t registers[8]; /* r4 to r11 */
} supervisor_context;
_Static_assert(sizeof(uint32_t *) == 4, "exceptions.S stores 32-bit addresses");

struct supervisor supervisor;

static struct {
  const struct container *container;
  volatile bool inside; /* the container has the processor */
  volatile bool expired;
  volatile uint32_t deadline_ms, slice_ms;
  uint32_t entered; /* port_cycles() when it last went on */
  uint8_t event;
} run;

/* Survives a reset, since startup leaves it alone. */
__attribute__((section(".noinit"))) static volatile uint32_t running;

bool supervisor_init(void) {
  bool was_running = running == RUNNING_MAGIC;
  running = 0;
  cortex_m_init();
  mpu_init();
  return was_running;
}

void supervisor_clear(const struct container *container) {
  uint8_t *ram = (uint8_t *)(uintptr_t)container->header.ram_start;
  memset(ram, STACK_PATTERN, container->header.stack_bytes);
  memset(ram + container->header.stack_bytes, 0, container->header.ram_bytes - container->header.stack_bytes);
}

void supervisor_start(const struct container *container, uint32_t task, uint32_t deadline_ms) {
  run.container = container;
  run.expired = false;
  run.deadline_ms = deadline_ms;
  supervisor.cycles = 0;
  supervisor.mark_count = 0;
  supervisor.fault.cause = 0;
  mpu_open_slot(container->slot);
  cortex_m_reset_fpu();
  uint32_t *frame = (uint32_t *)(uintptr_t)(container->header.ram_start + container->header.stack_bytes) - FRAME_WORDS;
  memset(frame, 0, FRAME_WORDS * sizeof *frame);
  memset(supervisor_context.registers, 0, sizeof supervisor_context.registers);
  frame[R0] = task;
  frame[LR] = NO_RETURN_ADDRESS;
  frame[PC] = container->header.entry;
  frame[XPSR] = THUMB_STATE;
  supervisor_context.stack = frame;
  supervisor_context.exception_return = EXCEPTION_RETURN_TO_PSP;
}

static uint32_t cycles_so_far(void) { return supervisor.cycles + (port_cycles() - run.entered); }

void supervisor_fail(uint32_t cause) {
  supervisor.fault = (struct supervisor_fault){
      .cause = cause,
      .pc = supervisor_context.stack != NULL ? supervisor_context.stack[PC] : 0,
      .operator = *(const int32_t *)(uintptr_t)run.container->header.progress,
      .slot = run.container->slot,
  };
  run.event = SUPERVISOR_FAILED;
}

enum supervisor_event supervisor_resume(uint32_t slice_ms) {
  run.event = SUPERVISOR_PAUSED;
  run.slice_ms = slice_ms;
  running = RUNNING_MAGIC;
  run.entered = port_cycles();
  run.inside = true;
  exceptions_enter();
  run.inside = false;
  supervisor.cycles = cycles_so_far();
  running = 0;
  if (run.expired && run.event != SUPERVISOR_FAILED) supervisor_fail(RUNE_CAUSE_DEADLINE);
  return run.event;
}

void supervisor_reply(uint32_t value) { supervisor_context.stack[R0] = value; }

uint32_t supervisor_stack_used(const struct container *container) {
  const uint8_t *ram = (const uint8_t *)(uintptr_t)container->header.ram_start;
  uint32_t unused = 0;
  while (unused < container->header.stack_bytes && ram[unused] == STACK_PATTERN) unused++;
  return container->header.stack_bytes - unused;
}

void supervisor_interrupt(void) {
  if (run.inside) cortex_m_pend_switch();
}

void supervisor_tick(void) {
  if (!run.inside) return;
  if (run.deadline_ms > 0 && --run.deadline_ms == 0) run.expired = true;
  if (run.slice_ms > 0) run.slice_ms--;
  if (run.expired || run.slice_ms == 0) cortex_m_pend_switch();
}

static void mark(int32_t operator) {
  if (supervisor.mark_count >= SUPERVISOR_MARKS) return;
  supervisor.marks[supervisor.mark_count++] = (struct supervisor_mark){operator, cycles_so_far()};
}

static bool transfer(const uint32_t *frame, enum supervisor_event event) {
  supervisor.port = frame[R1];
  supervisor.address = frame[R2];
  supervisor.bytes = frame[R3];
  bool owns = event == SUPERVISOR_READ
                  ? container_owns_ram(run.container, supervisor.address, supervisor.bytes)
                  : container_owns(run.container, supervisor.address, supervisor.bytes);
  if (!owns) return false;
  run.event = (uint8_t)event;
  return true;
}

/* From the SVC handler: whether the agent must see to a call of the container; `frame` is on its stack. */
bool supervisor_call(uint32_t *frame) {
  supervisor_context.stack = frame;
  bool right = true;
  switch (frame[R0]) {
    case RUNE_CALL_MARK: mark((int32_t)frame[R1]); return false;
    case RUNE_CALL_READ: right = transfer(frame, SUPERVISOR_READ); break;
    case RUNE_CALL_WRITE: right = transfer(frame, SUPERVISOR_WRITE); break;
    case RUNE_CALL_FINISH:
      supervisor.code = (int32_t)frame[R1];
      run.event = SUPERVISOR_FINISHED;
      break;
    case RUNE_CALL_TRAP:
      if (frame[R1] >= RUNE_CAUSE_MEMORY && frame[R1] <= RUNE_CAUSE_STACK) {
        supervisor_fail(frame[R1]);
        break;
      }
      right = false;
      break;
    default: right = false;
  }
  if (!right) supervisor_fail(RUNE_CAUSE_CALL);
  return true;
}

/* From the fault handlers, for faults of the container. */
void supervisor_faulted(uint32_t *frame) {
  uint32_t stack = (uint32_t)(uintptr_t)frame;
  bool has_frame = stack % 4 == 0 && container_owns_ram(run.container, stack, FRAME_WORDS * sizeof *frame);
  supervisor_context.stack = has_frame ? frame : NULL;
  supervisor_fail(cortex_m_fault_cause(stack < run.container->header.ram_start));
}
