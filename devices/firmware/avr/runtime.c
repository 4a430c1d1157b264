#include "runtime.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <setjmp.h>

#include "link.h"
#include "loop.h"

#define DEFAULT_DEADLINE_MS 10000UL
#define RESTARTED 255 /* beside the causes in container_abi.h: the host wants another inference */
#define PAINT 0xA5
#define ANSWER_OVERFLOWS 40 /* of the timer, 164 ms at 16 MHz: then the host hears that it computes */

struct inference inference = {.instantiate = true, .state = IMAGE_LOOPS ? STATE_LOOPS : STATE_NONE};
struct statistics statistics;
uint32_t deadline_cycles = DEFAULT_DEADLINE_MS * (F_CPU / 1000);

static jmp_buf escape;            /* to the end of the inference */
static bool begun;                /* whether `escape` may be used */
static volatile bool computing;   /* the container's own code is at work, nothing of the runtime's */
static volatile uint16_t overflows; /* of the timer: the upper half of the cycle counter */
static uint32_t entered;          /* the cycle in which the container went on last */

extern uint8_t __heap_start; /* the first byte behind all variables */

/* Fills the free RAM, before anything is on the stack, so that the use of the stack can be seen.  It stands between
 * the start-up code's parts and has no frame. */
static void paint(void) __attribute__((naked, used, section(".init3")));
static void paint(void) {
  for (uint8_t *byte = &__heap_start; byte <= (uint8_t *)RAMEND; byte++)
    *byte = PAINT;
}

uint16_t stack_used(void) {
  const uint8_t *byte = &__heap_start;
  while (byte <= (uint8_t *)RAMEND && *byte == PAINT)
    byte++;
  return (uint8_t *)RAMEND + 1 - byte;
}

static uint32_t cycle(void) {
  uint8_t status = SREG;
  cli();
  uint16_t low = TCNT1, high = overflows;
  if ((TIFR1 & _BV(TOV1)) && low < 0x8000)
    high++;
  SREG = status;
  return (uint32_t)high << 16 | low;
}

static void enter_container(void) {
  entered = cycle();
  computing = true;
}

static void leave_container(void) {
  computing = false;
  inference.cycles += cycle() - entered;
}

/* Every 65,536 cycles.  What it interrupts while `computing` is code that nobody else calls and whose memory is set up
 * anew after a fault, so that it may be left for good: longjmp sets the stack and the interrupt flag. */
ISR(TIMER1_OVF_vect) {
  overflows++;
  if (IMAGE_LOOPS)
    loop_tick();
  if (!computing)
    return;
  leave_container();
  if (inference.cycles > deadline_cycles)
    runtime_trap(RUNE_CAUSE_DEADLINE);
  static uint8_t waited;
  waited = link_pending() ? waited + 1 : 0;
  if (waited > ANSWER_OVERFLOWS) {
    sei();
    commands_serve(true);
    cli();
    waited = 0;
  }
  enter_container();
}

void runtime_trap(uint8_t cause) { longjmp(escape, cause); }

/* Sleeps until the next interrupt, unless there is something to do. */
static void rest(void) {
  cli();
  if (!link_pending()) {
    sleep_enable();
    sei(); /* takes effect behind the next instruction */
    sleep_cpu();
    sleep_disable();
  }
  sei();
}

/* A call in the board's own loop, which waits for nobody. */
static uint32_t serve_loop(uint8_t state) {
  uint32_t bytes = state == STATE_WANTS_SAMPLE ? loop_read() : loop_write();
  commands_serve(false);
  enter_container();
  return bytes;
}

/* Answers the host until all bytes have passed, and so the container is busy again. */
static uint32_t exchange(uint8_t state, uint32_t port, uint32_t address, uint32_t bytes) {
  leave_container();
  inference.port = port;
  inference.address = address;
  inference.bytes = bytes;
  inference.passed = 0;
  if (loops())
    return serve_loop(state);
  inference.state = state;
  inference.call++;
  inference.busy = bytes == 0;
  while (!inference.busy) {
    rest();
    commands_serve(false);
  }
  enter_container();
  return bytes;
}

uint32_t runtime_read(uint32_t source, uint32_t address, uint32_t bytes) {
  return exchange(STATE_WANTS_SAMPLE, source, address, bytes);
}

uint32_t runtime_write(uint32_t output, uint32_t address, uint32_t bytes) {
  return exchange(STATE_HAS_OUTPUT, output, address, bytes);
}

static uint32_t progress(void) {
  uint32_t value = 0;
  for (uint8_t i = 4; i-- > 0;)
    value = value << 8 | container_byte(MEMORY_PROGRESS + i);
  return value;
}

/* One inference, to its end or as far as it comes. */
static void infer(void) {
  inference.wanted = false;
#if IMAGE_LOOPS
  inference.stopped = false;
#endif
  inference.cycles = inference.call = 0;
  uint8_t cause = setjmp(escape);
  if (cause == 0) {
    begun = true;
    enter_container();
    if (inference.instantiate)
      container_instantiate();
    inference.instantiate = false;
    inference.code = container_run();
  }
  begun = false;
  if (computing)
    leave_container();
  if (cause == 0) {
    if (loops())
      loop_went_round();
    else
      inference.state = STATE_FINISHED;
    statistics.runs++;
  } else if (cause != RESTARTED) {
    bool looped = loops();
    inference.state = STATE_FAILED;
    inference.cause = statistics.fault_cause = cause;
    inference.progress = statistics.fault_progress = progress();
    statistics.faults++;
    if (looped)
      commands_notify_fault();
  }
  if (cause != 0)
    inference.instantiate = true;
  if (cause == RESTARTED)
    return;
  inference.busy = false;
}

void runtime_served(void) {
  bool unwanted = inference.wanted;
#if IMAGE_LOOPS
  unwanted |= inference.stopped;
#endif
  if (unwanted && begun)
    longjmp(escape, RESTARTED);
}

int main(void) {
  link_init();
  TCCR1B = _BV(CS10); /* ATmega328P data sheet, section 16.11.2: the CPU's clock */
  TIMSK1 = _BV(TOIE1);
  sei();
  for (;;) {
    if (inference.wanted || (loops() && loop_is_due()))
      infer();
    else
      rest();
    commands_serve(false);
  }
}
