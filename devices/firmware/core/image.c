#include "image.h"

#include "board.h"
#include "bytes.h"
#include "container_abi.h"
#include "crc.h"
#include "flash.h"
#include "sha256.h"

#define MCUBOOT_MAGIC 0x96F3B83Du
#define RUNE_MAGIC 0x454E5552u /* "RUNE" */
#define HEADER_VERSION 1u
#define TRAILER_INFO (0x6907u | IMAGE_TRAILER_BYTES << 16)
#define TRAILER_TLV (0x10u | SHA256_BYTES << 16)

/* What the hardware pushes at an exception, with floating-point registers (ARMv7-M ARM, B1.5.6): a container whose
 * stack does not hold it could not even be interrupted. */
#define LEAST_STACK_BYTES 104u

uint32_t image_slot_start(int slot) { return slot == 0 ? BOARD_SLOT0_START : BOARD_SLOT1_START; }

uint32_t image_slot_size(int slot) { return slot == 0 ? BOARD_SLOT0_SIZE : BOARD_SLOT1_SIZE; }

/* Whether `bytes` bytes from `address` on lie in the range. */
static bool within(uint32_t start, uint32_t size, uint32_t address, uint32_t bytes) {
  uint32_t offset = address - start; /* of an address before it: very large */
  return offset <= size && bytes <= size - offset;
}

static bool ram_right(const struct image_header *header) {
  return header->ram_start % 8 == 0 && header->stack_bytes % 8 == 0 && header->progress % 4 == 0 &&
         within(BOARD_RAM_CONTAINER_START, BOARD_RAM_CONTAINER_SIZE, header->ram_start, header->ram_bytes) &&
         header->stack_bytes >= LEAST_STACK_BYTES && header->stack_bytes <= header->ram_bytes &&
         within(header->ram_start, header->ram_bytes, header->progress, sizeof(uint32_t));
}

static bool ports_right(uint32_t body, const struct image_header *header) {
  uint32_t port = header->ports;
  if (port % 4 != 0) return false;
  while (within(body, header->body_bytes, port, sizeof(struct rune_port))) {
    if ((flash_word(port) & 0xFF) == RUNE_PORT_END) return true;
    port += sizeof(struct rune_port);
  }
  return false;
}

/* What of an image's header is the same in all for this board, from `rune_magic` on. */
static const struct {
  uint32_t rune_magic;
  uint16_t header_version;
  uint16_t abi;
  char board[16];
} identity = {RUNE_MAGIC, HEADER_VERSION, BOARD_ABI, BOARD_NAME};

static bool names_right(const struct image_header *header) {
  return header->magic == MCUBOOT_MAGIC && header->header_bytes == IMAGE_HEADER_BYTES &&
         header->protected_bytes == 0 && header->flags == 0 &&
         memcmp(&header->rune_magic, &identity, sizeof identity) == 0;
}

bool image_header(int slot, struct image_header *header) {
  uint32_t start = image_slot_start(slot), body = start + IMAGE_HEADER_BYTES;
  flash_read(start, header, sizeof *header);
  return names_right(header) && crc32(header, IMAGE_HEADER_BYTES - sizeof header->crc32) == header->crc32 &&
         header->load_address == start && header->address == start &&
         header->body_bytes <= image_slot_size(slot) - IMAGE_HEADER_BYTES - IMAGE_TRAILER_BYTES &&
         header->entry % 2 == 0 && within(body, header->body_bytes, header->entry, 2) && ram_right(header) &&
         ports_right(body, header);
}

static void hash_flash(struct sha256 *hash, uint32_t address, uint32_t end) {
  for (; address < end; address++) {
    uint8_t byte;
    flash_read(address, &byte, sizeof byte);
    sha256_update(hash, &byte, sizeof byte);
  }
}

bool image_right(int slot, uint32_t bytes, const uint8_t *sha256) {
  struct image_header header;
  if (!image_header(slot, &header) || bytes != IMAGE_HEADER_BYTES + header.body_bytes + IMAGE_TRAILER_BYTES)
    return false;
  struct sha256 hash, file;
  uint32_t start = image_slot_start(slot), end = start + bytes, trailer = end - IMAGE_TRAILER_BYTES;
  sha256_begin(&hash);
  hash_flash(&hash, start, trailer);
  file = hash;
  hash_flash(&file, trailer, end);
  uint32_t expected[IMAGE_TRAILER_BYTES / 4];
  uint8_t digest[SHA256_BYTES];
  flash_read(trailer, expected, sizeof expected);
  sha256_finish(&hash, digest);
  if (expected[0] != TRAILER_INFO || expected[1] != TRAILER_TLV || memcmp(digest, &expected[2], sizeof digest) != 0)
    return false;
  sha256_finish(&file, digest);
  return sha256 == NULL || memcmp(digest, sha256, sizeof digest) == 0;
}

void image_sha256(int slot, const struct image_header *header, uint8_t sha256[32]) {
  uint32_t trailer = image_slot_start(slot) + IMAGE_HEADER_BYTES + header->body_bytes;
  flash_read(trailer + IMAGE_TRAILER_BYTES - SHA256_BYTES, sha256, SHA256_BYTES);
}
