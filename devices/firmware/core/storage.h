/* Which container is kept in which slot, through power failures at any instant.
 *
 * A slot holds a container once its whole image is there and its SHA-256 was verified on the device; a container is
 * first tried (one start that a reset, fault or hang ends) and kept for good only when it is confirmed.  At any time at
 * most one slot is confirmed and at most one is pending. */
#ifndef RUNE_STORAGE_H
#define RUNE_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"

#define STORAGE_SLOTS 2
#define STORAGE_NONE (-1)

struct storage_slot {
  bool valid;     /* holds an image whose header and SHA-256 are right */
  bool pending;   /* is tried at the next start */
  bool confirmed; /* what is gone back to */
  bool active;    /* what `storage_start` chose, until the next reset */
  uint8_t sha256[32]; /* of the image, as in its trailer */
};

/* After each reset, and whenever the container is to be chosen as after one: reads the record, repairs what a power
 * failure tore, and takes back a container that was tried and not confirmed.  `active` is set on the slot to start, if
 * there is one; a pending one is recorded as tried before this returns.  An upload is taken up by the next
 * storage_upload_begin. */
void storage_start(void);

void storage_slot(int slot, struct storage_slot *state);
/* The header of the container in a valid slot, everything in it checked; false when the slot is not valid. */
bool storage_image(int slot, struct image_header *header);
int storage_active(void); /* the active slot or STORAGE_NONE */
int storage_upload_slot(void); /* where a new image goes: the slot that is neither active nor confirmed, or
                                  STORAGE_NONE */

/* Begins or goes on with an upload of `bytes` bytes, whose SHA-256 (of the whole file) is `sha256` or NULL when it is
 * not known; sets `offset` to where it goes on: what is there already of the very same file is kept.  The same image in
 * place already gives `offset` = `bytes`.  False when it does not fit or the flash fails. */
bool storage_upload_begin(int slot, uint32_t bytes, const uint8_t sha256[32], uint32_t *offset);
/* Appends; `length` is a multiple of 4 except at the end.  False when `offset` is not where the upload stands or the
 * flash fails. */
bool storage_upload_write(uint32_t offset, const uint8_t *data, uint32_t length);
/* After the last byte: verifies everything and records the slot as valid.  False when the image is wrong: the slot
 * stays invalid, and an upload of the same file begins anew. */
bool storage_upload_finish(void);

bool storage_erase(int slot);          /* false for the active or the confirmed one */
bool storage_set_pending(int slot);    /* tried at the next start; false when not valid */
bool storage_set_confirmed(int slot);  /* for good; false when not valid */
bool storage_reject(void);             /* the active container failed: go back to the confirmed one, if it is another */

#endif
