/* As much of CBOR (RFC 8949) as SMP needs: requests are maps of definite length with text keys. */
#ifndef RUNE_CBOR_H
#define RUNE_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request's map, which cbor_open() found well-formed. */
struct cbor_map {
  const uint8_t *items;
  const uint8_t *end;
  uint32_t pairs;
  bool wrong; /* a key was asked for and had a value of another type */
};

/* Whether the bytes are exactly one well-formed map: definite lengths, no deeper than a few levels. */
bool cbor_open(struct cbor_map *map, const uint8_t *data, size_t length);

/* Each looks for a key and is true when it is there with a value of that type; if it is there with another, it is
 * false and the map's `wrong` is set.  Numbers have at most 32 bits. */
bool cbor_get_uint(struct cbor_map *map, const char *key, uint32_t *value);
bool cbor_get_bool(struct cbor_map *map, const char *key, bool *value);
bool cbor_get_bytes(struct cbor_map *map, const char *key, const uint8_t **data, uint32_t *length);
bool cbor_get_text(struct cbor_map *map, const char *key, const uint8_t **text, uint32_t *length);

/* Writes an answer; what does not fit is left out and `full` set. */
struct cbor_writer {
  uint8_t *at;
  uint8_t *end;
  bool full;
};

void cbor_map_begin(struct cbor_writer *out); /* of any number of pairs, up to cbor_end() */
void cbor_array_begin(struct cbor_writer *out);
void cbor_end(struct cbor_writer *out);
void cbor_map_of_one(struct cbor_writer *out); /* of one pair, which needs no cbor_end() */
void cbor_uint(struct cbor_writer *out, uint32_t value);
void cbor_int(struct cbor_writer *out, int32_t value);
void cbor_bool(struct cbor_writer *out, bool value);
void cbor_bytes(struct cbor_writer *out, const void *data, size_t length);
void cbor_text(struct cbor_writer *out, const char *text);
void cbor_text_of(struct cbor_writer *out, const uint8_t *text, size_t length);
void cbor_encoded(struct cbor_writer *out, const void *data, size_t length); /* items that are CBOR already */

/* A key and its value. */
void cbor_put_uint(struct cbor_writer *out, const char *key, uint32_t value);
void cbor_put_int(struct cbor_writer *out, const char *key, int32_t value);
void cbor_put_bool(struct cbor_writer *out, const char *key, bool value);
void cbor_put_text(struct cbor_writer *out, const char *key, const char *text);

#endif
