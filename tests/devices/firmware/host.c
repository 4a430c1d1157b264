/* Runs pieces of the agent's core on this machine.  The first argument says which; input and output are lines of
 * hexadecimal digits. */
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "cbor.h"
#include "framing.h"
#include "outputs.h"
#include "port.h"
#include "sources.h"

#define LINE_BYTES 65536

static uint8_t line[LINE_BYTES];
static size_t line_length;
static bool pin_high;
static int32_t temperature;

void framing_put(uint8_t byte) { printf("%02x", byte); }

bool port_pin_write(uint32_t pin, bool high) {
  (void)pin;
  pin_high = high;
  return true;
}

bool port_temperature(int32_t *celsius_64ths) {
  *celsius_64ths = temperature;
  return true;
}

bool port_adc(uint32_t channel, uint16_t *value) {
  *value = (uint16_t)channel;
  return channel < 8;
}

uint32_t port_cycles(void) { return 1; }

void port_serial_number(char text[17]) { text[0] = 0; }

static bool read_line(void) {
  static char text[2 * LINE_BYTES + 2];
  if (fgets(text, sizeof text, stdin) == NULL) return false;
  line_length = strlen(text) / 2;
  for (size_t i = 0; i < line_length; i++) {
    char digits[3] = {text[2 * i], text[2 * i + 1], 0};
    line[i] = (uint8_t)strtoul(digits, NULL, 16);
  }
  return true;
}

static void print_hex(const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++) printf("%02x", data[i]);
}

/* Each line of input gives a line: the packets in it, each with what is sent when it is sent back. */
static void run_framing(void) {
  for (size_t i = 0; i < line_length; i++) {
    size_t length;
    if (!framing_receive(line[i])) continue;
    uint8_t *packet = framing_packet(&length);
    print_hex(packet, length);
    printf(">");
    framing_send(packet, length);
    printf(" ");
    framing_done();
  }
  framing_idle();
}

static void print_found(bool found, struct cbor_map *map) {
  printf("%s ", found ? "" : map->wrong ? "wrong" : "absent");
  map->wrong = false;
}

/* The values of the keys `n`, `b`, `d` and `t`, each as its type. */
static void run_cbor(void) {
  /* A copy of its very size, so that the sanitizer sees what lies behind it. */
  uint8_t *data = malloc(line_length > 0 ? line_length : 1);
  memcpy(data, line, line_length);
  struct cbor_map map;
  uint32_t number = 0, length = 0;
  bool flag = false;
  const uint8_t *bytes = NULL;
  if (cbor_open(&map, data, line_length)) {
    bool found = cbor_get_uint(&map, "n", &number);
    if (found) printf("%u", number);
    print_found(found, &map);
    found = cbor_get_bool(&map, "b", &flag);
    if (found) printf("%d", flag);
    print_found(found, &map);
    found = cbor_get_bytes(&map, "d", &bytes, &length);
    if (found) print_hex(bytes, length);
    print_found(found, &map);
    found = cbor_get_text(&map, "t", &bytes, &length);
    if (found) print_hex(bytes, length);
    print_found(found, &map);
  } else {
    printf("malformed");
  }
  free(data);
}

/* 4 bytes of a number, 1 of the room in the answer, then text: a map of them, or "full". */
static void run_writer(void) {
  int32_t number;
  memcpy(&number, line, sizeof number);
  uint8_t *answer = malloc(line[4] + 1u);
  struct cbor_writer out = {.at = answer, .end = answer + line[4]};
  cbor_map_begin(&out);
  cbor_put_int(&out, "i", number);
  cbor_put_uint(&out, "u", (uint32_t)number);
  cbor_put_bool(&out, "b", number & 1);
  cbor_text(&out, "a");
  cbor_array_begin(&out);
  cbor_bytes(&out, line + 5, line_length - 5);
  cbor_text_of(&out, line + 5, line_length - 5);
  cbor_end(&out);
  cbor_end(&out);
  if (out.full) printf("full");
  else print_hex(answer, (size_t)(out.at - answer));
  free(answer);
}

/* 4 bytes of 64ths of a degree: the sample of a temperature. */
static void run_temperature(void) {
  const struct rune_port port = {.kind = RUNE_SOURCE_TEMPERATURE, .element = 8};
  uint8_t sample[4];
  memcpy(&temperature, line, sizeof temperature);
  print_hex(sample, sources_read(&port, sample, sizeof sample));
}

/* 1 byte of the element's type, 4 of the threshold, then the value: whether the pin is high. */
static void run_above(void) {
  struct container none = {0};
  struct rune_port port = {.kind = RUNE_OUTPUT_PIN_ABOVE, .element = line[0]};
  memcpy(&port.threshold, line + 1, sizeof port.threshold);
  outputs_write(&none, &port, line + 5, (uint32_t)line_length - 5);
  printf("%d", pin_high);
}

/* 1 byte of the length of the container's memory, that memory with a label at its begin, then the text. */
static void run_label(void) {
  static uint8_t memory[256]; /* below 4 GiB, as the program is linked */
  uint32_t size = line[0];
  memcpy(memory, line + 1, size);
  struct container container = {.header = {.ram_start = (uint32_t)(uintptr_t)memory, .ram_bytes = size}};
  struct rune_port port = {.kind = RUNE_OUTPUT_PIN_LABEL, .threshold = (uint32_t)(uintptr_t)memory};
  outputs_write(&container, &port, line + 1 + size, (uint32_t)(line_length - 1 - size));
  printf("%d", pin_high);
}

int main(int count, char **arguments) {
  static const struct {
    const char *name;
    void (*run)(void);
  } pieces[] = {{"framing", run_framing},         {"cbor", run_cbor},   {"writer", run_writer},
                {"temperature", run_temperature}, {"above", run_above}, {"label", run_label}};
  for (size_t i = 0; count == 2 && i < sizeof pieces / sizeof *pieces; i++) {
    if (strlen(arguments[1]) != strlen(pieces[i].name) ||
        memcmp(arguments[1], pieces[i].name, strlen(pieces[i].name)) != 0)
      continue;
    while (read_line()) {
      pieces[i].run();
      printf("\n");
      fflush(stdout);
    }
    return 0;
  }
  return 2;
}
