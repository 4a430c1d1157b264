/* What the board does with its container: inferences that the host feeds, or the board's own loop. */
#ifndef RUNE_SESSION_H
#define RUNE_SESSION_H

#include "cbor.h"
#include "container.h"
#include "supervisor.h"

/* As `st` in docs/device-protocol.md. */
enum session_state {
  SESSION_IDLE = 0,
  SESSION_SAMPLE = 1, /* waits for a sample from the host */
  SESSION_VALUE = 2,  /* waits until the host has taken a value */
  SESSION_FINISHED = 3,
  SESSION_FAILED = 4,
  SESSION_LOOP = 5,
  SESSION_EMPTY = 6,
  SESSION_BUSY = 7,
};

struct session_statistics {
  uint32_t runs, faults;
  struct supervisor_fault last_fault;
};
extern struct session_statistics session_statistics;

/* As after a reset: loads the container that storage chose, and begins its loop when all of its sensors are the
 * board's. */
void session_start(void);

/* The reset came while a container ran. */
void session_was_reset(void);

/* Lets the container go on for a few milliseconds.  Whether it had anything to do. */
bool session_step(void);

/* Lets it go on until it waits for the host, but not for much longer than a host likes to wait for an answer. */
void session_settle(void);

/* A place in an inference, as the host knows it; a request that is about another place is a repetition, and ignored. */
struct session_place {
  uint32_t number; /* of the inference */
  uint32_t call;   /* of its calls */
  uint32_t offset; /* in the sample or value */
};

void session_begin(uint32_t number, bool reset);
void session_feed(const struct session_place *place, const uint8_t *data, uint32_t length);
void session_take(const struct session_place *place);

/* The call that the host would have to answer now. */
uint32_t session_call(void);

/* Begins or ends the board's own loop; false when the board lacks one of the sensors, or a container. */
bool session_loop(bool run);

void session_set_deadline(uint32_t milliseconds);

/* The loaded container; NULL when there is none. */
const struct container *session_container(void);

/* Writes the map of the state.  With `value` it has, as far as it fits, what follows of a value at that offset. */
void session_put_state(struct cbor_writer *answer, const uint32_t *value);

#endif
