/* Reading flash. */
#ifndef RUNE_FLASH_H
#define RUNE_FLASH_H

#include <stddef.h>
#include <stdint.h>

#include "board.h"

/* One aligned word.  A board that does not map its flash into memory defines it in another way. */
#ifndef FLASH_WORD
#define FLASH_WORD(address) (*(const volatile uint32_t *)(uintptr_t)(address))
#endif

/* Any bytes, to memory. */
static inline void flash_read(uint32_t address, void *to, size_t length) {
  uint8_t *bytes = to;
  while (length--) {
    *bytes++ = (uint8_t)(FLASH_WORD(address & ~3u) >> address % 4 * 8);
    address++;
  }
}

#endif
