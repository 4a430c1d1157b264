#include "framing.h"

#include <stdatomic.h>

#include "crc.h"

#define CHECKSUM_BYTES 2
#define LENGTH_BYTES 2
#define LINE_GROUPS 31 /* of four characters: with both bytes of its start and the newline a line has 127 bytes */

enum state {
  IDLE,          /* between frames */
  NOISE,         /* neither framing: up to a zero byte or the start of a line */
  FIRST_MARK,    /* after 06 */
  FURTHER_MARK,  /* after 04 */
  LINE,          /* characters of a line */
  BETWEEN_LINES, /* of one packet */
  COBS,          /* inside of a COBS frame */
};

static struct {
  uint8_t buffer[FRAMING_PACKET_BYTES + FRAMING_OVERHEAD];
  volatile bool pending; /* the buffer holds a request */
  uint16_t length;       /* bytes decoded */
  uint8_t state;
  bool console;       /* the framing of the last request */
  bool begun;         /* a console packet has begun */
  uint8_t characters; /* of a group of four in base64 */
  uint8_t padding;    /* of that group */
  uint32_t group;
  uint8_t left;    /* bytes up to the next code byte of COBS */
  bool zero_after; /* a zero stands at that place */
} framing;

static bool store(uint8_t byte) {
  if (framing.length >= sizeof framing.buffer) return false;
  framing.buffer[framing.length++] = byte;
  return true;
}

static void restart(enum state state) {
  framing.state = (uint8_t)state;
  framing.length = 0;
  framing.begun = false;
}

/* The packet and its checksum are `length` bytes from `start` on; moves the packet to the buffer's begin. */
static bool accept(size_t start, size_t length, bool console) {
  restart(IDLE);
  if (length <= CHECKSUM_BYTES || crc16_xmodem(0, framing.buffer + start, length) != 0) return false;
  framing.length = (uint16_t)(length - CHECKSUM_BYTES);
  for (size_t i = 0; i < framing.length; i++) framing.buffer[i] = framing.buffer[start + i];
  framing.console = console;
  atomic_signal_fence(memory_order_release);
  framing.pending = true;
  return true;
}

static int base64_value(uint8_t character) {
  if (character >= 'A' && character <= 'Z') return character - 'A';
  if (character >= 'a' && character <= 'z') return character - 'a' + 26;
  if (character >= '0' && character <= '9') return character - '0' + 52;
  return character == '+' ? 62 : character == '/' ? 63 : -1;
}

static bool store_group(void) {
  for (int i = 0; i < 3 - framing.padding; i++) {
    if (!store((uint8_t)(framing.group >> (16 - 8 * i)))) return false;
  }
  return true;
}

static bool receive_character(uint8_t character) {
  int value = base64_value(character);
  bool pads = character == '=' && framing.characters >= 2;
  if (!pads && (value < 0 || framing.padding > 0)) return false;
  framing.padding = (uint8_t)(framing.padding + pads);
  framing.group = framing.group << 6 | (uint32_t)(pads ? 0 : value);
  if (++framing.characters < 4) return true;
  framing.characters = 0;
  return store_group();
}

/* At the end of a line: whether the packet is complete. */
static bool end_line(void) {
  framing.state = BETWEEN_LINES;
  if (framing.characters != 0) {
    restart(IDLE);
    return false;
  }
  if (framing.length < LENGTH_BYTES) return false;
  size_t length = (size_t)framing.buffer[0] << 8 | framing.buffer[1];
  size_t there = framing.length - LENGTH_BYTES;
  if (there < length) return false;
  if (there > length) {
    restart(IDLE);
    return false;
  }
  return accept(LENGTH_BYTES, length, true);
}

static bool receive_line(uint8_t byte) {
  if (byte == '\n') return end_line();
  if (byte == '\r') return false;
  if (!receive_character(byte)) restart(byte == 0 ? IDLE : NOISE);
  return false;
}

static void begin_line(bool first) {
  if (first) restart(LINE);
  bool belongs = first || framing.begun;
  framing.state = belongs ? LINE : NOISE;
  framing.begun = belongs;
  framing.characters = framing.padding = 0;
}

/* The first two bytes of a packet are those of a request's header: the operation read or write of version 1 or 2, and
 * no flags. */
static bool looks_like_request(void) {
  if (framing.length >= 1 && (framing.buffer[0] & ~0x0A) != 0) return false;
  return framing.length < 2 || framing.buffer[1] == 0;
}

static void store_cobs(uint8_t byte) {
  if (!store(byte) || !looks_like_request()) restart(NOISE);
}

static void receive_code(uint8_t code) {
  if (framing.zero_after) store_cobs(0);
  if (framing.state != COBS) return;
  framing.left = (uint8_t)(code - 1);
  framing.zero_after = code != 0xFF;
}

static bool receive_cobs(uint8_t byte) {
  if (byte == 0) {
    if (framing.left == 0) return accept(0, framing.length, false);
    restart(IDLE);
  } else if (framing.left == 0) {
    receive_code(byte);
  } else {
    framing.left--;
    store_cobs(byte);
  }
  return false;
}

static void begin_cobs(uint8_t code) {
  restart(COBS);
  framing.left = (uint8_t)(code - 1);
  framing.zero_after = code != 0xFF;
}

/* Between frames, and in noise, which only a zero byte or a line's start ends. */
static void receive_first(uint8_t byte) {
  if (byte == 0x06) {
    framing.state = FIRST_MARK;
  } else if (byte == 0x04) {
    framing.state = FURTHER_MARK;
  } else if (byte == 0) {
    restart(IDLE);
  } else if (byte == '\n' || byte == '\r') {
    framing.state = framing.begun ? BETWEEN_LINES : IDLE;
  } else if (framing.state == IDLE) {
    begin_cobs(byte);
  }
}

static void receive_mark(uint8_t byte, uint8_t expected, bool first) {
  if (byte == expected) {
    begin_line(first);
  } else {
    restart(NOISE);
    receive_first(byte);
  }
}

bool framing_receive(uint8_t byte) {
  if (framing.pending) return false;
  switch (framing.state) {
    case FIRST_MARK: receive_mark(byte, 0x09, true); return false;
    case FURTHER_MARK: receive_mark(byte, 0x14, false); return false;
    case LINE: return receive_line(byte);
    case COBS: return receive_cobs(byte);
    default: receive_first(byte); return false;
  }
}

void framing_idle(void) {
  if (!framing.pending) restart(IDLE);
}

bool framing_pending(void) {
  bool pending = framing.pending;
  atomic_signal_fence(memory_order_acquire);
  return pending;
}

uint8_t *framing_packet(size_t *length) {
  *length = framing.length;
  return framing.buffer;
}

void framing_done(void) {
  restart(IDLE);
  atomic_signal_fence(memory_order_release);
  framing.pending = false;
}

static char base64_character(uint32_t value) {
  value &= 63;
  if (value < 26) return (char)('A' + value);
  if (value < 52) return (char)('a' + value - 26);
  if (value < 62) return (char)('0' + value - 52);
  return value == 62 ? '+' : '/';
}

static uint8_t console_byte(const uint8_t *packet, size_t length, size_t index) {
  if (index == 0) return (uint8_t)(length >> 8);
  return index == 1 ? (uint8_t)length : packet[index - LENGTH_BYTES];
}

static void send_group(const uint8_t *packet, size_t length, size_t start) {
  size_t left = length + LENGTH_BYTES - start;
  uint32_t group = 0;
  for (size_t i = 0; i < 3; i++) group = group << 8 | (i < left ? console_byte(packet, length, start + i) : 0);
  for (size_t i = 0; i < 4; i++) framing_put((uint8_t)(i > left ? '=' : base64_character(group >> (18 - 6 * i))));
}

static void send_console(const uint8_t *packet, size_t length) {
  uint32_t groups = 0; /* that the line still takes; counted, since some cores have no division */
  for (size_t at = 0; at < length + LENGTH_BYTES; at += 3) {
    if (groups-- == 0) {
      groups = LINE_GROUPS - 1;
      if (at > 0) framing_put('\n');
      framing_put(at == 0 ? 0x06 : 0x04);
      framing_put(at == 0 ? 0x09 : 0x14);
    }
    send_group(packet, length, at);
  }
  framing_put('\n');
}

/* How many bytes other than zero come next, up to 254. */
static size_t run_length(const uint8_t *data, size_t length) {
  size_t run = 0;
  while (run < length && run < 254 && data[run] != 0) run++;
  return run;
}

static void send_cobs(const uint8_t *packet, size_t length) {
  for (size_t at = 0; at <= length;) {
    size_t run = run_length(packet + at, length - at);
    framing_put((uint8_t)(run + 1));
    for (size_t i = 0; i < run; i++) framing_put(packet[at + i]);
    at += run + (run < 254);
  }
  framing_put(0);
}

void framing_send(uint8_t *packet, size_t length) {
  uint16_t crc = crc16_xmodem(0, packet, length);
  packet[length] = (uint8_t)(crc >> 8);
  packet[length + 1] = (uint8_t)crc;
  (framing.console ? send_console : send_cobs)(packet, length + CHECKSUM_BYTES);
}
