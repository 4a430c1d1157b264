/* Counts the instructions that unicorn executes: a hook that is called at the start of each translated block.
 *
 * Thumb code: an instruction is two halfwords long where its first one begins with 0b11101, 0b11110 or 0b11111. */
#include <stdint.h>

struct block_counter {
  uint64_t executed; /* instructions, the block about to run included */
  uint64_t limit;    /* no block begins once so many were executed */
  uint32_t stopped;  /* whether the limit ended the execution */
  uint32_t code_bytes;
  const uint16_t *code; /* the flash, from address 0 on */
  int (*stop)(void *engine);
};

void count_block(void *engine, uint64_t address, uint32_t bytes, struct block_counter *counter) {
  if (counter->executed >= counter->limit) {
    counter->stopped = 1;
    counter->stop(engine);
    return;
  }
  if (address > counter->code_bytes || bytes > counter->code_bytes - address) {
    counter->executed += bytes / 2; /* code in RAM */
    return;
  }
  const uint64_t end = (address + bytes) / 2;
  for (uint64_t at = address / 2; at < end; counter->executed++) at += counter->code[at] >= 0xe800 ? 2 : 1;
}
