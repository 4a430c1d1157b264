#include "mpu.h"

#include "agent.h"
#include "board.h"
#include "cortex_m.h"

#if BOARD_MPU

/* PMSAv7: ARMv7-M Architecture Reference Manual, B3.5. */
#define MPU_CTRL REGISTER(0xE000ED94)
#define MPU_RNR REGISTER(0xE000ED98)
#define MPU_RBAR REGISTER(0xE000ED9C)
#define MPU_RASR REGISTER(0xE000EDA0)

#define CTRL_PRIVDEFENA 4u
#define CTRL_ENABLE 1u
#define ENABLE 1u
#define EXECUTE_NEVER (1u << 28)
#define ACCESS_PRIVILEGED (1u << 24)
#define ACCESS_READ (2u << 24)
#define ACCESS_ALL (3u << 24)
#define NORMAL_MEMORY (2u << 16) /* write-through, not shared: internal flash and RAM */

enum region { SLOT, CONTAINER_RAM, AGENT_RAM }; /* a higher number wins */

struct window {
  uint32_t base, size_and_subregions;
};
static const struct window slots[] = {AGENT_MPU_SLOT0, AGENT_MPU_SLOT1};
static const struct window container_ram = AGENT_MPU_CONTAINER_RAM, agent_ram = AGENT_MPU_AGENT_RAM;

static void set_region(enum region region, const struct window *window, uint32_t access) {
  MPU_RNR = region;
  MPU_RASR = 0;
  MPU_RBAR = window->base;
  MPU_RASR = window->size_and_subregions | access | NORMAL_MEMORY | ENABLE;
}

void mpu_init(void) {
  set_region(CONTAINER_RAM, &container_ram, ACCESS_ALL | EXECUTE_NEVER);
  set_region(AGENT_RAM, &agent_ram, ACCESS_PRIVILEGED | EXECUTE_NEVER);
  MPU_CTRL = CTRL_PRIVDEFENA | CTRL_ENABLE;
  __asm volatile("dsb\n isb" ::: "memory");
}

void mpu_open_slot(int slot) {
  set_region(SLOT, &slots[slot], ACCESS_READ);
  __asm volatile("dsb\n isb" ::: "memory");
}

#else

void mpu_init(void) {}

void mpu_open_slot(int slot) { (void)slot; }

#endif
