/* Tells the host unasked, for as long as it wanted, what the board's own loop does. */
#ifndef RUNE_NOTIFY_H
#define RUNE_NOTIFY_H

#include "cbor.h"
#include "supervisor.h"

void notify_for(uint32_t seconds);

void notify_output(uint32_t sequence, uint32_t port, const uint8_t *value, uint32_t bytes);
void notify_fault(uint32_t sequence, const struct supervisor_fault *fault);

/* The pairs `cause`, `pc` and `op`. */
void notify_put_fault(struct cbor_writer *out, const struct supervisor_fault *fault);

#endif
