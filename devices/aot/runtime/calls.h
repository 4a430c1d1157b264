/* The imports of the ABI.  RUNE_HOST_READ and RUNE_HOST_WRITE(port, place, bytes) stand before this file. */
#ifndef RUNE_CALLS_H
#define RUNE_CALLS_H

RUNE_INLINE u32 rune_read(u32 source, u32 address, u32 size) {
  if (!rune_in_ram(address, 0, size)) RUNE_TRAP(RUNE_CAUSE_MEMORY);
  return RUNE_HOST_READ(source, RUNE_AT_RAM(address), size);
}

RUNE_INLINE u32 rune_write(u32 output, u32 address, u32 size) {
  return RUNE_HOST_WRITE(output, rune_readable(address, size), size);
}

#endif
