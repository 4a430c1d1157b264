/* Calls through the table.  Before this file stand RUNE_TABLE_SIZE, and for each place of the table what type its
 * function has, counted from 1 (0: there is none), in rune_types[], and where it is, in rune_functions[]. */
#ifndef RUNE_INDIRECT_H
#define RUNE_INDIRECT_H

RUNE_INLINE void rune_check_indirect(u32 place, u32 type) {
  if (RUNE_UNLIKELY(place >= RUNE_TABLE_SIZE || rune_types[place] != type + 1)) RUNE_TRAP(RUNE_CAUSE_INDIRECT);
}

#define CALL_INDIRECT(pointer, type, place, ...) \
  (rune_check_indirect(place, type), ((pointer)rune_functions[place])(__VA_ARGS__))

#endif
