/* The regions of memory a container may use, where the core has a memory protection unit. */
#ifndef RUNE_MPU_H
#define RUNE_MPU_H

/* The agent may use everything; a container its RAM. */
void mpu_init(void);

/* A container may read and execute this slot, and no other. */
void mpu_open_slot(int slot);

#endif
