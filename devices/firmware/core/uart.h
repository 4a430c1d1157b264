/* Between the chip's UART and framing. */
#ifndef RUNE_UART_H
#define RUNE_UART_H

/* A millisecond has passed; called from an interrupt. */
void uart_tick(void);

#endif
