/* SMP group 64, which is ours: the container at work (docs/device-protocol.md). */
#include "agent.h"
#include "board.h"
#include "bytes.h"
#include "framing.h"
#include "notify.h"
#include "port.h"
#include "session.h"
#include "smp.h"
#include "startup.h"
#include "storage.h"

#define FACTS 0
#define CONTROL 1
#define RUN 2
#define FEED 3
#define TAKE 4
#define STATISTICS 5

/* Pairs of key and value that are the same for the life of an agent: encoded when it is built. */
static const uint8_t constant_facts[] = AGENT_FACTS;

static void put_capabilities(struct cbor_writer *answer) {
  cbor_text(answer, "caps");
  cbor_array_begin(answer);
  cbor_text(answer, "rand");
  if (port_capabilities & PORT_TEMPERATURE) cbor_text(answer, "temperature");
  if (port_capabilities & PORT_ADC) cbor_text(answer, "adc");
  if (port_capabilities & PORT_PIN) cbor_text(answer, "pin");
  cbor_end(answer);
}

static void put_container(struct cbor_writer *answer) {
  const struct container *container = session_container();
  if (container == NULL) return;
  cbor_text(answer, "container");
  cbor_bytes(answer, container->header.container_sha256, sizeof container->header.container_sha256);
}

static enum smp_result facts(struct cbor_map *request, struct cbor_writer *answer) {
  (void)request;
  char serial[17];
  port_serial_number(serial);
  cbor_map_begin(answer);
  cbor_encoded(answer, constant_facts, sizeof constant_facts);
  cbor_put_text(answer, "serial", serial);
  cbor_put_uint(answer, "hz", port_cycles_hz());
  put_capabilities(answer);
  put_container(answer);
  cbor_end(answer);
  return SMP_OK;
}

static enum smp_result control(struct cbor_map *request, struct cbor_writer *answer) {
  bool run = false, start = false;
  uint32_t seconds = 0, deadline_ms = 0;
  bool has_run = cbor_get_bool(request, "run", &run);
  (void)cbor_get_bool(request, "start", &start);
  bool has_notify = cbor_get_uint(request, "notify", &seconds);
  bool has_deadline = cbor_get_uint(request, "deadline", &deadline_ms);
  if (request->wrong || (has_deadline && deadline_ms == 0)) return SMP_INVALID;
  if (has_deadline) session_set_deadline(deadline_ms);
  if (has_notify) notify_for(seconds);
  if (start) session_start();
  if (has_run && !session_loop(run)) return SMP_NOT_SUPPORTED;
  session_settle();
  session_put_state(answer, NULL);
  return SMP_OK;
}

static enum smp_result run(struct cbor_map *request, struct cbor_writer *answer) {
  uint32_t number = 0;
  bool reset = false;
  (void)cbor_get_bool(request, "reset", &reset);
  if (!cbor_get_uint(request, "n", &number) || request->wrong) return SMP_INVALID;
  session_begin(number, reset);
  session_settle();
  session_put_state(answer, NULL);
  return SMP_OK;
}

/* Where a request says it belongs; without `call`, to the present one. */
static bool get_place(struct cbor_map *request, struct session_place *place) {
  place->call = session_call();
  (void)cbor_get_uint(request, "call", &place->call);
  return cbor_get_uint(request, "n", &place->number) && cbor_get_uint(request, "off", &place->offset) &&
         !request->wrong;
}

static enum smp_result feed(struct cbor_map *request, struct cbor_writer *answer) {
  struct session_place place;
  const uint8_t *data = NULL;
  uint32_t length = 0;
  if (!get_place(request, &place) || !cbor_get_bytes(request, "data", &data, &length)) return SMP_INVALID;
  session_feed(&place, data, length);
  session_settle();
  session_put_state(answer, NULL);
  return SMP_OK;
}

static enum smp_result take(struct cbor_map *request, struct cbor_writer *answer) {
  struct session_place place;
  if (!get_place(request, &place)) return SMP_INVALID;
  session_take(&place);
  session_settle();
  session_put_state(answer, session_call() == place.call ? &place.offset : NULL);
  return SMP_OK;
}

/* Marks are points in time; the answer has the time from each to the next. */
static void put_marks(struct cbor_writer *answer) {
  cbor_text(answer, "marks");
  cbor_array_begin(answer);
  for (uint32_t i = 0; i < supervisor.mark_count; i++) {
    uint32_t end = i + 1 < supervisor.mark_count ? supervisor.marks[i + 1].cycles : supervisor.cycles;
    cbor_array_begin(answer);
    cbor_int(answer, supervisor.marks[i].operator);
    cbor_uint(answer, end - supervisor.marks[i].cycles);
    cbor_end(answer);
  }
  cbor_end(answer);
}

static void put_memory_used(struct cbor_writer *answer) {
  const struct container *container = session_container();
  if (container != NULL) {
    uint32_t stack = supervisor_stack_used(container);
    cbor_put_uint(answer, "stack", stack);
    cbor_put_uint(answer, "ram", container->header.ram_bytes - container->header.stack_bytes + stack);
  }
  cbor_put_uint(answer, "agent", startup_stack_used());
}

static void put_last_fault(struct cbor_writer *answer) {
  const struct supervisor_fault *fault = &session_statistics.last_fault;
  if (fault->cause == 0) return;
  cbor_text(answer, "fault");
  cbor_map_begin(answer);
  notify_put_fault(answer, fault);
  if (fault->slot != STORAGE_NONE) cbor_put_uint(answer, "slot", (uint32_t)fault->slot);
  cbor_end(answer);
}

static enum smp_result statistics(struct cbor_map *request, struct cbor_writer *answer) {
  (void)request;
  cbor_map_begin(answer);
  cbor_put_uint(answer, "runs", session_statistics.runs);
  cbor_put_uint(answer, "faults", session_statistics.faults);
  cbor_put_uint(answer, "cycles", supervisor.cycles);
  put_marks(answer);
  put_memory_used(answer);
  put_last_fault(answer);
  cbor_end(answer);
  return SMP_OK;
}

const struct smp_entry container_group[] = {
    {FACTS, false, facts}, {CONTROL, true, control}, {RUN, true, run},  {FEED, true, feed},
    {TAKE, true, take},    {STATISTICS, false, statistics}, {0, false, NULL},
};
