/* Cuts the power of the firmware's storage at every operation of flash, and again during the recovery.
 *
 *     campaign IMAGES every SEED VARIANTS    the scenario below, cut everywhere in every way; during the recovery cut
 *                                            again everywhere, in as many of the ways
 *     campaign IMAGES random SEED COUNT      COUNT random sequences of requests with random cuts and flash failures
 *
 * IMAGES is a folder with the files N-SLOT.img.  What storage says is compared with a model of its states: a request
 * that was cut took place or it did not, one that was answered took place.  The first difference ends the program.
 * Bricked: nothing is started though there must be something.  Mixed: a valid slot does not hold an image as it was
 * uploaded, or an upload goes on behind bytes that are not its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "nor.h"
#include "port.h"
#include "sha256.h"
#include "storage.h"

#define IMAGES 4
#define MAXIMUM_STATES 32
#define NOTHING (-1)

/* ---- what a user has ---- */

struct image {
  uint8_t bytes[BOARD_SLOT0_SIZE];
  uint32_t length;
  uint8_t file_sha256[32];
};

static struct image images[IMAGES][STORAGE_SLOTS];

static void read_images(const char *folder) {
  for (int number = 0; number < IMAGES; number++)
    for (int slot = 0; slot < STORAGE_SLOTS; slot++) {
      struct image *image = &images[number][slot];
      char path[4096];
      snprintf(path, sizeof path, "%s/%d-%d.img", folder, number, slot);
      FILE *file = fopen(path, "rb");
      if (file == NULL) {
        perror(path);
        exit(2);
      }
      image->length = (uint32_t)fread(image->bytes, 1, sizeof image->bytes, file);
      fclose(file);
      struct sha256 hash;
      sha256_begin(&hash);
      sha256_update(&hash, image->bytes, image->length);
      sha256_finish(&hash, image->file_sha256);
    }
}

/* ---- the model of storage's states ---- */

struct state {
  int image[STORAGE_SLOTS]; /* its number, or NOTHING */
  int confirmed, pending, tried, active;
};

enum request { BOOT, BEGIN, FINISH, ERASE, PENDING, CONFIRM, REJECT, WRITE };

/* Everything that outlives a power failure. */
static struct world {
  struct nor nor;
  struct state states[MAXIMUM_STATES]; /* those that are possible */
  int count;
  enum request request; /* that is being answered */
  int slot, image;      /* of the request */
  int step;
  uint64_t boots, resumed;
} world;

/* How a run can end that must not. */
enum failure { BRICKED, MIXED, WRONG, VIOLATION, FAILURES };

static jmp_buf power;
static struct {
  uint64_t cuts, second_cuts, boots, resumed, sequences, flash_failures, failures[FAILURES];
} total;

static void print_total(void) {
  printf("%llu cuts, %llu second cuts, %llu random sequences, %llu flash failures, %llu boots, %llu uploads resumed: "
         "%llu bricked, %llu mixed, %llu wrong, %llu violations\n",
         (unsigned long long)total.cuts, (unsigned long long)total.second_cuts, (unsigned long long)total.sequences,
         (unsigned long long)total.flash_failures, (unsigned long long)total.boots, (unsigned long long)total.resumed,
         (unsigned long long)total.failures[BRICKED], (unsigned long long)total.failures[MIXED],
         (unsigned long long)total.failures[WRONG], (unsigned long long)total.failures[VIOLATION]);
}

static _Noreturn void fail(enum failure failure, const char *what, ...) {
  va_list arguments;
  va_start(arguments, what);
  vprintf(what, arguments);
  va_end(arguments);
  printf(" (step %d, operation %llu, cut at %llu, kind %d)\n", world.step, (unsigned long long)nor_operations,
         (unsigned long long)nor_cut_at, nor_cut_how);
  total.failures[failure]++;
  print_total();
  exit(1);
}

void nor_violation(const char *what) { fail(VIOLATION, "%s", what); }

static void drop(struct state *state, int slot) {
  state->image[slot] = NOTHING;
  if (state->confirmed == slot) state->confirmed = NOTHING;
  if (state->pending == slot) state->pending = NOTHING;
  if (state->tried == slot) state->tried = NOTHING;
}

static void apply_boot(struct state *state) {
  state->tried = state->pending;
  state->pending = NOTHING;
  state->active = state->tried != NOTHING ? state->tried : state->confirmed;
}

static void apply_confirm(struct state *state, int slot) {
  if (slot != state->active || slot == state->pending) state->pending = NOTHING;
  if (slot == state->tried) state->tried = NOTHING;
  state->confirmed = slot;
}

/* What a request does when it succeeds. */
static struct state apply(struct state state) {
  switch (world.request) {
    case BOOT: apply_boot(&state); break;
    case BEGIN:
    case ERASE: drop(&state, world.slot); break;
    case FINISH:
      drop(&state, world.slot);
      state.image[world.slot] = world.image;
      break;
    case PENDING: state.pending = world.slot == state.confirmed ? NOTHING : world.slot; break;
    case CONFIRM: apply_confirm(&state, world.slot); break;
    case REJECT: state.active = state.confirmed; break;
    case WRITE: break;
  }
  return state;
}

static void add(const struct state *state) {
  for (int i = 0; i < world.count; i++)
    if (memcmp(&world.states[i], state, sizeof *state) == 0) return;
  if (world.count == MAXIMUM_STATES) fail(WRONG, "the model has too many states");
  world.states[world.count++] = *state;
}

/* The request may have taken place or not. */
static void applied_or_not(void) {
  int count = world.count;
  for (int i = 0; i < count; i++) {
    struct state state = apply(world.states[i]);
    add(&state);
  }
}

static void applied(void) {
  int count = world.count;
  struct state states[MAXIMUM_STATES];
  memcpy(states, world.states, sizeof states);
  world.count = 0;
  for (int i = 0; i < count; i++) {
    struct state state = apply(states[i]);
    add(&state);
  }
}

/* How many of the first bytes of an image are in its slot, there for good. */
static uint32_t held_bytes(const struct image *image, int slot, uint32_t length) {
  uint32_t start = slot == 0 ? BOARD_SLOT0_START : BOARD_SLOT1_START;
  for (uint32_t i = 0; i < length; i += 4) {
    const struct nor_cell *cell = nor_cell(start + i);
    uint32_t count = length - i < 4 ? length - i : 4;
    if (cell->weak || memcmp(&cell->value, image->bytes + i, count) != 0) return i;
  }
  return length;
}

/* Which of the user's images a valid slot holds. */
static int held_image(int slot, const uint8_t sha256[32]) {
  for (int number = 0; number < IMAGES; number++) {
    const struct image *image = &images[number][slot];
    if (memcmp(image->bytes + image->length - 32, sha256, 32) != 0) continue;
    uint32_t held = held_bytes(image, slot, image->length);
    if (held != image->length) fail(MIXED, "image %d in slot %d is wrong at byte %u", number, slot, held);
    return number;
  }
  fail(MIXED, "slot %d is valid and holds no image that was uploaded", slot);
}

static struct state observe(void) {
  struct state state = {.confirmed = NOTHING, .pending = NOTHING, .tried = NOTHING, .active = storage_active()};
  for (int slot = 0; slot < STORAGE_SLOTS; slot++) {
    struct storage_slot seen;
    storage_slot(slot, &seen);
    state.image[slot] = seen.valid ? held_image(slot, seen.sha256) : NOTHING;
    if (seen.pending) state.pending = slot;
    if (seen.confirmed) state.confirmed = slot;
    if (seen.active != (slot == state.active)) fail(WRONG, "slot %d and storage_active differ", slot);
  }
  return state;
}

static _Noreturn void differs(const struct state *seen, enum failure failure) {
  const struct state *expected = &world.states[0];
  fail(failure,
       "after request %d of slot %d: images %d and %d, confirmed %d, pending %d, active %d; "
       "expected for one %d and %d, %d, %d, %d",
       world.request, world.slot, seen->image[0], seen->image[1], seen->confirmed, seen->pending, seen->active,
       expected->image[0], expected->image[1], expected->confirmed, expected->pending, expected->active);
}

/* Keeps those of the possible states that storage shows. */
static void check(void) {
  struct state seen = observe();
  int kept = 0;
  bool may_be_empty = false;
  for (int i = 0; i < world.count; i++) {
    struct state *state = &world.states[i];
    may_be_empty |= state->active == NOTHING;
    bool same = memcmp(state->image, seen.image, sizeof seen.image) == 0 && state->confirmed == seen.confirmed &&
                state->pending == seen.pending && state->active == seen.active;
    if (same) world.states[kept++] = *state;
  }
  if (kept == 0) differs(&seen, seen.active == NOTHING && !may_be_empty ? BRICKED : WRONG);
  world.count = kept;
}

/* ---- requests ---- */

void nor_power_failed(void) {
  nor_cut_at = UINT64_MAX;
  longjmp(power, 1);
}

static void request(enum request what, int slot, int image) {
  world.request = what;
  world.slot = slot;
  world.image = image;
}

/* The request was answered as it must be. */
static void answered(bool answer, bool expected) {
  if (answer != expected) fail(WRONG, "request %d of slot %d answered %d", world.request, world.slot, answer);
  if (answer) applied();
  check();
}

/* After a flash failure that storage reported: as after a cut, with the power gone. */
static bool flash_failed(void) {
  if (nor_operations <= nor_fail_at) return false;
  nor_fail_at = UINT64_MAX;
  total.flash_failures++;
  longjmp(power, 1);
}

static void boot(void) {
  request(BOOT, 0, 0);
  nor_wipe_ram();
  world.boots++;
  storage_start();
  if (!flash_failed()) answered(true, true);
}

static void ask(enum request what, int slot, bool expected) {
  request(what, slot, 0);
  bool answer = what == ERASE     ? storage_erase(slot)
                : what == PENDING ? storage_set_pending(slot)
                : what == CONFIRM ? storage_set_confirmed(slot)
                                  : storage_reject();
  answered(answer, expected);
}

static int holder(int number) {
  struct state seen = observe();
  return seen.image[0] == number ? 0 : seen.image[1] == number ? 1 : NOTHING;
}

static uint32_t begin(int number, int slot) {
  const struct image *image = &images[number][slot];
  uint32_t offset;
  request(BEGIN, slot, number);
  answered(storage_upload_begin(slot, image->length, image->file_sha256, &offset), true);
  if (held_bytes(image, slot, offset) != offset) fail(MIXED, "an upload goes on at %u behind what is wrong", offset);
  if (offset > 0) world.resumed++;
  return offset;
}

static void send(int number, int slot, uint32_t offset, uint32_t end) {
  const struct image *image = &images[number][slot];
  request(WRITE, slot, number);
  while (offset < end) {
    uint32_t count = end - offset < 100 ? end - offset : 100;
    if (!storage_upload_write(offset, image->bytes + offset, count)) fail(WRONG, "a write at %u is refused", offset);
    offset += count;
  }
  check();
}

static void upload(int number) {
  if (holder(number) != NOTHING) return;
  int slot = storage_upload_slot();
  if (slot == STORAGE_NONE) fail(WRONG, "no slot is free");
  send(number, slot, begin(number, slot), images[number][slot].length);
  request(FINISH, slot, number);
  answered(storage_upload_finish(), true);
}

static void try_image(int number) {
  int slot = holder(number);
  if (storage_active() == slot) return;
  ask(PENDING, slot, true);
  boot();
  if (storage_active() != slot) fail(WRONG, "the pending container was not started");
}

static void expect_active(int number, bool confirmed) {
  struct state seen = observe();
  if (seen.active == NOTHING || seen.image[seen.active] != number || (seen.confirmed == seen.active) != confirmed)
    fail(WRONG, "container %d should be active", number);
}

/* ---- the scenario: each step is repeated after a power failure, until it is through ---- */

static void install(void) {
  upload(0);
  try_image(0);
  ask(CONFIRM, storage_active(), true);
  expect_active(0, true);
}

static void upgrade(void) {
  upload(1);
  try_image(1);
  ask(CONFIRM, storage_active(), true);
  boot();
  expect_active(1, true);
}

static void upload_over(void) { upload(2); }

static void fault(void) {
  try_image(2);
  ask(REJECT, 0, true);
  expect_active(1, true);
}

static void hang(void) {
  try_image(2);
  boot();
  expect_active(1, true);
}

/* One upload is given up half-way for another, which is confirmed without a trial. */
static void change_of_mind(void) {
  int slot = holder(3);
  if (slot == NOTHING) {
    slot = storage_upload_slot();
    send(0, slot, begin(0, slot), images[0][slot].length / 2 & ~3u);
    upload(3);
  }
  ask(CONFIRM, slot, true);
  boot();
  expect_active(3, true);
}

static void tidy(void) {
  ask(ERASE, storage_upload_slot(), true);
  boot();
  expect_active(3, true);
}

static void (*const steps[])(void) = {install, upgrade, upload_over, fault, hang, change_of_mind, tidy};
#define STEPS (int)(sizeof steps / sizeof *steps)

static void save(struct world *to) {
  world.nor = nor;
  *to = world;
}

static void restore(const struct world *from) {
  world = *from;
  nor = world.nor;
}

static struct world first_cut;
static bool was_cut;

/* From a power-up to the begin of step `end`; `first_cut` is the world after the first cut on the way. */
static void run(int end) {
  if (setjmp(power) != 0) {
    applied_or_not();
    if (!was_cut) save(&first_cut);
    was_cut = true;
  }
  boot();
  for (; world.step < end; world.step++) steps[world.step]();
}

static void new_chip(uint32_t seed) {
  memset(&world, 0, sizeof world);
  nor_reset(seed);
  nor_operations = 0;
  add(&(struct state){{NOTHING, NOTHING}, NOTHING, NOTHING, NOTHING, NOTHING});
}

/* Cuts a recovery at each operation until the step that the first cut interrupted is through. */
static void cut_again(unsigned long variants, uint64_t turn) {
  struct world start = first_cut;
  int end = start.step + 1;
  for (uint64_t operation = 0;; operation++) {
    for (unsigned long variant = 0; variant < variants; variant++) {
      restore(&start);
      nor.random ^= (uint32_t)(operation * 2654435761u + variant * 40503u) & ~1u;
      if (nor.random == 0) nor.random = 1;
      nor_operations = 0;
      nor_cut_at = operation;
      nor_cut_how = (enum nor_cut)((turn + operation + variant) % NOR_CUTS);
      was_cut = false;
      run(end);
      nor_cut_at = UINT64_MAX;
      total.boots += world.boots - start.boots;
      if (!was_cut) return;
      total.second_cuts++;
      total.resumed += world.resumed - start.resumed;
    }
  }
}

static void cut_everywhere(uint32_t seed, unsigned long variants) {
  for (uint64_t operation = 0;; operation++) {
    for (int how = 0; how < NOR_CUTS; how++) {
      new_chip(seed + (uint32_t)operation);
      nor_cut_at = operation;
      nor_cut_how = (enum nor_cut)how;
      was_cut = false;
      run(STEPS);
      total.boots += world.boots;
      if (!was_cut) {
        printf("operations: %llu\n", (unsigned long long)nor_operations);
        return;
      }
      total.cuts++;
      total.resumed += world.resumed;
      if (variants > 0) cut_again(variants, operation + (uint64_t)how);
    }
  }
}

/* ---- random sequences ---- */

static uint32_t luck_state;

static uint32_t luck(uint32_t below) {
  luck_state ^= luck_state << 13;
  luck_state ^= luck_state >> 17;
  luck_state ^= luck_state << 5;
  return luck_state % below;
}

static bool model_writable(int slot) { return slot != storage_active() && slot != world.states[0].confirmed; }

static void answered_unless_failed(bool answer, bool expected) {
  if (answer || !expected || !flash_failed()) answered(answer, expected);
}

static void random_writes(const struct image *image, uint32_t *offset, uint32_t end) {
  while (*offset < end) {
    uint32_t count = 4 * (1 + luck(40));
    if (count > image->length - *offset) count = image->length - *offset;
    if (luck(16) == 0 && storage_upload_write(*offset + 4, image->bytes, 4)) fail(WRONG, "a gap was written");
    if (!storage_upload_write(*offset, image->bytes + *offset, count) && !flash_failed())
      fail(WRONG, "a write at %u is refused", *offset);
    *offset += count;
  }
}

/* An upload of an image as it is or with a wrong bit, with or without its SHA-256, perhaps not to the end. */
static void random_upload(int number, int slot) {
  struct image image = images[number][slot];
  bool named = luck(3) != 0, expected = model_writable(slot);
  bool in_place = named && world.states[0].image[slot] == number;
  if (luck(4) == 0) image.bytes[luck(image.length)] ^= (uint8_t)(1u << luck(8));
  uint32_t offset = 0, end = luck(4) == 0 ? luck(image.length) & ~3u : image.length;
  request(in_place ? WRITE : BEGIN, slot, number);
  answered_unless_failed(storage_upload_begin(slot, image.length, named ? image.file_sha256 : NULL, &offset), expected);
  if (!expected) return;
  if (in_place && offset != image.length) fail(WRONG, "an image that is there already is asked for");
  request(WRITE, slot, number);
  random_writes(&image, &offset, end);
  bool right = offset == image.length && held_bytes(&images[number][slot], slot, offset) == offset;
  request(right && !in_place ? FINISH : WRITE, slot, number);
  answered_unless_failed(storage_upload_finish(), right);
}

static void random_request(bool hasty) {
  int slot = (int)luck(STORAGE_SLOTS), what = hasty && luck(4) != 0 ? 4 + (int)luck(6) : (int)luck(10);
  const struct state *state = &world.states[0];
  bool valid = state->image[slot] != NOTHING;
  bool other = state->confirmed != NOTHING && state->confirmed != state->active;
  if (what < 4) {
    random_upload((int)luck(IMAGES), slot);
  } else if (what < 6) {
    boot();
  } else {
    request((enum request[]){ERASE, PENDING, CONFIRM, REJECT}[what - 6], slot, 0);
    bool answer = what == 6   ? storage_erase(slot)
                  : what == 7 ? storage_set_pending(slot)
                  : what == 8 ? storage_set_confirmed(slot)
                              : storage_reject();
    answered_unless_failed(answer, what == 6 ? model_writable(slot) : what == 9 ? other : valid);
  }
}

static void random_sequences(uint32_t seed, unsigned long count) {
  luck_state = seed * 2246822519u | 1u;
  for (volatile unsigned long i = 0; i < count; i++) {
    new_chip(luck(UINT32_MAX));
    volatile int left = 30;
    volatile bool hasty = luck(2) == 0; /* many records, of which many are cut */
    if (setjmp(power) != 0) {
      applied_or_not();
      total.cuts++;
    }
    nor_cut_at = nor_operations + luck(hasty && luck(2) == 0 ? 40 : 400);
    if (left <= 0) nor_cut_at = UINT64_MAX;
    nor_cut_how = hasty ? NOR_WEAK : (enum nor_cut)luck(NOR_CUTS);
    nor_fail_at = luck(4) == 0 && left > 0 ? nor_operations + luck(200) : UINT64_MAX;
    boot();
    while (left-- > 0) random_request(hasty);
    nor_cut_at = nor_fail_at = UINT64_MAX;
    boot();
    total.boots += world.boots;
    total.sequences++;
  }
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  read_images(argv[1]);
  uint32_t seed = (uint32_t)strtoul(argv[3], NULL, 10);
  unsigned long amount = strtoul(argv[4], NULL, 10);
  if (strcmp(argv[2], "every") == 0)
    cut_everywhere(seed, amount);
  else
    random_sequences(seed, amount);
  print_total();
  return 0;
}
