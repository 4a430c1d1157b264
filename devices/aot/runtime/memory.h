/* The linear memory of the one instance there is, at fixed addresses.  Before this file stand
 *
 *     RUNE_MEMORY_BYTES    size of the linear memory
 *     RUNE_MEMORY_PAGES    the same in pages
 *     RUNE_CONSTANT_BYTES  the addresses below it are constants: they lie in flash, and nothing may store to them
 *     RUNE_RAM_START       the address at which `rune_ram` begins: RUNE_CONSTANT_BYTES rounded down to its alignment
 *     rune_constants[]     the bytes of the constants
 *     rune_ram[]           the rest of the linear memory
 *     RUNE_PROGRESS        address of the progress cell
 *     RUNE_TRAP(cause)     never returns
 *     RUNE_MARK(operator)  tells that a stage begins, when that operator is the first of one
 *
 * An access takes a base, computed by the code, and an offset, a constant of the instruction.  Their sum may have 33
 * bits: so the base is compared with bounds from which the offset was taken away, in which nothing overflows, and
 * clang drops what it can prove.  An access that lies half in the constants traps like a store to them: nothing that
 * our linker made straddles the border. */
#ifndef RUNE_MEMORY_H
#define RUNE_MEMORY_H

/* Whether `size` bytes at base + offset lie in [first, last). */
RUNE_INLINE bool rune_inside(u32 base, u32 offset, u32 size, u32 first, u32 last) {
  if (last < size || offset > last - size) return false;
  u32 lowest = offset < first ? first - offset : 0, highest = last - size - offset;
  return lowest <= highest && base - lowest <= highest - lowest;
}

RUNE_INLINE bool rune_in_ram(u32 base, u32 offset, u32 size) {
  return rune_inside(base, offset, size, RUNE_CONSTANT_BYTES, RUNE_MEMORY_BYTES);
}

RUNE_INLINE bool rune_in_constants(u32 base, u32 offset, u32 size) {
  return rune_inside(base, offset, size, 0, RUNE_CONSTANT_BYTES);
}

#define RUNE_AT_RAM(address) (rune_ram + ((address) - RUNE_RAM_START))

/* Without a misaligned load, a pointer of unknown alignment costs four loads: look at it first.  Where the alignment
 * is known, so is the answer. */
#if defined(__ARM_ARCH) && !defined(__ARM_FEATURE_UNALIGNED)
#define RUNE_COPY(to, from, pointer, size)                              \
  do {                                                                  \
    if (((uintptr_t)(pointer) & (size - 1)) == 0) {                     \
      __builtin_memcpy(__builtin_assume_aligned(to, size), __builtin_assume_aligned(from, size), size); \
    } else {                                                            \
      __builtin_memcpy(to, from, size);                                 \
    }                                                                   \
  } while (0)
#else
#define RUNE_COPY(to, from, pointer, size) __builtin_memcpy(to, from, size)
#endif

#define RUNE_DEFINE_LOAD(name, memory, extended, result)                \
  RUNE_INLINE result name(u32 base, u32 offset) {                       \
    memory value;                                                       \
    const u8 *place;                                                    \
    if (RUNE_LIKELY(rune_in_ram(base, offset, sizeof value))) {         \
      place = RUNE_AT_RAM(base + offset);                               \
    } else if (RUNE_LIKELY(rune_in_constants(base, offset, sizeof value))) { \
      place = rune_constants + (base + offset);                         \
    } else {                                                            \
      RUNE_TRAP(RUNE_CAUSE_MEMORY);                                     \
    }                                                                   \
    RUNE_COPY(&value, place, place, sizeof value);                      \
    return (result)(extended)value;                                     \
  }

#define RUNE_DEFINE_STORE(name, memory, type)                           \
  RUNE_INLINE void name(u32 base, u32 offset, type wide) {              \
    memory value = (memory)wide;                                        \
    if (RUNE_UNLIKELY(!rune_in_ram(base, offset, sizeof value))) RUNE_TRAP(RUNE_CAUSE_MEMORY); \
    u8 *place = RUNE_AT_RAM(base + offset);                             \
    RUNE_COPY(place, &value, place, sizeof value);                      \
  }

RUNE_DEFINE_LOAD(i32_load, u32, u32, u32)
RUNE_DEFINE_LOAD(rune_load64, u64, u64, u64)
RUNE_DEFINE_LOAD(f32_load, f32, f32, f32)
RUNE_DEFINE_LOAD(f64_load, f64, f64, f64)
RUNE_DEFINE_LOAD(i32_load8_s, s8, s32, u32)
RUNE_DEFINE_LOAD(i64_load8_s, s8, s64, u64)
RUNE_DEFINE_LOAD(i32_load8_u, u8, u32, u32)
RUNE_DEFINE_LOAD(i64_load8_u, u8, u64, u64)
RUNE_DEFINE_LOAD(i32_load16_s, s16, s32, u32)
RUNE_DEFINE_LOAD(i64_load16_s, s16, s64, u64)
RUNE_DEFINE_LOAD(i32_load16_u, u16, u32, u32)
RUNE_DEFINE_LOAD(i64_load16_u, u16, u64, u64)
RUNE_DEFINE_LOAD(i64_load32_s, s32, s64, u64)
RUNE_DEFINE_LOAD(i64_load32_u, u32, u64, u64)
RUNE_DEFINE_STORE(i64_store, u64, u64)
RUNE_DEFINE_STORE(f32_store, f32, f32)
RUNE_DEFINE_STORE(f64_store, f64, f64)
RUNE_DEFINE_STORE(i32_store8, u8, u32)
RUNE_DEFINE_STORE(i32_store16, u16, u32)
RUNE_DEFINE_STORE(i64_store8, u8, u64)
RUNE_DEFINE_STORE(i64_store16, u16, u64)
RUNE_DEFINE_STORE(i64_store32, u32, u64)
RUNE_DEFINE_STORE(rune_store, u32, u32)

typedef u64 rune_two_words __attribute__((aligned(4)));

/* LDRD, which takes whole words alone, where the compiler has proved the alignment: `rune_ram` begins at an address
 * that is aligned as in the linear memory.  It makes one for sure of a volatile load only. */
RUNE_INLINE u64 i64_load(u32 base, u32 offset) {
#if defined(__ARM_FEATURE_UNALIGNED)
  if (__builtin_constant_p((base + offset) % 4 == 0) && (base + offset) % 4 == 0) {
    if (RUNE_LIKELY(rune_in_ram(base, offset, sizeof(u64)))) {
      return *(const volatile rune_two_words *)(const void *)RUNE_AT_RAM(base + offset);
    }
    if (RUNE_LIKELY(rune_in_constants(base, offset, sizeof(u64)))) {
      return *(const volatile rune_two_words *)(const void *)(rune_constants + (base + offset));
    }
    RUNE_TRAP(RUNE_CAUSE_MEMORY);
  }
#endif
  return rune_load64(base, offset);
}

/* The number of the operator at work is looked at from outside, at any time. */
RUNE_INLINE void i32_store(u32 base, u32 offset, u32 value) {
  if (__builtin_constant_p(base) && base + offset == RUNE_PROGRESS && __builtin_constant_p(value)) {
    *(volatile u32 *)(void *)RUNE_AT_RAM(RUNE_PROGRESS) = value;
    RUNE_MARK(value);
  } else {
    rune_store(base, offset, value);
  }
}

RUNE_OUTLINE u32 memory_grow(u32 pages) {
  return pages == 0 ? RUNE_MEMORY_PAGES : UINT32_MAX;
}

RUNE_OUTLINE void memory_fill(u32 address, u32 value, u32 size) {
  if (size == 0 && address <= RUNE_MEMORY_BYTES) return;
  if (!rune_inside(address, 0, size, RUNE_CONSTANT_BYTES, RUNE_MEMORY_BYTES)) RUNE_TRAP(RUNE_CAUSE_MEMORY);
  __builtin_memset(RUNE_AT_RAM(address), (int)(value & 0xff), size);
}

RUNE_INLINE const u8 *rune_readable(u32 address, u32 size) {
  if (rune_in_ram(address, 0, size)) return RUNE_AT_RAM(address);
  if (!rune_in_constants(address, 0, size)) RUNE_TRAP(RUNE_CAUSE_MEMORY);
  return rune_constants + address;
}

RUNE_OUTLINE void memory_copy(u32 to, u32 from, u32 size) {
  if (size == 0 && to <= RUNE_MEMORY_BYTES && from <= RUNE_MEMORY_BYTES) return;
  if (!rune_in_ram(to, 0, size)) RUNE_TRAP(RUNE_CAUSE_MEMORY);
  __builtin_memmove(RUNE_AT_RAM(to), rune_readable(from, size), size);
}

#endif
