/* A strict model of NOR flash for the firmware's storage, compiled for this machine.  Included before each of its
 * files: it puts their variables where the model can wipe them, and reads of flash through the model. */
#ifndef NOR_H
#define NOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"

#ifdef NOR_FIRMWARE
#pragma clang section bss = "firmware_bss" data = "firmware_data"
#endif

#define FLASH_READ(address, to, length) nor_read(address, to, length)

#define NOR_RECORDS_WORDS (BOARD_FLASH_RECORDS_SIZE / 4)
#define NOR_SLOT0_WORDS (BOARD_SLOT0_SIZE / 4)
#define NOR_SLOT1_WORDS (BOARD_SLOT1_SIZE / 4)

struct nor_cell {
  uint32_t value;
  uint32_t other; /* what a weak word also reads as, bit by bit and each time anew */
  bool weak;
  bool touched; /* since the last whole erasure */
};

/* All that a power failure leaves. */
struct nor {
  struct nor_cell cells[NOR_RECORDS_WORDS + NOR_SLOT0_WORDS + NOR_SLOT1_WORDS];
  uint32_t random;
};

/* How an operation is interrupted. */
enum nor_cut {
  NOR_BEFORE, /* nothing of it was done */
  NOR_TORN,   /* some bits of it were done */
  NOR_WEAK,   /* the bits may read this or that way */
  NOR_CUTS
};

extern struct nor nor;
extern uint64_t nor_operations;  /* erasures and written words so far */
extern uint64_t nor_cut_at;      /* the number of the operation that is interrupted */
extern enum nor_cut nor_cut_how;
extern uint64_t nor_fail_at; /* the number of the operation that reports a failure */

void nor_reset(uint32_t seed); /* a new chip: all blank */
uint32_t nor_random(void);
void nor_read(uint32_t address, void *to, size_t length);
const struct nor_cell *nor_cell(uint32_t address); /* NULL outside of records and slots */
void nor_wipe_ram(void);                           /* zeros, noise or what was there */

/* Given by what uses the model. */
void nor_power_failed(void);          /* does not return */
void nor_violation(const char *what); /* a rule of flash was broken */

#endif
