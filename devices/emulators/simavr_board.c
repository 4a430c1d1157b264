/* An Arduino board with an AVR, on libsimavr: its first UART is a pseudo-terminal, its flash a file.
 *
 *     simavr_board MCU HERTZ FLASH_FILE BOOT_ADDRESS TERMINAL PATH
 *
 * FLASH_FILE holds the whole flash, bootloader included, and is written through at once.  BOOT_ADDRESS is where the
 * fuses let the chip start.  TERMINAL is the descriptor of the board's end of the pseudo-terminal, PATH the name of the
 * other end.  When a program opens that after nobody had it open, the chip is reset, as the Arduino boards do by the
 * modem line DTR; what the chip sends while nobody has the port open is lost, as on a cable.  The supply has 5 V,
 * analog input n 300 mV times n. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <simavr/avr_adc.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>

#define SLICES_PER_SECOND 500 /* how often the chip's time is held against the clock on the wall */
#define NANOSECONDS 1000000000LL
#define RECEIVE_BYTES 256
#define SUPPLY_MILLIVOLTS 5000
#define ANALOG_INPUTS 16
#define MILLIVOLTS_PER_INPUT 300

struct board {
  avr_t *avr;
  avr_irq_t *uart_input;
  int terminal;
  int watch;       /* tells who opens and closes the port */
  int opened;      /* how often programs have the port open */
  int may_receive; /* whether the UART's buffer has room */
  unsigned char pending[RECEIVE_BYTES];
  size_t pending_begin, pending_end;
  avr_cycle_count_t anchor_cycle; /* at this cycle ... */
  long long anchor_time;          /* ... the wall clock showed this, in nanoseconds */
};

static struct board board;

static void fail(const char *what) {
  fprintf(stderr, "simavr_board: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * NANOSECONDS + time.tv_nsec;
}

/* The flash, mapped from its file; the decoder looks a few bytes beyond the end, where there is an empty page. */
static uint8_t *map_flash(const char *path, size_t size) {
  int file = open(path, O_RDWR | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0)
    fail(path);
  if ((size_t)status.st_size != size) {
    errno = EFBIG;
    fail(path);
  }
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *memory = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    fail("mmap");
  if (mmap(memory, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
    fail(path);
  close(file);
  return memory;
}

static int watch_port(const char *path) {
  int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (watch < 0 || inotify_add_watch(watch, path, IN_OPEN | IN_CLOSE) < 0)
    fail(path);
  return watch;
}

static void apply_voltages(void) {
  avr_irq_t *inputs = avr_io_getirq(board.avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0);
  for (uint32_t n = 0; n < ANALOG_INPUTS; n++)
    avr_raise_irq(inputs + n, MILLIVOLTS_PER_INPUT * n);
}

static void reset(void) {
  avr_reset(board.avr);
  apply_voltages();
  avr_regbit_set(board.avr, board.avr->reset_flags.extrf);
  board.pending_begin = board.pending_end = 0;
  board.may_receive = 1;
}

static void on_transmit(struct avr_irq_t *irq, uint32_t value, void *unused) {
  (void)irq, (void)unused;
  unsigned char byte = (unsigned char)value;
  if (board.opened && write(board.terminal, &byte, 1) < 0 && errno != EAGAIN && errno != EIO)
    fail("write");
}

static void on_room(struct avr_irq_t *irq, uint32_t value, void *room) {
  (void)irq, (void)value;
  board.may_receive = room != NULL;
}

static void attach_uart(void) {
  uint32_t flags = 0;
  avr_ioctl(board.avr, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
  flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
  avr_ioctl(board.avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  uint32_t uart = AVR_IOCTL_UART_GETIRQ('0');
  board.uart_input = avr_io_getirq(board.avr, uart, UART_IRQ_INPUT);
  avr_irq_register_notify(avr_io_getirq(board.avr, uart, UART_IRQ_OUTPUT), on_transmit, NULL);
  avr_irq_register_notify(avr_io_getirq(board.avr, uart, UART_IRQ_OUT_XON), on_room, &board);
  avr_irq_register_notify(avr_io_getirq(board.avr, uart, UART_IRQ_OUT_XOFF), on_room, NULL);
}

static void receive(void) {
  if (board.pending_begin == board.pending_end) {
    ssize_t count = read(board.terminal, board.pending, sizeof board.pending);
    board.pending_begin = 0;
    board.pending_end = count > 0 ? (size_t)count : 0;
  }
  while (board.may_receive && board.pending_begin < board.pending_end)
    avr_raise_irq(board.uart_input, board.pending[board.pending_begin++]);
}

static void on_port_event(uint32_t event) {
  if (event & IN_OPEN) {
    if (board.opened++ == 0)
      reset();
  } else if ((event & IN_CLOSE) && board.opened > 0 && --board.opened == 0) {
    tcflush(board.terminal, TCIOFLUSH);
  }
}

/* Sees who opens and closes the port, and what was sent to the chip. */
static void look_at_port(void) {
  _Alignas(struct inotify_event) char events[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
  ssize_t length = read(board.watch, events, sizeof events);
  for (ssize_t at = 0; at < length;) {
    const struct inotify_event *event = (const struct inotify_event *)(events + at);
    on_port_event(event->mask);
    at += (ssize_t)sizeof *event + event->len;
  }
  if (board.opened)
    receive();
}

/* The chip must not be faster than its crystal, or the time-outs of its bootloader come too early.  Where this machine
 * is too slow, lost time stays lost. */
static void keep_pace(void) {
  avr_cycle_count_t cycles = board.avr->cycle - board.anchor_cycle;
  long long due = board.anchor_time + (long long)(cycles * (unsigned long long)NANOSECONDS / board.avr->frequency);
  long long ahead = due - now();
  if (ahead > 0) {
    struct timespec pause = {.tv_sec = ahead / NANOSECONDS, .tv_nsec = ahead % NANOSECONDS};
    nanosleep(&pause, NULL);
  }
  board.anchor_cycle = board.avr->cycle;
  board.anchor_time = ahead > 0 ? due : now();
}

/* A sleeping chip lets time pass; keep_pace waits for the clock on the wall. */
static void on_sleep(avr_t *avr, avr_cycle_count_t cycles) { (void)avr, (void)cycles; }

static void run_slice(void) {
  avr_cycle_count_t end = board.avr->cycle + board.avr->frequency / SLICES_PER_SECOND;
  while (board.avr->cycle < end) {
    int state = avr_run(board.avr);
    if (state == cpu_Done || state == cpu_Crashed) /* asleep for ever, or astray: only a reset helps */
      reset();
  }
}

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: simavr_board MCU HERTZ FLASH_FILE BOOT_ADDRESS TERMINAL PATH\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  board.avr = avr_make_mcu_by_name(arguments[1]);
  if (!board.avr || avr_init(board.avr) != 0) {
    fprintf(stderr, "simavr_board: libsimavr does not know %s\n", arguments[1]);
    return 1;
  }
  board.avr->vcc = board.avr->avcc = board.avr->aref = SUPPLY_MILLIVOLTS;
  board.avr->frequency = (uint32_t)strtoul(arguments[2], NULL, 0);
  board.avr->flash = map_flash(arguments[3], board.avr->flashend + 1);
  board.avr->codeend = board.avr->flashend;
  board.avr->reset_pc = (avr_flashaddr_t)strtoul(arguments[4], NULL, 0);
  board.avr->sleep = on_sleep;
  board.avr->run_cycle_limit = board.avr->frequency / SLICES_PER_SECOND;
  board.avr->log = LOG_NONE;
  board.terminal = atoi(arguments[5]);
  board.watch = watch_port(arguments[6]);
  attach_uart();
  reset();
  puts("ready");
  fflush(stdout);
  board.anchor_time = now();
  for (;;) {
    look_at_port();
    run_slice();
    keep_pace();
  }
}
