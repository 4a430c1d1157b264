/* Runs an image for a second of the chip's time, on libsimavr, and prints the registers of its pins.
 *
 *     pins MCU IMAGE
 *
 * IMAGE is the flash from its first byte on; there is no bootloader.  Analog input n has 300 mV times n.  A line for
 * each port: its letter, then PORTx and DDRx in hexadecimal. */
#include <stdio.h>
#include <stdlib.h>

#include <simavr/avr_adc.h>
#include <simavr/avr_ioport.h>
#include <simavr/sim_avr.h>

static void apply_voltages(avr_t *avr) {
  avr_irq_t *inputs = avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0);
  for (uint32_t n = 0; n < 16; n++)
    avr_raise_irq(inputs + n, 300 * n);
}

int main(int count, char **arguments) {
  avr_t *avr = count == 3 ? avr_make_mcu_by_name(arguments[1]) : NULL;
  FILE *file = count == 3 ? fopen(arguments[2], "rb") : NULL;
  if (!avr || !file || avr_init(avr) != 0)
    return 1;
  avr->frequency = 16000000;
  avr->log = LOG_NONE;
  avr->vcc = avr->avcc = avr->aref = 5000;
  (void)!fread(avr->flash, 1, avr->flashend, file);
  avr->codeend = avr->flashend;
  avr_reset(avr);
  apply_voltages(avr);
  while (avr->cycle < avr->frequency)
    if (avr_run(avr) == cpu_Crashed)
      return 2;
  for (char letter = 'A'; letter <= 'L'; letter++) {
    avr_ioport_state_t state;
    if (avr_ioctl(avr, AVR_IOCTL_IOPORT_GETSTATE(letter), &state) == 0)
      printf("%c %02x %02x\n", letter, (unsigned)state.port, (unsigned)state.ddr);
  }
  return 0;
}
