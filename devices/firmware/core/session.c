#include "session.h"

#include "bytes.h"
#include "clock.h"
#include "notify.h"
#include "outputs.h"
#include "sources.h"
#include "storage.h"

#define DEFAULT_DEADLINE_MS 10000
#define SLICE_MS 20
#define SETTLE_MS 200
#define DATA_MARGIN 16 /* bytes of an answer beside the state and the data: their heads, and the map's end */

struct session_statistics session_statistics;

static struct {
  struct container container;
  bool loaded;    /* there is a container */
  bool prepared;  /* it is between two tasks, and its memory is as it left it */
  bool inferring; /* the task at work is RUN; otherwise it is INSTANTIATE */
  bool hosted;    /* inference `number` is the host's */
  bool loop;      /* inferences are the board's own */
  uint8_t state;  /* enum session_state; a loop is BUSY or, between inferences, IDLE */
  uint32_t number;
  uint32_t calls;  /* READ and WRITE in this inference */
  uint32_t offset; /* in the sample or value */
  uint32_t deadline_ms; /* 0 until it is set */
  uint32_t finished_ms; /* when the last inference of the loop ended */
} session;

static void start_task(uint32_t task) {
  session.state = SESSION_BUSY;
  session.prepared = false;
  session.inferring = task == RUNE_TASK_RUN;
  session.calls = 0;
  supervisor_start(&session.container, task, session.deadline_ms ? session.deadline_ms : DEFAULT_DEADLINE_MS);
}

/* Takes up the container that storage has chosen and begins to instantiate it. */
static void load(void) {
  session.container.slot = storage_active();
  session.loaded = storage_image(session.container.slot, &session.container.header);
  session.prepared = false;
  session.state = SESSION_EMPTY;
  if (!session.loaded) return;
  supervisor_clear(&session.container);
  start_task(RUNE_TASK_INSTANTIATE);
}

static void load_for_board(void) {
  load();
  session.hosted = false;
  session.number = 0;
  session.loop = session.loaded && sources_are_the_boards(&session.container);
}

void session_start(void) {
  storage_start();
  load_for_board();
}

void session_was_reset(void) {
  session_statistics.faults++;
  session_statistics.last_fault =
      (struct supervisor_fault){.cause = RUNE_CAUSE_RESET, .operator = -1, .slot = STORAGE_NONE};
}

/* A container that is only tried is given up at its first fault.  In its place the confirmed one goes on, but not
 * before the host whose inference it was has begun another. */
static void fail(void) {
  session_statistics.faults++;
  session_statistics.last_fault = supervisor.fault;
  session.state = SESSION_FAILED;
  if (session.loop) notify_fault(session.number, &supervisor.fault);
  session.loop = false;
  if (storage_reject() && !session.hosted) load_for_board();
}

static void finish(void) {
  session.prepared = true;
  session.state = SESSION_IDLE;
  if (!session.inferring) {
    if (session.hosted) start_task(RUNE_TASK_RUN);
    return;
  }
  session_statistics.runs++;
  if (session.hosted) session.state = SESSION_FINISHED;
  if (!session.loop) return;
  session.number++;
  session.finished_ms = clock_ms();
}

static const void *call_data(void) { return (const void *)(uintptr_t)supervisor.address; }

static void read_sensor(void) {
  const struct rune_port *port = container_port(&session.container, RUNE_PORT_SOURCE, supervisor.port);
  supervisor_reply(port == NULL ? 0 : sources_read(port, (uint8_t *)(uintptr_t)supervisor.address, supervisor.bytes));
}

static void write_output(void) {
  const struct rune_port *port = container_port(&session.container, RUNE_PORT_OUTPUT, supervisor.port);
  if (port != NULL) outputs_write(&session.container, port, call_data(), supervisor.bytes);
  notify_output(session.number, supervisor.port, call_data(), supervisor.bytes);
  supervisor_reply(supervisor.bytes);
}

static void call(enum supervisor_event event) {
  session.calls++;
  if (!session.inferring) {
    supervisor_fail(RUNE_CAUSE_CALL);
    fail();
  } else if (supervisor.bytes == 0) {
    supervisor_reply(0);
  } else if (session.loop) {
    (event == SUPERVISOR_READ ? read_sensor : write_output)();
  } else {
    session.offset = 0;
    session.state = event == SUPERVISOR_READ ? SESSION_SAMPLE : SESSION_VALUE;
  }
}

static void handle(enum supervisor_event event) {
  switch (event) {
    case SUPERVISOR_PAUSED: break;
    case SUPERVISOR_FINISHED: finish(); break;
    case SUPERVISOR_FAILED: fail(); break;
    default: call(event);
  }
}

static bool rested(void) { return clock_ms() - session.finished_ms >= sources_period_ms(&session.container); }

bool session_step(void) {
  if (session.loop && session.prepared && rested()) start_task(RUNE_TASK_RUN);
  if (session.state != SESSION_BUSY) return false;
  handle(supervisor_resume(SLICE_MS));
  return true;
}

void session_settle(void) {
  uint32_t begun = clock_ms();
  while (!session.loop && clock_ms() - begun < SETTLE_MS && session_step()) {
  }
}

void session_begin(uint32_t number, bool reset) {
  if (session.hosted && session.number == number) return;
  session.loop = false;
  session.hosted = true;
  session.number = number;
  if (reset || !session.prepared) {
    load();
  } else {
    start_task(RUNE_TASK_RUN);
  }
}

static bool is_here(const struct session_place *place, enum session_state state) {
  return session.hosted && session.state == state && session.number == place->number && session.calls == place->call;
}

void session_feed(const struct session_place *place, const uint8_t *data, uint32_t length) {
  if (!is_here(place, SESSION_SAMPLE) || place->offset != session.offset) return;
  uint32_t left = supervisor.bytes - session.offset;
  if (length > left) length = left;
  memcpy((uint8_t *)(uintptr_t)supervisor.address + session.offset, data, length);
  session.offset += length;
  if (session.offset < supervisor.bytes) return;
  supervisor_reply(supervisor.bytes);
  session.state = SESSION_BUSY;
}

void session_take(const struct session_place *place) {
  if (!is_here(place, SESSION_VALUE) || place->offset > supervisor.bytes) return;
  session.offset = place->offset;
  if (session.offset < supervisor.bytes) return;
  supervisor_reply(supervisor.bytes);
  session.state = SESSION_BUSY;
}

uint32_t session_call(void) { return session.calls; }

bool session_loop(bool run) {
  if (run && !(session.loaded && sources_are_the_boards(&session.container))) return false;
  if (run == session.loop) return true;
  session.loop = run;
  session.hosted = false;
  session.number = 0;
  if (!session.prepared) {
    load();
  } else {
    session.state = SESSION_IDLE;
  }
  return true;
}

void session_set_deadline(uint32_t milliseconds) { session.deadline_ms = milliseconds; }

const struct container *session_container(void) { return session.loaded ? &session.container : NULL; }

static void put_call(struct cbor_writer *answer, const uint32_t *value) {
  cbor_put_uint(answer, "port", supervisor.port);
  cbor_put_uint(answer, "len", supervisor.bytes);
  cbor_put_uint(answer, "off", session.offset);
  cbor_put_uint(answer, "call", session.calls);
  if (session.state != SESSION_VALUE || value == NULL || *value >= supervisor.bytes) return;
  size_t room = (size_t)(answer->end - answer->at), length = supervisor.bytes - *value;
  if (room < DATA_MARGIN) return;
  if (length > room - DATA_MARGIN) length = room - DATA_MARGIN;
  cbor_text(answer, "data");
  cbor_bytes(answer, (const uint8_t *)call_data() + *value, length);
}

static void put_details(struct cbor_writer *answer, const uint32_t *value) {
  switch (session.state) {
    case SESSION_SAMPLE:
    case SESSION_VALUE: put_call(answer, value); break;
    case SESSION_FINISHED:
      cbor_put_int(answer, "code", supervisor.code);
      cbor_put_uint(answer, "cycles", supervisor.cycles);
      break;
    case SESSION_FAILED:
      cbor_put_uint(answer, "cycles", supervisor.cycles);
      notify_put_fault(answer, &session_statistics.last_fault);
      break;
    default: break;
  }
}

void session_put_state(struct cbor_writer *answer, const uint32_t *value) {
  cbor_map_begin(answer);
  cbor_put_uint(answer, "st", session.loop ? SESSION_LOOP : session.state);
  cbor_put_uint(answer, "n", session.number);
  if (!session.loop) put_details(answer, value);
  cbor_end(answer);
}
