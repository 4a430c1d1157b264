#include "notify.h"

#include "clock.h"
#include "framing.h"
#include "smp.h"

#define COMMAND_OUTPUT 6
#define PACKET_BYTES 160
#define CHECKSUM_BYTES 2
#define DATA_BYTES 96
#define LONGEST_LEASE_S 3600

static uint32_t lease_ms, leased_at;

void notify_for(uint32_t seconds) {
  lease_ms = 1000 * (seconds < LONGEST_LEASE_S ? seconds : LONGEST_LEASE_S);
  leased_at = clock_ms();
}

static bool wanted(void) {
  if (clock_ms() - leased_at >= lease_ms) lease_ms = 0;
  return lease_ms > 0;
}

static struct cbor_writer begin(uint8_t *packet, uint32_t sequence) {
  struct cbor_writer out = {.at = packet + SMP_HEADER_BYTES, .end = packet + PACKET_BYTES - CHECKSUM_BYTES};
  cbor_map_begin(&out);
  cbor_put_uint(&out, "seq", sequence);
  return out;
}

static void end(uint8_t *packet, struct cbor_writer *out) {
  cbor_end(out);
  if (!out->full) smp_notify(COMMAND_OUTPUT, packet, (size_t)(out->at - packet));
}

static void notify_part(uint32_t sequence, uint32_t port, const uint8_t *value, uint32_t bytes, uint32_t offset) {
  uint8_t packet[PACKET_BYTES];
  struct cbor_writer out = begin(packet, sequence);
  cbor_put_uint(&out, "port", port);
  cbor_put_uint(&out, "len", bytes);
  cbor_put_uint(&out, "off", offset);
  cbor_text(&out, "data");
  cbor_bytes(&out, value + offset, bytes - offset < DATA_BYTES ? bytes - offset : DATA_BYTES);
  end(packet, &out);
}

void notify_output(uint32_t sequence, uint32_t port, const uint8_t *value, uint32_t bytes) {
  if (!wanted()) return;
  for (uint32_t offset = 0; offset < bytes; offset += DATA_BYTES) notify_part(sequence, port, value, bytes, offset);
}

void notify_put_fault(struct cbor_writer *out, const struct supervisor_fault *fault) {
  cbor_put_uint(out, "cause", fault->cause);
  cbor_put_uint(out, "pc", fault->pc);
  cbor_put_int(out, "op", fault->operator);
}

void notify_fault(uint32_t sequence, const struct supervisor_fault *fault) {
  uint8_t packet[PACKET_BYTES];
  if (!wanted()) return;
  struct cbor_writer out = begin(packet, sequence);
  notify_put_fault(&out, fault);
  end(packet, &out);
}
