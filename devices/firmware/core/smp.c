#include "smp.h"

#include "framing.h"
#include "port.h"

#define OPERATION_READ 0
#define OPERATION_WRITE 2
#define OPERATION_MASK 7
#define OPERATION_ANSWER 1 /* added to a request's */

/* Offsets in the header (MCUmgr, "SMP header"; big-endian). */
enum header { OPERATION = 0, FLAGS = 1, LENGTH = 2, GROUP = 4, SEQUENCE = 6, COMMAND = 7 };

static bool reset_wanted;

static uint32_t get16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

static void put16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static const struct smp_entry *find_group(uint32_t group) {
  switch (group) {
    case SMP_GROUP_OS: return os_group;
    case SMP_GROUP_IMAGE: return image_group;
    case SMP_GROUP_CONTAINER: return container_group;
    default: return NULL;
  }
}

static smp_command find_command(const uint8_t *header) {
  const struct smp_entry *entry = find_group(get16(header + GROUP));
  if (entry == NULL) return NULL;
  bool write = (header[OPERATION] & OPERATION_MASK) == OPERATION_WRITE;
  while (entry->handle != NULL && (entry->command != header[COMMAND] || entry->write != write)) entry++;
  return entry->handle;
}

static enum smp_result run_command(const uint8_t *packet, size_t length, struct cbor_writer *answer) {
  struct cbor_map request;
  smp_command handle = find_command(packet);
  if (handle == NULL) return SMP_NOT_SUPPORTED;
  if (!cbor_open(&request, packet + SMP_HEADER_BYTES, length - SMP_HEADER_BYTES)) return SMP_INVALID;
  enum smp_result result = handle(&request, answer);
  return result == SMP_OK && answer->full ? SMP_NO_MEMORY : result;
}

static void write_error(struct cbor_writer *answer, enum smp_result result) {
  cbor_map_of_one(answer);
  cbor_put_uint(answer, "rc", result);
}

/* The length tells a packet that was cut where the checksum happens to be right. */
static bool is_request(const uint8_t *packet, size_t length) {
  if (length < SMP_HEADER_BYTES || length != SMP_HEADER_BYTES + get16(packet + LENGTH)) return false;
  uint32_t operation = packet[OPERATION] & OPERATION_MASK;
  return operation == OPERATION_READ || operation == OPERATION_WRITE;
}

static void answer_request(uint8_t *packet, size_t length) {
  uint8_t *body = packet + SMP_HEADER_BYTES;
  struct cbor_writer empty = {.at = body, .end = packet + FRAMING_PACKET_BYTES}, answer = empty;
  enum smp_result result = run_command(packet, length, &answer);
  if (result != SMP_OK) {
    answer = empty;
    write_error(&answer, result);
  }
  packet[OPERATION] += OPERATION_ANSWER;
  put16(packet + LENGTH, (size_t)(answer.at - body));
  framing_send(packet, (size_t)(answer.at - packet));
}

void smp_answer(void) {
  size_t length;
  uint8_t *packet = framing_packet(&length);
  if (is_request(packet, length)) answer_request(packet, length);
  framing_done();
  if (!reset_wanted) return;
  while (!port_uart_sent()) {
  }
  port_reset();
}

void smp_notify(uint8_t command, uint8_t *packet, size_t length) {
  packet[OPERATION] = OPERATION_WRITE + OPERATION_ANSWER;
  packet[FLAGS] = 0;
  put16(packet + LENGTH, length - SMP_HEADER_BYTES);
  put16(packet + GROUP, SMP_GROUP_CONTAINER);
  packet[SEQUENCE] = 0;
  packet[COMMAND] = command;
  framing_send(packet, length);
}

void smp_reset_after_answer(void) { reset_wanted = true; }
