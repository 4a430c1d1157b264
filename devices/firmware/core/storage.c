/* The state of both slots is one record.  Each change appends a whole record to a log, a ring of erase units; the
 * newest right one counts.  Power may fail at any instant, so:
 *
 * - Behind a record's CRC stand two words that close it.  The word at which power failed may read right today and
 *   wrong tomorrow: when the first reads as written the CRC is there for good, when the second does the first is.  So a
 *   record whose second was seen never looks unclosed again, and is not erased before a newer one is closed.
 * - After a reset the first record goes to a unit that is erased for it: behind the last record there may be a word
 *   that was half written, though it reads as blank.  That unit is never the one that holds the newest closed record.
 * - A reset that finds a torn record, or the newest without its second closing word, writes a fresh one before anything
 *   is done, with a sequence number above that of the torn one; and a slot is touched only after a record was written
 *   since the reset.  So whatever a torn record reads as later, nothing was built on it.
 * - A slot is recorded as invalid before its first unit is erased, and as valid after its image was verified. */
#include "storage.h"

#include "board.h"
#include "bytes.h"
#include "crc.h"
#include "flash.h"
#include "port.h"
#include "sha256.h"

#define RECORDS_END (BOARD_FLASH_RECORDS_START + BOARD_FLASH_RECORDS_SIZE)
#define RECORD_MAGIC 0x4352u
#define BLANK 0xFFFFFFFFu
#define NO_SLOT 0xFFu
#define CHUNK_BYTES 64u
#define PROGRESS_PARTS 16u /* how often at most the progress of an upload is recorded */

enum role {
  CONFIRMED,
  PENDING,
  TRIED,    /* was started and is not confirmed yet */
  UPLOADED, /* an upload to it goes on */
  ROLES
};

#define RECORD_WORDS 16u

struct record {
  union {
    uint32_t words[RECORD_WORDS];
    struct {
      uint32_t sequence;
      uint8_t slot_of[ROLES]; /* or NO_SLOT */
      uint8_t valid;          /* a bit for each slot */
      uint8_t upload_named;   /* whether upload_sha256 is known */
      uint16_t magic;
      uint32_t upload_bytes;
      uint32_t upload_offset; /* the begin of an erase unit: what lies before it in the slot is written and stays */
      uint8_t upload_sha256[SHA256_BYTES];
      uint32_t crc32;
      uint32_t closed[2]; /* written last, one after the other */
    };
  };
};

#define RECORD_BYTES (RECORD_WORDS * sizeof(uint32_t))
_Static_assert(sizeof(struct record) == RECORD_BYTES, "the words are all of it");

/* The newest record: changed here first, then written by commit(). */
static struct record current;
static uint32_t log_next; /* where the next record goes; where it equals log_unit_end, to the next unit */
static uint32_t log_unit_end;
static int active;

/* The upload that goes on since the last reset. */
static struct {
  bool live;
  uint8_t slot;
  uint32_t bytes;
  uint32_t offset;
  uint32_t erased_end; /* address up to which the slot was erased for it */
} upload;

/* The next record goes to the unit behind the one that holds this address. */
static void log_leave_unit(uint32_t address) {
  uint32_t end = BOARD_FLASH_RECORDS_START;
  while (end <= address && end < RECORDS_END) end += port_flash_unit(end);
  log_next = log_unit_end = end;
}

/* Reads the newest record into `current`.  Returns whether a fresh one must be written. */
static bool log_read(void) {
  struct record next;
  uint32_t newest = BLANK, closed = BLANK, closed_sequence = 0;
  bool torn = false;
  current = (struct record){.slot_of = {NO_SLOT, NO_SLOT, NO_SLOT, NO_SLOT}};
  for (uint32_t address = BOARD_FLASH_RECORDS_START; address < RECORDS_END; address += RECORD_BYTES) {
    flash_read(address, &next, sizeof next);
    if (next.sequence == BLANK) continue; /* the first word is written first */
    if (next.magic != RECORD_MAGIC || next.crc32 != crc32(&next, offsetof(struct record, crc32))) {
      torn = true;
      continue;
    }
    if (next.sequence > current.sequence) {
      current = next;
      newest = address;
    }
    if ((next.closed[0] & next.closed[1]) != BLANK && next.sequence > closed_sequence) {
      closed_sequence = next.sequence;
      closed = address;
    }
  }
  log_leave_unit(closed == BLANK ? newest : closed);
  torn |= current.closed[1] == BLANK;
  current.sequence++; /* a torn record that reads as nothing now may have had this number */
  return torn;
}

/* Where the log goes on.  False when the flash fails. */
static bool log_place(void) {
  if (log_next != log_unit_end) return true;
  uint32_t unit = log_next == RECORDS_END ? BOARD_FLASH_RECORDS_START : log_next;
  if (!port_flash_erase(unit)) return false;
  log_next = unit;
  log_unit_end = unit + port_flash_unit(unit);
  return true;
}

/* Writes `current` as a new record.  When the flash fails, `current` is again what the log says. */
static bool commit(void) {
  current.magic = RECORD_MAGIC;
  current.sequence++;
  current.crc32 = crc32(&current, offsetof(struct record, crc32));
  current.closed[0] = current.closed[1] = 0;
  if (log_place()) {
    uint32_t address = log_next;
    log_next += RECORD_BYTES;
    if (port_flash_write(address, current.words, RECORD_WORDS)) return true;
  }
  (void)log_read();
  upload.live = false;
  return false;
}

/* Whether the container in a slot can be started. */
static bool usable(int slot) {
  struct image_header header;
  return storage_image(slot, &header);
}

static bool writable(int slot) {
  return slot >= 0 && slot < STORAGE_SLOTS && slot != active && (slot != current.slot_of[CONFIRMED] || !usable(slot));
}

static void forget(int slot) {
  current.valid &= (uint8_t) ~(1u << slot);
  for (int role = 0; role < ROLES; role++)
    if (current.slot_of[role] == slot) current.slot_of[role] = NO_SLOT;
}

void storage_start(void) {
  upload.live = false;
  bool changed = log_read() || current.slot_of[TRIED] != NO_SLOT || current.slot_of[PENDING] != NO_SLOT;
  current.slot_of[TRIED] = usable(current.slot_of[PENDING]) ? current.slot_of[PENDING] : NO_SLOT;
  current.slot_of[PENDING] = NO_SLOT;
  int chosen = current.slot_of[TRIED] != NO_SLOT ? current.slot_of[TRIED] : current.slot_of[CONFIRMED];
  if (changed && !commit()) chosen = current.slot_of[CONFIRMED];
  active = usable(chosen) ? chosen : STORAGE_NONE;
}

void storage_slot(int slot, struct storage_slot *state) {
  struct image_header header;
  *state = (struct storage_slot){.valid = storage_image(slot, &header)};
  if (!state->valid) return;
  state->pending = slot == current.slot_of[PENDING];
  state->confirmed = slot == current.slot_of[CONFIRMED];
  state->active = slot == active;
  image_sha256(slot, &header, state->sha256);
}

bool storage_image(int slot, struct image_header *header) {
  return slot >= 0 && slot < STORAGE_SLOTS && (current.valid >> slot & 1) != 0 && image_header(slot, header);
}

int storage_active(void) { return active; }

int storage_upload_slot(void) {
  for (int slot = 0; slot < STORAGE_SLOTS; slot++)
    if (writable(slot)) return slot;
  return STORAGE_NONE;
}

/* Whether the upload that is recorded is of this very file. */
static bool recorded_upload(int slot, uint32_t bytes, const uint8_t *sha256) {
  return sha256 != NULL && current.slot_of[UPLOADED] == slot && current.upload_bytes == bytes && current.upload_named &&
         memcmp(current.upload_sha256, sha256, SHA256_BYTES) == 0;
}

static bool record_upload(int slot, uint32_t bytes, const uint8_t *sha256) {
  forget(slot);
  current.slot_of[UPLOADED] = (uint8_t)slot;
  current.upload_bytes = bytes;
  current.upload_offset = 0;
  current.upload_named = sha256 != NULL;
  if (sha256 != NULL) memcpy(current.upload_sha256, sha256, SHA256_BYTES);
  return commit();
}

static void upload_from(int slot, uint32_t bytes, uint32_t offset) {
  upload.live = true;
  upload.slot = (uint8_t)slot;
  upload.bytes = bytes;
  upload.offset = offset;
  upload.erased_end = image_slot_start(slot) + offset;
}

bool storage_upload_begin(int slot, uint32_t bytes, const uint8_t sha256[32], uint32_t *offset) {
  if (!writable(slot) || bytes > image_slot_size(slot)) return false;
  if (sha256 != NULL && usable(slot) && image_right(slot, bytes, sha256)) {
    upload_from(slot, bytes, bytes);
  } else if (!recorded_upload(slot, bytes, sha256)) {
    upload.live = false;
    if (!record_upload(slot, bytes, sha256)) return false;
    upload_from(slot, bytes, 0);
  } else if (!upload.live || upload.slot != slot) {
    if (!commit()) return false;
    upload_from(slot, bytes, current.upload_offset);
  }
  *offset = upload.offset;
  return true;
}

/* At the begin of an erase unit: everything before it is written. */
static bool enter_unit(uint32_t address) {
  if (upload.offset - current.upload_offset >= image_slot_size(upload.slot) / PROGRESS_PARTS) {
    current.upload_offset = upload.offset;
    if (!commit()) return false;
  }
  upload.erased_end = address + port_flash_unit(address);
  return port_flash_erase(address);
}

/* Writes up to a chunk, and not beyond the erase unit.  Returns how many bytes, 0 where the flash failed. */
static uint32_t write_chunk(const uint8_t *data, uint32_t length) {
  uint32_t address = image_slot_start(upload.slot) + upload.offset, words[CHUNK_BYTES / 4];
  if (address == upload.erased_end && !enter_unit(address)) return 0;
  uint32_t count = upload.erased_end - address;
  if (count > length) count = length;
  if (count > CHUNK_BYTES) count = CHUNK_BYTES;
  words[(count - 1) / 4] = BLANK;
  memcpy(words, data, count);
  return port_flash_write(address, words, (count + 3) / 4) ? count : 0;
}

bool storage_upload_write(uint32_t offset, const uint8_t *data, uint32_t length) {
  uint32_t left = upload.bytes - upload.offset;
  if (!upload.live || offset != upload.offset || length > left || (length % 4 != 0 && length != left)) return false;
  while (length > 0) {
    uint32_t count = write_chunk(data, length);
    upload.live = count != 0;
    if (!upload.live) return false;
    upload.offset += count;
    data += count;
    length -= count;
  }
  return true;
}

bool storage_upload_finish(void) {
  if (!upload.live || upload.offset != upload.bytes) return false;
  int slot = upload.slot;
  upload.live = false;
  if (usable(slot)) return true; /* storage_upload_begin found it in place */
  bool right = image_right(slot, upload.bytes, current.upload_named ? current.upload_sha256 : NULL);
  forget(slot);
  current.valid |= (uint8_t)(right << slot);
  return commit() && right;
}

static bool unit_blank(uint32_t address, uint32_t end) {
  for (; address < end; address += 4)
    if (flash_word(address) != BLANK) return false;
  return true;
}

bool storage_erase(int slot) {
  if (!writable(slot)) return false;
  upload.live = false;
  forget(slot);
  if (!commit()) return false;
  uint32_t address = image_slot_start(slot), end = address + image_slot_size(slot);
  while (address < end) {
    uint32_t unit_end = address + port_flash_unit(address);
    if (!unit_blank(address, unit_end) && !port_flash_erase(address)) return false;
    address = unit_end;
  }
  return true;
}

bool storage_set_pending(int slot) {
  if (!usable(slot)) return false;
  current.slot_of[PENDING] = slot == current.slot_of[CONFIRMED] ? NO_SLOT : (uint8_t)slot;
  return commit();
}

bool storage_set_confirmed(int slot) {
  if (!usable(slot)) return false;
  if (slot != active || slot == current.slot_of[PENDING]) current.slot_of[PENDING] = NO_SLOT;
  if (slot == current.slot_of[TRIED]) current.slot_of[TRIED] = NO_SLOT;
  current.slot_of[CONFIRMED] = (uint8_t)slot;
  return commit();
}

bool storage_reject(void) {
  if (active == current.slot_of[CONFIRMED] || !usable(current.slot_of[CONFIRMED])) return false;
  active = current.slot_of[CONFIRMED]; /* what was tried is recorded so already: the next reset takes it back too */
  return true;
}
