/* What the `mcu` profile's kernels call for the DSP instructions of boards; container/dsp_helpers.h says what each
 * does.  The calls stay calls: dsp.c is compiled on its own.  A helper that a container uses becomes one of its
 * exports, under its name, by which boards know it; one that it does not use costs nothing. */
#ifndef RUNE_DSP_H
#define RUNE_DSP_H

#include <stdint.h>

#define RUNE_DSP_HELPER(name, parameters, body) __attribute__((const)) uint32_t name parameters;
#define RUNE_DSP_QUERY(name, body) __attribute__((const)) uint32_t name(void);
#include "dsp_helpers.h"
#undef RUNE_DSP_HELPER
#undef RUNE_DSP_QUERY

#endif
