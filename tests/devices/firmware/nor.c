#include "nor.h"

#include <string.h>

#include "board.h"
#include "port.h"

struct nor nor;
uint64_t nor_operations;
uint64_t nor_cut_at = UINT64_MAX;
enum nor_cut nor_cut_how;
uint64_t nor_fail_at = UINT64_MAX;

static const struct {
  uint32_t size, count;
} unit_table[] = BOARD_FLASH_UNITS;

uint32_t nor_random(void) { /* xorshift32 */
  nor.random ^= nor.random << 13;
  nor.random ^= nor.random >> 17;
  nor.random ^= nor.random << 5;
  return nor.random;
}

void nor_reset(uint32_t seed) {
  for (unsigned i = 0; i < sizeof nor.cells / sizeof *nor.cells; i++) nor.cells[i] = (struct nor_cell){.value = ~0u};
  nor.random = seed * 2654435761u | 1u;
}

static struct nor_cell *find(uint32_t address) {
  uint32_t records = address - BOARD_FLASH_RECORDS_START, slot0 = address - BOARD_SLOT0_START,
           slot1 = address - BOARD_SLOT1_START;
  if (records < BOARD_FLASH_RECORDS_SIZE) return &nor.cells[records / 4];
  if (slot0 < BOARD_SLOT0_SIZE) return &nor.cells[NOR_RECORDS_WORDS + slot0 / 4];
  if (slot1 < BOARD_SLOT1_SIZE) return &nor.cells[NOR_RECORDS_WORDS + NOR_SLOT0_WORDS + slot1 / 4];
  return NULL;
}

const struct nor_cell *nor_cell(uint32_t address) { return find(address); }

static uint32_t read_weak(const struct nor_cell *cell) {
  uint32_t mask = nor_random();
  if (mask % 4 == 0) mask = 0;
  if (mask % 4 == 1) mask = ~0u;
  return (cell->value & ~mask) | (cell->other & mask);
}

void nor_read(uint32_t address, void *to, size_t length) {
  uint8_t *bytes = to;
  while (length > 0) {
    const struct nor_cell *cell = find(address);
    if (cell == NULL) {
      nor_violation("a read outside of records and slots");
      return;
    }
    uint32_t word = cell->weak ? read_weak(cell) : cell->value, first = address % 4;
    size_t count = length < 4 - first ? length : 4 - first;
    memcpy(bytes, (uint8_t *)&word + first, count);
    address += (uint32_t)count;
    bytes += count;
    length -= count;
  }
}

static void unit_at(uint32_t address, uint32_t *start, uint32_t *size) {
  uint32_t unit = BOARD_FLASH_START;
  for (unsigned i = 0; i < sizeof unit_table / sizeof *unit_table; i++)
    for (uint32_t n = 0; n < unit_table[i].count; n++, unit += unit_table[i].size)
      if (address - unit < unit_table[i].size) {
        *start = unit;
        *size = unit_table[i].size;
        return;
      }
  nor_violation("an address outside of the flash");
  *start = *size = 0;
}

uint32_t port_flash_unit(uint32_t address) {
  uint32_t start, size;
  unit_at(address, &start, &size);
  return size;
}

/* What an interrupted change from one value to another leaves in a word. */
static void tear(struct nor_cell *cell, uint32_t to) {
  uint32_t done = nor_random();
  if (nor_cut_how == NOR_TORN) {
    cell->value = (cell->value & ~done) | (to & done);
    cell->weak = false;
  } else {
    cell->other = to;
    cell->weak = true;
  }
  cell->touched = true;
}

static bool cut_now(void) { return nor_operations == nor_cut_at; }

static bool fails_now(void) { return nor_operations == nor_fail_at; }

bool port_flash_erase(uint32_t address) {
  uint32_t start, size;
  unit_at(address, &start, &size);
  if (start != address) nor_violation("an erasure that does not begin at a unit");
  bool fails = fails_now(), cut = cut_now();
  nor_operations++;
  for (uint32_t at = start; at < start + size && !fails && (!cut || nor_cut_how != NOR_BEFORE); at += 4) {
    struct nor_cell *cell = find(at);
    if (cell == NULL) {
      nor_violation("an erasure outside of records and slots");
      return false;
    }
    if (!cut)
      *cell = (struct nor_cell){.value = ~0u};
    else if (nor_random() % 4 != 0)
      tear(cell, ~0u);
    else
      cell->touched = true;
  }
  if (cut) nor_power_failed();
  return !fails;
}

static bool write_word(uint32_t address, uint32_t word) {
  struct nor_cell *cell = find(address);
  if (cell == NULL || address % 4 != 0) {
    nor_violation("a write outside of records and slots");
    return false;
  }
  if (cell->touched) nor_violation("a word that is written twice between two erasures");
  bool fails = fails_now(), cut = cut_now();
  nor_operations++;
  if (fails) return false;
  if (!cut) *cell = (struct nor_cell){.value = word, .touched = true};
  if (cut && nor_cut_how != NOR_BEFORE) tear(cell, word);
  if (cut) nor_power_failed();
  return true;
}

bool port_flash_write(uint32_t address, const uint32_t *words, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!write_word(address + 4 * (uint32_t)i, words[i])) return false;
  return true;
}

extern uint8_t firmware_ram_start[] __asm__("__start_firmware_bss");
extern uint8_t firmware_ram_end[] __asm__("__stop_firmware_bss");

void nor_wipe_ram(void) {
  size_t bytes = (size_t)(firmware_ram_end - firmware_ram_start);
  uint32_t how = nor_random() % 3;
  if (how == 0) memset(firmware_ram_start, 0, bytes);
  for (size_t i = 0; how == 1 && i < bytes; i++) firmware_ram_start[i] = (uint8_t)nor_random();
}
