/* The commands of docs/device-protocol.md that an AVR image answers.
 *
 * A request is read whole before its answer is written over it.  Keys and fixed answers lie in program memory: of 2 KB
 * of RAM none is spent on text. */
#include <avr/pgmspace.h>
#include <stddef.h>
#include <string.h>

#include "link.h"
#include "loop.h"
#include "runtime.h"

/* The SMP header; numbers are big-endian. */
#define OPERATION 0
#define LENGTH 2
#define GROUP 4
#define COMMAND 7
#define HEADER_BYTES 8
#define OPERATION_MASK 7
#define OPERATION_ANSWER 1 /* added to that of a request, read (0) or write (2) */
#define OPERATION_WRITE_ANSWER 3

#define GROUP_OS 0
#define OS_ECHO 0
#define OS_PARAMETERS 6
#define GROUP_CONTAINER 64
#define CONTAINER_FACTS 0
#define CONTAINER_CONTROL 1
#define CONTAINER_RUN 2
#define CONTAINER_FEED 3
#define CONTAINER_TAKE 4
#define CONTAINER_STATISTICS 5
#define CONTAINER_OUTPUT 6

#define ERROR_INVALID 3
#define ERROR_STATE 6
#define ERROR_UNSUPPORTED 8

#define CRC_BYTES 2
#define LARGEST_PACKET (LINK_BYTES - CRC_BYTES)
#define LONGEST_DEADLINE_MS (UINT32_MAX / (F_CPU / 1000)) /* the cycle counter has 32 bits */

/* CBOR, RFC 8949: major types and the bytes that stand for themselves. */
#define UNSIGNED 0x00
#define NEGATIVE 0x20
#define BYTES 0x40
#define TEXT 0x60
#define MAP 0xA0
#define MAP_BEGIN 0xBF
#define ARRAY 0x80
#define SIMPLE 0xE0
#define FALSE_VALUE 0xF4
#define TRUE_VALUE 0xF5
#define END 0xFF

/* The facts never change: the build writes them as CBOR. */
static const uint8_t facts[] PROGMEM = {IMAGE_FACTS};

/* Every key that a request can have, found or not. */
struct request {
  uint32_t n, call, off, deadline;
  bool has_n, has_call, has_off, has_deadline;
  bool reset;
  bool has_other; /* asks for what only boards with an agent, or with a loop, can do */
#if IMAGE_LOOPS
  uint32_t notify;
  bool has_notify;
  uint8_t run; /* TRUE_VALUE, FALSE_VALUE, or neither */
#endif
  const uint8_t *data; /* of `data` or `d` */
  uint8_t data_bytes;
};

/* Reading. */

struct reader {
  const uint8_t *at;
  const uint8_t *end;
  bool wrong;
};

struct item {
  uint8_t major;
  uint32_t value; /* a number, or the length of a text */
};

static uint8_t next(struct reader *reader) {
  if (reader->at < reader->end)
    return *reader->at++;
  reader->wrong = true;
  return 0;
}

static struct item read_item(struct reader *reader) {
  uint8_t first = next(reader);
  struct item item = {first & 0xE0, first & 0x1F};
  if (item.value < 24)
    return item;
  uint8_t width = item.value - 24;
  if (width > 2) /* more than 32 bits, or of no definite length */
    reader->wrong = true;
  item.value = 0;
  for (uint8_t bytes = 1 << width; bytes > 0 && !reader->wrong; bytes--)
    item.value = item.value << 8 | next(reader);
  return item;
}

/* The contents of a text. */
static const uint8_t *read_contents(struct reader *reader, uint32_t bytes) {
  const uint8_t *contents = reader->at;
  if (bytes > (uint16_t)(reader->end - contents))
    reader->wrong = true;
  else
    reader->at += bytes;
  return contents;
}

static bool is(const uint8_t *key, uint32_t bytes, const char *name) {
  return bytes == strlen_P(name) && memcmp_P(key, name, bytes) == 0;
}

static void read_number(struct reader *reader, uint32_t *value, bool *found) {
  struct item item = read_item(reader);
  *value = item.value;
  *found = true;
  reader->wrong |= item.major != UNSIGNED;
}

static void read_data(struct reader *reader, struct request *request) {
  struct item item = read_item(reader);
  reader->wrong |= item.major != BYTES && item.major != TEXT;
  request->data = read_contents(reader, item.value);
  request->data_bytes = item.value;
}

static void skip_value(struct reader *reader) {
  struct item item = read_item(reader);
  if (item.major == BYTES || item.major == TEXT)
    read_contents(reader, item.value);
  else if (item.major >= ARRAY && item.major < SIMPLE)
    reader->wrong = true; /* no command has such values */
}

static void read_run(struct reader *reader, struct request *request) {
#if IMAGE_LOOPS
  request->run = next(reader);
#else
  request->has_other |= next(reader) == TRUE_VALUE;
#endif
}

static void read_other(struct reader *reader, struct request *request) {
  request->has_other = true;
  skip_value(reader);
}

static void read_pair(struct reader *reader, struct request *request) {
  struct item item = read_item(reader);
  const uint8_t *key = read_contents(reader, item.value);
  if (item.major != TEXT || reader->wrong)
    reader->wrong = true;
  else if (is(key, item.value, PSTR("n")))
    read_number(reader, &request->n, &request->has_n);
  else if (is(key, item.value, PSTR("call")))
    read_number(reader, &request->call, &request->has_call);
  else if (is(key, item.value, PSTR("off")))
    read_number(reader, &request->off, &request->has_off);
  else if (is(key, item.value, PSTR("deadline")))
    read_number(reader, &request->deadline, &request->has_deadline);
  else if (is(key, item.value, PSTR("data")) || is(key, item.value, PSTR("d")))
    read_data(reader, request);
  else if (is(key, item.value, PSTR("reset")))
    request->reset = next(reader) == TRUE_VALUE;
  else if (is(key, item.value, PSTR("run")))
    read_run(reader, request);
#if IMAGE_LOOPS
  else if (is(key, item.value, PSTR("notify")))
    read_number(reader, &request->notify, &request->has_notify);
#endif
  else
    read_other(reader, request);
}

/* Whether the packet holds one well-formed map. */
static bool read_request(struct request *request, uint8_t length) {
  struct reader reader = {link_buffer + HEADER_BYTES, link_buffer + length, false};
  memset(request, 0, sizeof *request);
  struct item map = read_item(&reader);
  reader.wrong |= map.major != MAP || map.value > LINK_BYTES;
  for (uint8_t pairs = map.value; pairs > 0 && !reader.wrong; pairs--)
    read_pair(&reader, request);
  return !reader.wrong && reader.at == reader.end;
}

/* Writing.  The longest answer, statistics, fits the smallest buffer; `put` guards that. */

static uint8_t written;
static bool overdue; /* an answer is due even while the container computes */

static void put(uint8_t byte) {
  if (written < LARGEST_PACKET)
    link_packet[written++] = byte;
}

static void put_item(uint8_t major, uint32_t value) {
  if (value < 24) {
    put(major | value);
    return;
  }
  uint8_t width = value > 0xFFFF ? 2 : value > 0xFF;
  put(major | (24 + width));
  for (uint8_t byte = 1 << width; byte-- > 0;)
    put(value >> (8 * byte));
}

static void put_key(const char *key) {
  uint8_t length = strlen_P(key);
  put_item(TEXT, length);
  while (length-- > 0)
    put(pgm_read_byte(key++));
}

static void put_number(const char *key, uint32_t value) {
  put_key(key);
  put_item(UNSIGNED, value);
}

static void put_signed(const char *key, int32_t value) {
  put_key(key);
  put_item(value < 0 ? NEGATIVE : UNSIGNED, value < 0 ? ~value : value);
}

static void put_error(uint8_t error) {
  written = HEADER_BYTES;
  put_item(MAP, 1);
  put_number(PSTR("rc"), error);
}

static void put_fault(uint8_t cause, int32_t progress) {
  put_number(PSTR("cause"), cause);
  put_number(PSTR("pc"), 0);
  put_signed(PSTR("op"), progress);
}

static void put_place(void) {
  put_number(PSTR("port"), inference.port);
  put_number(PSTR("len"), inference.bytes);
  put_number(PSTR("off"), inference.passed);
}

/* A state without its closing END, so that `take` can go on. */
static void put_state(void) {
  uint8_t state = inference.busy ? STATE_COMPUTES : inference.state;
  put(MAP_BEGIN);
  put_number(PSTR("st"), state);
  put_number(PSTR("n"), inference.number);
  switch (state) {
  case STATE_WANTS_SAMPLE:
  case STATE_HAS_OUTPUT:
    put_place();
    put_number(PSTR("call"), inference.call);
    break;
  case STATE_FINISHED:
    put_signed(PSTR("code"), inference.code);
    put_number(PSTR("cycles"), inference.cycles);
    break;
  case STATE_FAILED:
    put_fault(inference.cause, inference.progress);
    put_number(PSTR("cycles"), inference.cycles);
    break;
  }
}

/* Commands; each writes its answer. */

static void echo(const struct request *request) {
  /* The text moves to the front, if anywhere: what is written never reaches what is still to be read. */
  put_item(MAP, 1);
  put_key(PSTR("r"));
  put_item(TEXT, request->data_bytes);
  for (uint8_t i = 0; i < request->data_bytes; i++)
    put(request->data[i]);
}

static void parameters(void) {
  put_item(MAP, 2);
  put_number(PSTR("buf_size"), IMAGE_BUFFER_BYTES);
  put_number(PSTR("buf_count"), 1);
}

/* Commands that answer a state; each returns an error, or 0. */

#if IMAGE_LOOPS
static void control_loop(const struct request *request) {
  if (request->has_notify)
    loop_notify_for(request->notify);
  bool run = request->run == TRUE_VALUE;
  if (run == loops() || (!run && request->run != FALSE_VALUE))
    return;
  inference.state = run ? STATE_LOOPS : STATE_NONE;
  inference.number = 0;
  inference.wanted = inference.busy = false;
  inference.stopped = true;
}
#endif

static uint8_t control(const struct request *request) {
  if (request->has_other)
    return ERROR_UNSUPPORTED;
  if (request->deadline > LONGEST_DEADLINE_MS)
    return ERROR_INVALID;
  if (request->has_deadline)
    deadline_cycles = request->deadline * (F_CPU / 1000);
#if IMAGE_LOOPS
  control_loop(request);
#endif
  return 0;
}

static uint8_t run(const struct request *request) {
  if (!request->has_n)
    return ERROR_INVALID;
  if (inference.state == STATE_NONE || loops() || request->n != inference.number) {
    if (loops())
      inference.state = STATE_COMPUTES; /* it is the host's from now on */
    inference.number = request->n;
    inference.instantiate |= request->reset;
    inference.wanted = inference.busy = true;
  }
  return 0;
}

/* Whether it is the present call of the present inference that is meant, and it waits. */
static bool waits(const struct request *request, uint8_t state) {
  return request->n == inference.number && (!request->has_call || request->call == inference.call) &&
         inference.state == state && !inference.busy;
}

static uint8_t feed(const struct request *request) {
  if (!request->has_n || !request->has_off)
    return ERROR_INVALID;
  if (!waits(request, STATE_WANTS_SAMPLE) || request->off != inference.passed ||
      request->data_bytes > inference.bytes - inference.passed)
    return 0;
  memcpy(container_memory + (uint16_t)(inference.address - MEMORY_RAM_START + request->off), request->data,
         request->data_bytes);
  inference.passed += request->data_bytes;
  inference.busy = inference.passed == inference.bytes;
  return 0;
}

static uint8_t take(const struct request *request) {
  if (!request->has_n || !request->has_off)
    return ERROR_INVALID;
  if (waits(request, STATE_HAS_OUTPUT) && request->off <= inference.bytes) {
    inference.passed = request->off;
    inference.busy = request->off == inference.bytes;
  }
  return 0;
}

static uint8_t put_value(void) {
  uint8_t room = LARGEST_PACKET - written - 1 - 5 - 2; /* END, the key, the head of the bytes */
  uint32_t left = inference.bytes - inference.passed;
  uint8_t bytes = left < room ? left : room;
  put_key(PSTR("data"));
  put_item(BYTES, bytes);
  for (uint8_t i = 0; i < bytes; i++)
    put(container_byte(inference.address + inference.passed + i));
  return bytes;
}

/* The answer to a command of a state.  While the container computes there is none yet: the request is looked at again
 * when it stops, or when it is time that the host hears something. */
static void answer_state(uint8_t error, bool with_value) {
  if (error != 0) {
    put_error(error);
    return;
  }
  if (inference.busy && !overdue)
    return;
  put_state();
  if (with_value && inference.state == STATE_HAS_OUTPUT && !inference.busy)
    put_value();
  put(END);
}

static void put_statistics(void) {
  put(MAP_BEGIN);
  put_number(PSTR("runs"), statistics.runs);
  put_number(PSTR("faults"), statistics.faults);
  put_number(PSTR("cycles"), inference.cycles);
  put_number(PSTR("stack"), stack_used());
  put_number(PSTR("ram"), MEMORY_BYTES - MEMORY_RAM_START + stack_used());
  if (statistics.faults > 0) {
    put_key(PSTR("fault"));
    put(MAP_BEGIN);
    put_fault(statistics.fault_cause, statistics.fault_progress);
    put(END);
  }
  put(END);
}

static void answer_container(uint8_t command, const struct request *request) {
  switch (command) {
  case CONTAINER_CONTROL:
    answer_state(control(request), false);
    break;
  case CONTAINER_RUN:
    answer_state(run(request), false);
    break;
  case CONTAINER_FEED:
    answer_state(feed(request), false);
    break;
  case CONTAINER_TAKE:
    answer_state(take(request), true);
    break;
  case CONTAINER_STATISTICS:
    put_statistics();
    break;
  default:
    put_error(ERROR_UNSUPPORTED);
  }
}

/* Writes the answer, or nothing when it is owed. */
static void answer(uint8_t length) {
  uint16_t group = (uint16_t)link_buffer[GROUP] << 8 | link_buffer[GROUP + 1];
  uint8_t command = link_buffer[COMMAND];
  struct request request;
  if (!read_request(&request, length))
    put_error(ERROR_INVALID);
  else if (group == GROUP_OS && command == OS_ECHO)
    echo(&request);
  else if (group == GROUP_OS && command == OS_PARAMETERS)
    parameters();
  else if (group == GROUP_CONTAINER)
    answer_container(command, &request);
  else
    put_error(ERROR_UNSUPPORTED);
}

static bool asks_for_facts(void) {
  return link_buffer[GROUP] == 0 && link_buffer[GROUP + 1] == GROUP_CONTAINER &&
         link_buffer[COMMAND] == CONTAINER_FACTS;
}

static bool is_request(uint8_t length) {
  uint16_t body = (uint16_t)link_buffer[LENGTH] << 8 | link_buffer[LENGTH + 1];
  uint8_t operation = link_buffer[OPERATION] & OPERATION_MASK;
  return length >= HEADER_BYTES && body + HEADER_BYTES == (uint16_t)length && (operation == 0 || operation == 2);
}

static void send(const uint8_t *tail, uint16_t tail_bytes) {
  uint16_t body = written - HEADER_BYTES + tail_bytes;
  link_packet[LENGTH] = body >> 8;
  link_packet[LENGTH + 1] = body;
  link_send(written, tail, tail_bytes);
}

static void send_answer(const uint8_t *tail, uint16_t tail_bytes) {
  link_buffer[OPERATION] += OPERATION_ANSWER;
  send(tail, tail_bytes);
}

/* Whether the request was dealt with. */
static bool answer_request(uint8_t length) {
  written = HEADER_BYTES;
  if (asks_for_facts()) {
    send_answer(facts, sizeof facts);
    return true;
  }
  answer(length);
  if (written > HEADER_BYTES)
    send_answer(NULL, 0);
  return written > HEADER_BYTES;
}

void commands_serve(bool is_overdue) {
  if (!link_pending())
    return;
  overdue = is_overdue;
  uint8_t length = link_receive();
  if (length == 0 || !is_request(length) || answer_request(length))
    link_release();
  runtime_served();
}

#if IMAGE_LOOPS
/* Notifications: written beside the buffer, into which a request may come meanwhile. */

static void begin_notification(void) {
  static uint8_t notification[LARGEST_PACKET] = {
      [OPERATION] = OPERATION_WRITE_ANSWER, [GROUP + 1] = GROUP_CONTAINER, [COMMAND] = CONTAINER_OUTPUT};
  link_packet = notification;
  written = HEADER_BYTES;
  put(MAP_BEGIN);
  put_number(PSTR("seq"), inference.number);
}

static void end_notification(void) {
  put(END);
  send(NULL, 0);
  link_packet = link_buffer;
}

void commands_notify_output(void) {
  while (inference.passed < inference.bytes) {
    begin_notification();
    put_place();
    inference.passed += put_value();
    end_notification();
  }
}

void commands_notify_fault(void) {
  if (!loop_is_heard())
    return;
  begin_notification();
  put_fault(inference.cause, inference.progress);
  end_notification();
}
#endif
