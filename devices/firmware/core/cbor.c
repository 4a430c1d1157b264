#include "cbor.h"

#include "bytes.h"

#define MAXIMUM_DEPTH 4

enum major { UNSIGNED = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, SIMPLE = 7 };
#define FALSE_BYTE 0xF4
#define TRUE_BYTE 0xF5
#define INDEFINITE_ARRAY 0x9F
#define INDEFINITE_MAP 0xBF
#define BREAK 0xFF

/* The head of one item: its type and its argument, cut to 32 bits. */
struct item {
  enum major major;
  uint32_t argument;
  bool wide; /* the argument has more than 32 bits */
  const uint8_t *content;
};

static bool read_head(const uint8_t *at, const uint8_t *end, struct item *item) {
  if (at >= end) return false;
  uint32_t information = *at & 31;
  item->major = (enum major)(*at >> 5);
  item->wide = false;
  at++;
  if (information >= 28) return false; /* reserved, or of indefinite length */
  if (information < 24) {
    item->argument = information;
  } else {
    uint32_t size = 1u << (information - 24);
    if ((size_t)(end - at) < size) return false;
    item->argument = 0;
    for (uint32_t i = 0; i < size; i++) {
      if (item->argument >> 24) item->wide = true;
      item->argument = item->argument << 8 | *at++;
    }
  }
  item->content = at;
  return true;
}

/* The first byte behind the item that begins at `at`; NULL when it is not well-formed. */
static const uint8_t *skip(const uint8_t *at, const uint8_t *end, int depth) {
  struct item item;
  if (depth > MAXIMUM_DEPTH || !read_head(at, end, &item)) return NULL;
  if (item.major == BYTES || item.major == TEXT) {
    if (item.wide || item.argument > (size_t)(end - item.content)) return NULL;
    return item.content + item.argument;
  }
  uint32_t inner = item.major == TAG ? 1 : item.major == ARRAY || item.major == MAP ? item.argument : 0;
  if (inner > 0 && item.major != TAG && (item.wide || inner > (size_t)(end - item.content))) return NULL;
  if (item.major == MAP) inner *= 2;
  at = item.content;
  while (inner-- > 0 && at != NULL) at = skip(at, end, depth + 1);
  return at;
}

bool cbor_open(struct cbor_map *map, const uint8_t *data, size_t length) {
  struct item item;
  const uint8_t *end = data + length;
  if (!read_head(data, end, &item) || item.major != MAP) return false;
  if (skip(data, end, 0) != end) return false;
  *map = (struct cbor_map){.items = item.content, .end = end, .pairs = item.argument};
  return true;
}

static bool is_key(const struct item *item, const char *key) {
  size_t length = strlen(key);
  return item->major == TEXT && item->argument == length && memcmp(item->content, key, length) == 0;
}

static bool find(struct cbor_map *map, const char *key, struct item *value) {
  const uint8_t *at = map->items;
  for (uint32_t i = 0; i < map->pairs; i++) {
    struct item item;
    if (!read_head(at, map->end, &item)) return false;
    const uint8_t *after_key = skip(at, map->end, 1);
    if (is_key(&item, key)) return read_head(after_key, map->end, value);
    at = skip(after_key, map->end, 1);
  }
  return false;
}

static bool find_as(struct cbor_map *map, const char *key, enum major major, struct item *value) {
  if (!find(map, key, value)) return false;
  if (value->major == major && !value->wide) return true;
  map->wrong = true;
  return false;
}

bool cbor_get_uint(struct cbor_map *map, const char *key, uint32_t *value) {
  struct item item;
  if (!find_as(map, key, UNSIGNED, &item)) return false;
  *value = item.argument;
  return true;
}

bool cbor_get_bool(struct cbor_map *map, const char *key, bool *value) {
  struct item item;
  if (!find_as(map, key, SIMPLE, &item)) return false;
  uint8_t byte = item.content[-1];
  if (byte != TRUE_BYTE && byte != FALSE_BYTE) map->wrong = true;
  *value = byte == TRUE_BYTE;
  return !map->wrong;
}

static bool get_string(struct cbor_map *map, const char *key, enum major major, const uint8_t **data,
                       uint32_t *length) {
  struct item item;
  if (!find_as(map, key, major, &item)) return false;
  *data = item.content;
  *length = item.argument;
  return true;
}

bool cbor_get_bytes(struct cbor_map *map, const char *key, const uint8_t **data, uint32_t *length) {
  return get_string(map, key, BYTES, data, length);
}

bool cbor_get_text(struct cbor_map *map, const char *key, const uint8_t **text, uint32_t *length) {
  return get_string(map, key, TEXT, text, length);
}

static bool room(struct cbor_writer *out, size_t bytes) {
  if (out->full || (size_t)(out->end - out->at) < bytes) out->full = true;
  return !out->full;
}

static void put_byte(struct cbor_writer *out, uint8_t byte) {
  if (room(out, 1)) *out->at++ = byte;
}

static void put_head(struct cbor_writer *out, enum major major, uint32_t argument) {
  uint32_t logarithm = argument > 0xFFFF ? 2 : argument > 0xFF ? 1 : 0;
  if (argument < 24) {
    put_byte(out, (uint8_t)(major << 5 | argument));
    return;
  }
  put_byte(out, (uint8_t)(major << 5 | (24 + logarithm)));
  for (int shift = (8 << logarithm) - 8; shift >= 0; shift -= 8) put_byte(out, (uint8_t)(argument >> shift));
}

void cbor_map_begin(struct cbor_writer *out) { put_byte(out, INDEFINITE_MAP); }

void cbor_array_begin(struct cbor_writer *out) { put_byte(out, INDEFINITE_ARRAY); }

void cbor_end(struct cbor_writer *out) { put_byte(out, BREAK); }

void cbor_map_of_one(struct cbor_writer *out) { put_head(out, MAP, 1); }

void cbor_uint(struct cbor_writer *out, uint32_t value) { put_head(out, UNSIGNED, value); }

void cbor_int(struct cbor_writer *out, int32_t value) {
  put_head(out, value < 0 ? NEGATIVE : UNSIGNED, value < 0 ? ~(uint32_t)value : (uint32_t)value);
}

void cbor_bool(struct cbor_writer *out, bool value) { put_byte(out, value ? TRUE_BYTE : FALSE_BYTE); }

/* The source may overlap what is written when it lies behind it: an answer is written over its request. */
void cbor_encoded(struct cbor_writer *out, const void *data, size_t length) {
  if (!room(out, length)) return;
  memmove(out->at, data, length);
  out->at += length;
}

static void put_string(struct cbor_writer *out, enum major major, const void *data, size_t length) {
  put_head(out, major, (uint32_t)length);
  cbor_encoded(out, data, length);
}

void cbor_bytes(struct cbor_writer *out, const void *data, size_t length) { put_string(out, BYTES, data, length); }

void cbor_text_of(struct cbor_writer *out, const uint8_t *text, size_t length) {
  put_string(out, TEXT, text, length);
}

void cbor_text(struct cbor_writer *out, const char *text) { put_string(out, TEXT, text, strlen(text)); }

void cbor_put_uint(struct cbor_writer *out, const char *key, uint32_t value) {
  cbor_text(out, key);
  cbor_uint(out, value);
}

void cbor_put_int(struct cbor_writer *out, const char *key, int32_t value) {
  cbor_text(out, key);
  cbor_int(out, value);
}

void cbor_put_bool(struct cbor_writer *out, const char *key, bool value) {
  cbor_text(out, key);
  cbor_bool(out, value);
}

void cbor_put_text(struct cbor_writer *out, const char *key, const char *text) {
  cbor_text(out, key);
  cbor_text(out, text);
}
