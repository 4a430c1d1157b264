/* The agent: answers the host, and in between lets the container go on. */
#include "framing.h"
#include "port.h"
#include "session.h"
#include "smp.h"
#include "supervisor.h"

int main(void) {
  bool was_running = supervisor_init();
  port_init();
  if (was_running) session_was_reset();
  session_start();
  for (;;) {
    if (framing_pending()) {
      smp_answer();
    } else if (!session_step()) {
      __asm volatile("wfi");
    }
  }
}
