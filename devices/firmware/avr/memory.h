/* The linear memory of a container on an AVR: constants in program memory, the rest in RAM.  It stands in the place of
 * devices/aot/runtime/memory.h, with the same macros before it and the same functions; but what lies in program memory
 * has no address that C could read, so that loads of the two kinds are different instructions.
 *
 * An address that the compiler knows becomes a plain access.  Any other goes through a function of its own, since its
 * checks and both kinds of access are some fifty instructions. */
#ifndef RUNE_AVR_MEMORY_H
#define RUNE_AVR_MEMORY_H

#include <avr/pgmspace.h>
#include <string.h>

#define RUNE_CALLED static __attribute__((noinline, unused))

#ifdef RUNE_CONSTANTS_FAR /* than 64 KiB: beyond what `lpm` reaches */
#define RUNE_FLASH(width, address) pgm_read_##width##_far(pgm_get_far_address(rune_constants) + (address))
#else
#define RUNE_FLASH(width, address) pgm_read_##width##_near(rune_constants + (u16)(address))
#endif
#define RUNE_RAM(address) (rune_ram + (u16)((address) - RUNE_CONSTANT_BYTES))

/* base + offset, which may have 33 bits.  Traps unless all `size` bytes lie in the memory. */
RUNE_INLINE u32 rune_address(u32 base, u32 offset, u8 size) {
  u32 address = base + offset;
  if (address < offset || address > RUNE_MEMORY_BYTES - size)
    RUNE_TRAP(RUNE_CAUSE_MEMORY);
  return address;
}

/* Loads: `size` bytes as an unsigned number.  One that lies half in the constants traps, as in memory.h. */
#define RUNE_DEFINE_ACCESS(bits, width)                                  \
  RUNE_INLINE u##bits rune_fetch##bits(u32 base, u32 offset) {           \
    const u8 size = bits / 8;                                            \
    u32 address = rune_address(base, offset, size);                      \
    u##bits value;                                                       \
    if (address < RUNE_CONSTANT_BYTES) {                                 \
      if (address + size > RUNE_CONSTANT_BYTES)                          \
        RUNE_TRAP(RUNE_CAUSE_MEMORY);                                    \
      return RUNE_FLASH(width, address);                                 \
    }                                                                    \
    memcpy(&value, RUNE_RAM(address), size);                             \
    return value;                                                        \
  }                                                                      \
  RUNE_CALLED u##bits rune_load##bits(u32 base, u32 offset) {            \
    return rune_fetch##bits(base, offset);                               \
  }                                                                      \
  RUNE_INLINE void rune_put##bits(u32 base, u32 offset, u##bits value) { \
    u32 address = rune_address(base, offset, sizeof value);              \
    if (address < RUNE_CONSTANT_BYTES)                                   \
      RUNE_TRAP(RUNE_CAUSE_MEMORY);                                      \
    memcpy(RUNE_RAM(address), &value, sizeof value);                     \
  }                                                                      \
  RUNE_CALLED void rune_store##bits(u32 base, u32 offset, u##bits value) { rune_put##bits(base, offset, value); }

RUNE_DEFINE_ACCESS(8, byte)
RUNE_DEFINE_ACCESS(16, word)
RUNE_DEFINE_ACCESS(32, dword)

#define RUNE_LOAD(bits, base, offset) \
  (__builtin_constant_p((base) + (offset)) ? rune_fetch##bits(base, offset) : rune_load##bits(base, offset))
#define RUNE_STORE(bits, base, offset, value)                                              \
  (__builtin_constant_p((base) + (offset)) ? rune_put##bits(base, offset, (u##bits)(value)) \
                                           : rune_store##bits(base, offset, (u##bits)(value)))

/* A translation may guess that a load means the constants; here that saves nothing. */
#define RUNE_DEFINE_GUESSED(name, result) \
  RUNE_INLINE result name##_constant(u32 base, u32 offset) { return name(base, offset); }
#define RUNE_DEFINE_LOAD(name, bits, type, extended, result)                                                       \
  RUNE_INLINE result name(u32 base, u32 offset) { return (result)(extended)(type)RUNE_LOAD(bits, base, offset); } \
  RUNE_DEFINE_GUESSED(name, result)
#define RUNE_DEFINE_STORE(name, bits, type) \
  RUNE_INLINE void name(u32 base, u32 offset, type value) { RUNE_STORE(bits, base, offset, value); }

RUNE_DEFINE_LOAD(i32_load, 32, u32, u32, u32)
RUNE_DEFINE_LOAD(i32_load8_s, 8, s8, s32, u32)
RUNE_DEFINE_LOAD(i64_load8_s, 8, s8, s64, u64)
RUNE_DEFINE_LOAD(i32_load8_u, 8, u8, u32, u32)
RUNE_DEFINE_LOAD(i64_load8_u, 8, u8, u64, u64)
RUNE_DEFINE_LOAD(i32_load16_s, 16, s16, s32, u32)
RUNE_DEFINE_LOAD(i64_load16_s, 16, s16, s64, u64)
RUNE_DEFINE_LOAD(i32_load16_u, 16, u16, u32, u32)
RUNE_DEFINE_LOAD(i64_load16_u, 16, u16, u64, u64)
RUNE_DEFINE_LOAD(i64_load32_s, 32, s32, s64, u64)
RUNE_DEFINE_LOAD(i64_load32_u, 32, u32, u64, u64)
RUNE_DEFINE_STORE(i32_store, 32, u32)
RUNE_DEFINE_STORE(i32_store8, 8, u32)
RUNE_DEFINE_STORE(i32_store16, 16, u32)
RUNE_DEFINE_STORE(i64_store8, 8, u64)
RUNE_DEFINE_STORE(i64_store16, 16, u64)
RUNE_DEFINE_STORE(i64_store32, 32, u64)

RUNE_INLINE f32 f32_load(u32 base, u32 offset) { return f32_reinterpret_i32(i32_load(base, offset)); }
RUNE_DEFINE_GUESSED(f32_load, f32)
RUNE_INLINE void f32_store(u32 base, u32 offset, f32 value) { i32_store(base, offset, i32_reinterpret_f32(value)); }

/* Two halves, once it is sure that all eight bytes are there. */
RUNE_CALLED u64 i64_load(u32 base, u32 offset) {
  u32 address = rune_address(base, offset, sizeof(u64));
  return (u64)rune_load32(address, 4) << 32 | rune_load32(address, 0);
}
RUNE_DEFINE_GUESSED(i64_load, u64)

RUNE_CALLED void i64_store(u32 base, u32 offset, u64 value) {
  u32 address = rune_address(base, offset, sizeof(u64));
  rune_store32(address, 0, (u32)value);
  rune_store32(address, 4, (u32)(value >> 32));
}

RUNE_CALLED u32 memory_grow(u32 pages) { return pages == 0 ? RUNE_MEMORY_PAGES : UINT32_MAX; }

RUNE_INLINE void rune_check(u32 address, u32 size, u32 first) {
  if (address < first || address > RUNE_MEMORY_BYTES || size > RUNE_MEMORY_BYTES - address)
    RUNE_TRAP(RUNE_CAUSE_MEMORY);
}

/* What the imports of the ABI are given: an address of linear memory stands for a place. */
#define RUNE_AT_RAM(address) (address)

RUNE_INLINE bool rune_in_ram(u32 address, u32 offset, u32 size) {
  (void)offset;
  return address >= RUNE_CONSTANT_BYTES && address <= RUNE_MEMORY_BYTES && size <= RUNE_MEMORY_BYTES - address;
}

RUNE_INLINE u32 rune_readable(u32 address, u32 size) {
  rune_check(address, size, 0);
  return address;
}

RUNE_CALLED void memory_fill(u32 address, u32 value, u32 size) {
  rune_check(address, size, size ? RUNE_CONSTANT_BYTES : 0);
  if (size > 0)
    memset(RUNE_RAM(address), (u8)value, (u16)size);
}

RUNE_CALLED void memory_copy(u32 to, u32 from, u32 size) {
  rune_check(to, size, size ? RUNE_CONSTANT_BYTES : 0);
  rune_check(from, size, 0);
  if (from >= RUNE_CONSTANT_BYTES) {
    memmove(RUNE_RAM(to), RUNE_RAM(from), (u16)size);
    return;
  }
  for (u32 i = 0; i < size; i++)
    *RUNE_RAM(to + i) = rune_load8(from, i);
}

#endif
