/* SMP group 0: the operating system's, as far as there is one. */
#include "agent.h"
#include "board.h"
#include "framing.h"
#include "smp.h"

#define RESET 5
#define ECHO 0
#define PARAMETERS 6
#define INFO 7

static enum smp_result echo(struct cbor_map *request, struct cbor_writer *answer) {
  const uint8_t *text;
  uint32_t length;
  if (!cbor_get_text(request, "d", &text, &length)) return SMP_INVALID;
  /* As long as the request at most, so that the text may be moved to its place in the answer. */
  cbor_map_of_one(answer);
  cbor_text(answer, "r");
  cbor_text_of(answer, text, length);
  return SMP_OK;
}

static enum smp_result reset(struct cbor_map *request, struct cbor_writer *answer) {
  (void)request;
  smp_reset_after_answer();
  cbor_map_begin(answer);
  cbor_end(answer);
  return SMP_OK;
}

static enum smp_result parameters(struct cbor_map *request, struct cbor_writer *answer) {
  (void)request;
  cbor_map_begin(answer);
  cbor_put_uint(answer, "buf_size", FRAMING_BUFFER_BYTES);
  cbor_put_uint(answer, "buf_count", 1);
  cbor_end(answer);
  return SMP_OK;
}

static enum smp_result info(struct cbor_map *request, struct cbor_writer *answer) {
  (void)request;
  cbor_map_of_one(answer);
  cbor_put_text(answer, "output", "Rune agent " AGENT_VERSION " " BOARD_NAME);
  return SMP_OK;
}

const struct smp_entry os_group[] = {
    {ECHO, true, echo}, {RESET, true, reset}, {PARAMETERS, false, parameters}, {INFO, false, info}, {0, false, NULL},
};
