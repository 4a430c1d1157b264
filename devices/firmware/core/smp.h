/* The Simple Management Protocol: finds the command that a request is for, and answers. */
#ifndef RUNE_SMP_H
#define RUNE_SMP_H

#include "cbor.h"

/* MCUmgr's error numbers. */
enum smp_result {
  SMP_OK = 0,
  SMP_UNKNOWN = 1,
  SMP_NO_MEMORY = 2,
  SMP_INVALID = 3,
  SMP_NOT_FOUND = 5,
  SMP_BAD_STATE = 6,
  SMP_NOT_SUPPORTED = 8,
  SMP_CORRUPT = 9,
};

/* A command reads its request and then writes the pairs of its answer, which is written over the request.  Whatever it
 * wrote is dropped when it returns an error. */
typedef enum smp_result (*smp_command)(struct cbor_map *request, struct cbor_writer *answer);

struct smp_entry {
  uint8_t command;
  bool write;
  smp_command handle;
};

/* Commands of a group, of which the last entry has no handler. */
extern const struct smp_entry os_group[], image_group[], container_group[];

#define SMP_HEADER_BYTES 8
#define SMP_GROUP_OS 0
#define SMP_GROUP_IMAGE 1
#define SMP_GROUP_CONTAINER 64

/* Answers the request that framing holds. */
void smp_answer(void);

/* Sends what was written behind SMP_HEADER_BYTES of a packet as a notification of our group; two bytes more must be
 * free behind it. */
void smp_notify(uint8_t command, uint8_t *packet, size_t length);

/* Makes the chip restart once the answer to the present request is sent. */
void smp_reset_after_answer(void);

#endif
