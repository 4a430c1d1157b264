/* The board image in a slot: its header (devices/image.py describes every byte), and whether it can be believed.
 *
 * Nothing here reads outside of the slot, whatever its bytes say. */
#ifndef RUNE_IMAGE_H
#define RUNE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define IMAGE_HEADER_BYTES 128u
#define IMAGE_TRAILER_BYTES 40u

struct image_header {
  uint32_t magic;
  uint32_t load_address;
  uint16_t header_bytes;
  uint16_t protected_bytes;
  uint32_t body_bytes;
  uint32_t flags;
  uint8_t version[4];
  uint32_t build;
  uint32_t padding;
  uint32_t rune_magic;
  uint16_t header_version;
  uint16_t abi;
  char board[16];
  uint32_t address;
  uint32_t entry; /* without the Thumb bit */
  uint32_t ram_start;
  uint32_t ram_bytes;
  uint32_t stack_bytes;
  uint32_t progress; /* address of the progress cell */
  uint32_t ports;    /* address of the table of struct rune_port */
  uint32_t reserved[2];
  uint8_t container_sha256[32];
  uint32_t crc32;
};
_Static_assert(sizeof(struct image_header) == IMAGE_HEADER_BYTES, "as in devices/image.py");

uint32_t image_slot_start(int slot); /* address and size of a slot, in bytes */
uint32_t image_slot_size(int slot);

/* Reads the header of the image in a slot.  False when it is not one of this board's, of this very slot's, with its
 * CRC right, or when any address or size in it points outside of the image or of the container's RAM.  When true, the
 * table of ports ends inside of the body. */
bool image_header(int slot, struct image_header *header);

/* Whether the image in a slot has this many bytes with its trailer, and its SHA-256 is right; the file's too, unless
 * `sha256` is NULL. */
bool image_right(int slot, uint32_t bytes, const uint8_t *sha256);

/* The SHA-256 in the trailer of an image whose header was read. */
void image_sha256(int slot, const struct image_header *header, uint8_t sha256[32]);

#endif
