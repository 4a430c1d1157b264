/* Packets over a line of bytes, in two framings: MCUmgr's console lines and COBS (see docs/device-protocol.md).
 * There is one buffer: a request lies in it until its answer, written over it, is sent; what arrives meanwhile is
 * dropped. */
#ifndef RUNE_FRAMING_H
#define RUNE_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FRAMING_BUFFER_BYTES
#include "agent.h"
#endif

#define FRAMING_OVERHEAD 4 /* of the console framing: length and checksum */
/* Clients take the size that they are told for that of a packet with this overhead in one framing, and of a packet
 * alone in the other. */
#define FRAMING_PACKET_BYTES FRAMING_BUFFER_BYTES

/* Takes the next byte of the line; called from an interrupt.  True when a request is complete and its checksum
 * right. */
bool framing_receive(uint8_t byte);

/* Forgets a frame that has begun and not gone on for some time. */
void framing_idle(void);

/* Whether a request waits to be answered, and the request. */
bool framing_pending(void);
uint8_t *framing_packet(size_t *length);

/* Sends a packet in the framing of the last request.  Its two bytes behind `length` are overwritten. */
void framing_send(uint8_t *packet, size_t length);

/* The request is dealt with: the next may come. */
void framing_done(void);

/* Defined elsewhere: puts a byte on the line. */
void framing_put(uint8_t byte);

#endif
