/* SMP group 1: containers in slots, which are MCUmgr's images. */
#include "bytes.h"
#include "image.h"
#include "smp.h"
#include "storage.h"

#define STATE 0
#define UPLOAD 1
#define ERASE 5

#define SHA256_BYTES 32
#define VERSION_OFFSET 20 /* of MCUboot's image header: one byte major, one minor, two revision */

/* The upload that was begun last. */
static struct {
  uint32_t bytes; /* 0: none */
  uint32_t offset;
} upload;

/* A number of 16 bits and a point; a tenth of it as a product, which is exact, since some cores have no division. */
static char *put_decimal(char *at, uint32_t value) {
  char digits[5];
  int count = 0;
  do {
    uint32_t tenth = value * 52429u >> 19;
    digits[count++] = (char)('0' + value - 10 * tenth);
    value = tenth;
  } while (value > 0);
  while (count > 0) *at++ = digits[--count];
  *at++ = '.';
  return at;
}

static void put_version(struct cbor_writer *answer, int slot) {
  const uint8_t *version = (const uint8_t *)(uintptr_t)image_slot_start(slot) + VERSION_OFFSET;
  char text[24], *at = put_decimal(text, version[0]);
  at = put_decimal(at, version[1]);
  at = put_decimal(at, (uint32_t)version[2] | (uint32_t)version[3] << 8) - 1;
  cbor_text(answer, "version");
  cbor_text_of(answer, (const uint8_t *)text, (size_t)(at - text));
}

static void put_flag(struct cbor_writer *answer, const char *key, bool value) {
  if (value) cbor_put_bool(answer, key, true);
}

static void put_slot(struct cbor_writer *answer, int slot, const struct storage_slot *state) {
  cbor_map_begin(answer);
  cbor_put_uint(answer, "slot", (uint32_t)slot);
  put_version(answer, slot);
  cbor_text(answer, "hash");
  cbor_bytes(answer, state->sha256, sizeof state->sha256);
  cbor_put_bool(answer, "bootable", true);
  put_flag(answer, "pending", state->pending);
  put_flag(answer, "confirmed", state->confirmed);
  put_flag(answer, "active", state->active);
  cbor_end(answer);
}

static enum smp_result read_state(struct cbor_map *request, struct cbor_writer *answer) {
  (void)request;
  cbor_map_begin(answer);
  cbor_text(answer, "images");
  cbor_array_begin(answer);
  for (int slot = 0; slot < STORAGE_SLOTS; slot++) {
    struct storage_slot state;
    storage_slot(slot, &state);
    if (state.valid) put_slot(answer, slot, &state);
  }
  cbor_end(answer);
  cbor_end(answer);
  return SMP_OK;
}

static int find_slot(const uint8_t *sha256) {
  for (int slot = 0; slot < STORAGE_SLOTS; slot++) {
    struct storage_slot state;
    storage_slot(slot, &state);
    if (state.valid && memcmp(state.sha256, sha256, SHA256_BYTES) == 0) return slot;
  }
  return STORAGE_NONE;
}

static enum smp_result write_state(struct cbor_map *request, struct cbor_writer *answer) {
  const uint8_t *sha256 = NULL;
  uint32_t length = 0;
  bool confirm = false;
  bool named = cbor_get_bytes(request, "hash", &sha256, &length);
  (void)cbor_get_bool(request, "confirm", &confirm);
  if (request->wrong || (named && length != SHA256_BYTES) || (!named && !confirm)) return SMP_INVALID;
  int slot = named ? find_slot(sha256) : storage_active();
  if (slot == STORAGE_NONE) return SMP_NOT_FOUND;
  bool done = confirm ? storage_set_confirmed(slot) : storage_set_pending(slot);
  return done ? read_state(request, answer) : SMP_BAD_STATE;
}

static enum smp_result finish_upload(void) {
  if (storage_upload_finish()) return SMP_OK;
  upload.bytes = 0;
  return SMP_CORRUPT;
}

static enum smp_result begin_upload(struct cbor_map *request) {
  uint32_t bytes = 0, length = 0;
  const uint8_t *sha256 = NULL;
  bool known = cbor_get_bytes(request, "sha", &sha256, &length);
  if (!cbor_get_uint(request, "len", &bytes) || request->wrong || bytes == 0) return SMP_INVALID;
  if (known && length != SHA256_BYTES) return SMP_INVALID;
  int slot = storage_upload_slot();
  if (slot == STORAGE_NONE) return SMP_BAD_STATE;
  upload.bytes = 0;
  if (!storage_upload_begin(slot, bytes, known ? sha256 : NULL, &upload.offset)) return SMP_NO_MEMORY;
  upload.bytes = bytes;
  return upload.offset < bytes ? SMP_OK : finish_upload();
}

/* Takes what is next and ends with a whole word, or with the image. */
static enum smp_result append(const uint8_t *data, uint32_t length) {
  uint32_t left = upload.bytes - upload.offset;
  length = length >= left ? left : length & ~3u;
  if (length == 0) return SMP_OK;
  if (!storage_upload_write(upload.offset, data, length)) {
    upload.bytes = 0;
    return SMP_UNKNOWN;
  }
  upload.offset += length;
  return upload.offset < upload.bytes ? SMP_OK : finish_upload();
}

static enum smp_result upload_image(struct cbor_map *request, struct cbor_writer *answer) {
  uint32_t offset = 0, length = 0;
  const uint8_t *data = NULL;
  if (!cbor_get_uint(request, "off", &offset) || !cbor_get_bytes(request, "data", &data, &length)) return SMP_INVALID;
  enum smp_result result = offset == 0 ? begin_upload(request) : SMP_OK;
  /* What is at another offset is told where to go on: it is a repetition, or the board was reset meanwhile. */
  uint32_t expected = upload.bytes > 0 ? upload.offset : 0;
  if (result == SMP_OK && upload.bytes > 0 && offset == expected) result = append(data, length);
  if (result != SMP_OK) return result;
  cbor_map_of_one(answer);
  cbor_put_uint(answer, "off", upload.bytes > 0 ? upload.offset : 0);
  return SMP_OK;
}

static enum smp_result erase(struct cbor_map *request, struct cbor_writer *answer) {
  uint32_t slot = (uint32_t)storage_upload_slot();
  (void)cbor_get_uint(request, "slot", &slot);
  if (request->wrong) return SMP_INVALID;
  if (slot >= STORAGE_SLOTS) return SMP_BAD_STATE;
  if (!storage_erase((int)slot)) return SMP_BAD_STATE;
  upload.bytes = 0;
  cbor_map_begin(answer);
  cbor_end(answer);
  return SMP_OK;
}

const struct smp_entry image_group[] = {
    {STATE, false, read_state}, {STATE, true, write_state}, {UPLOAD, true, upload_image},
    {ERASE, true, erase},       {0, false, NULL},
};
