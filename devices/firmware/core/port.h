/* What the agent asks of a chip family.  A port is one file in ports/ that defines all of it; addresses, sizes and the
 * port's own macros come from board.h, which is made from the board's TOML file. */
#ifndef RUNE_PORT_H
#define RUNE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called once, before anything else: clocks, UART at BOARD_UART_BAUD with its receive interrupt, cycle counter. */
void port_init(void);

/* UART.  Received bytes are handed to uart_received() (core/uart.c) from the interrupt.  Sending may wait for the
 * hardware, never for the other end. */
void port_uart_send(uint8_t byte);
bool port_uart_sent(void); /* whether the last byte has left */
void uart_received(uint8_t byte);

/* The port calls this (core/clock.c) 1000 times a second from an interrupt. */
void clock_tick(void);

/* Flash, memory-mapped for reading, as NOR: erasing a unit sets every bit, writing clears bits.  Addresses and lengths
 * of writes are multiples of 4; a word is written at most once between two erasures.  Words are written one after
 * the other.  Both return false on failure; neither checks what was written. */
bool port_flash_write(uint32_t address, const uint32_t *words, size_t count);
bool port_flash_erase(uint32_t address); /* the unit that begins at this address */
uint32_t port_flash_unit(uint32_t address); /* size of the unit that holds this address, in bytes */

/* A counter of CPU cycles, or of something proportional to them; it wraps at 32 bits. */
uint32_t port_cycles(void);
uint32_t port_cycles_hz(void);

/* Restarts the chip; never returns. */
void port_reset(void);

/* A number that identifies this very chip, as text in hexadecimal (up to 16 characters and a zero). */
void port_serial_number(char text[17]);

/* Sensors and pins of the chip itself; false where it has none of the kind. */
#define PORT_TEMPERATURE 1u
#define PORT_ADC 2u
#define PORT_PIN 4u
extern const uint8_t port_capabilities; /* those it has */
bool port_temperature(int32_t *celsius_64ths); /* in 64ths of a degree Celsius */
bool port_adc(uint32_t channel, uint16_t *value); /* of 12 bits: 4095 is full scale */
bool port_pin_write(uint32_t pin, bool high);

#endif
