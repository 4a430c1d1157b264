/* The DSP helpers as WebAssembly functions. */
#include <stdint.h>

#define RUNE_DSP_HELPER(name, parameters, body) \
  uint32_t name parameters;                     \
  uint32_t name parameters body
#define RUNE_DSP_QUERY(name, body) RUNE_DSP_HELPER(name, (void), body)
#include "dsp_helpers.h"
