/* SMP packets over the UART, each with its CRC-16/XMODEM in one COBS frame (docs/device-protocol.md).
 *
 * There is one buffer.  The interrupt decodes into it; once a whole packet is there, bytes that still come are dropped
 * until the packet was answered: the other end waits for answers. */
#ifndef RUNE_AVR_LINK_H
#define RUNE_AVR_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h" /* LINK_BYTES: the largest packet with its CRC; made by the build */

extern uint8_t link_buffer[LINK_BYTES];

#if IMAGE_LOOPS
extern uint8_t *link_packet; /* what is written and sent: the answer in the buffer, or a notification beside it */
#else
#define link_packet link_buffer
#endif

void link_init(void);
bool link_pending(void);        /* whether a frame has come */
uint8_t link_receive(void);     /* length of the packet in the buffer; 0: its CRC is wrong */
void link_release(void);        /* the buffer may be filled anew */
/* Sends the first `head` bytes of `link_packet` and then `tail_bytes` bytes of program memory, as one packet. */
void link_send(uint8_t head, const uint8_t *tail, uint16_t tail_bytes);

#endif
