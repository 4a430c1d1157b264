#include "link.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <util/crc16.h>

/* ATmega328P data sheet, section 20.10: with U2X the rate is F_CPU / (8 (UBRR + 1)). */
#define DIVISOR ((F_CPU + BAUD * 4UL) / (BAUD * 8UL) - 1)
#ifdef USART0_RX_vect /* chips with several have them numbered */
#define RECEIVED_vect USART0_RX_vect
#else
#define RECEIVED_vect USART_RX_vect
#endif
#define CRC_BYTES 2
#define LONGEST_RUN 254 /* of bytes that are not zero, in COBS */

uint8_t link_buffer[LINK_BYTES];
#if IMAGE_LOOPS
uint8_t *link_packet = link_buffer;
#endif

static volatile bool ready;  /* a frame is in the buffer */
static uint8_t length;       /* bytes decoded so far */
static uint8_t run;          /* bytes until the next code byte of COBS */
static bool zero_follows;    /* at the next code byte, if the frame goes on */
static bool skipping = true; /* to the end of a frame whose beginning was not seen or which is too long */

void link_init(void) {
  UCSR0A = _BV(U2X0);
  UBRR0 = DIVISOR;
  UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
  UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
  UDR0 = 0; /* an empty frame: the bootloader is done, requests may come */
}

static void begin_frame(void) {
  length = 0;
  run = 0;
  zero_follows = false;
  skipping = false;
}

static void store(uint8_t byte) {
  if (length < LINK_BYTES)
    link_buffer[length++] = byte;
  else
    skipping = true;
}

/* A byte that is not zero, in a frame that is being decoded. */
static void decode(uint8_t byte) {
  if (run > 0) {
    run--;
    store(byte);
    return;
  }
  if (zero_follows)
    store(0);
  run = byte - 1;
  zero_follows = byte != 0xFF;
}

ISR(RECEIVED_vect) {
  uint8_t byte = UDR0;
  if (ready)
    skipping = byte != 0; /* the end of what was dropped, or its middle */
  else if (byte != 0) {
    if (!skipping)
      decode(byte);
  } else if (!skipping && run == 0 && length > CRC_BYTES)
    ready = true;
  else
    begin_frame();
}

bool link_pending(void) { return ready; }

void link_release(void) {
  uint8_t status = SREG;
  cli();
  bool torn = skipping; /* bytes came in the meantime: the next frame begins after a zero */
  begin_frame();
  skipping = torn;
  ready = false;
  SREG = status;
}

static uint16_t checksum(uint16_t crc, uint8_t byte) { return _crc_xmodem_update(crc, byte); }

uint8_t link_receive(void) {
  uint16_t crc = 0;
  for (uint8_t i = 0; i < length; i++)
    crc = checksum(crc, link_buffer[i]);
  return crc == 0 ? length - CRC_BYTES : 0; /* a CRC over data and its own CRC is 0 */
}

static void send_byte(uint8_t byte) {
  while (!(UCSR0A & _BV(UDRE0))) {
  }
  UDR0 = byte;
}

/* What is being sent, byte by byte. */
struct packet {
  uint8_t head;
  const uint8_t *tail;
  uint16_t bytes; /* without the CRC */
  uint16_t crc;
};

static uint8_t packet_byte(const struct packet *packet, uint16_t i) {
  if (i < packet->head)
    return link_packet[i];
  if (i < packet->bytes)
    return pgm_read_byte(packet->tail + (i - packet->head));
  return i == packet->bytes ? packet->crc >> 8 : (uint8_t)packet->crc;
}

/* One run of COBS from byte `from` on: its length and then its bytes.  Returns where the next run begins. */
static uint16_t send_run(const struct packet *packet, uint16_t from, uint16_t end) {
  uint16_t to = from;
  while (to < end && to - from < LONGEST_RUN && packet_byte(packet, to) != 0)
    to++;
  uint8_t count = to - from;
  send_byte(count + 1);
  while (from < to)
    send_byte(packet_byte(packet, from++));
  return count == LONGEST_RUN ? to : to + 1;
}

void link_send(uint8_t head, const uint8_t *tail, uint16_t tail_bytes) {
  struct packet packet = {head, tail, head + tail_bytes, 0};
  for (uint16_t i = 0; i < packet.bytes; i++)
    packet.crc = checksum(packet.crc, packet_byte(&packet, i));
  uint16_t end = packet.bytes + CRC_BYTES;
  for (uint16_t at = 0; at <= end;)
    at = send_run(&packet, at, end);
  send_byte(0);
}
