/* Reading flash. */
#ifndef RUNE_FLASH_H
#define RUNE_FLASH_H

#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "bytes.h"

/* A chip that does not map its flash into memory defines it in another way. */
#ifndef FLASH_READ
#define FLASH_READ(address, to, length) memcpy(to, (const void *)(uintptr_t)(address), length)
#endif

/* Any bytes, to memory: as they are now, whatever was read or erased before. */
static inline void flash_read(uint32_t address, void *to, size_t length) {
  __asm__ volatile("" ::: "memory");
  FLASH_READ(address, to, length);
}

static inline uint32_t flash_word(uint32_t address) {
  uint32_t word;
  flash_read(address, &word, sizeof word);
  return word;
}

#endif
