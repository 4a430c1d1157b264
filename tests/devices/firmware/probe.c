/* Lets Python put bytes into the flash of the NOR model and see whether a rule of it was broken. */
#include <stdlib.h>

#include "nor.h"

static const char *violation;

void nor_violation(const char *what) { violation = what; }

void nor_power_failed(void) { abort(); } /* Python cuts no power */

/* What was wrong since the last time, or NULL. */
const char *probe_violation(void) {
  const char *what = violation;
  violation = NULL;
  return what;
}

/* Blank but for these bytes, a multiple of four of them. */
void probe_load(uint32_t address, const uint32_t *words, uint32_t count) {
  nor_reset(1);
  for (uint32_t i = 0; i < count; i++)
    *(struct nor_cell *)nor_cell(address + 4 * i) = (struct nor_cell){.value = words[i], .touched = true};
}
