/* Going over between the agent and the container.
 *
 * While the container runs, the main stack holds the agent's exception frame and, above it, its other registers; the
 * container's are in supervisor_context while the agent runs. */
#include "agent.h"

  .syntax unified
  .thumb
  .text

#define RETURN_TO_PSP 4 /* the bit of EXC_RETURN that tells the process stack */

  .macro function name
  .global \name
  .type \name, %function
  .balign 4
\name:
  .endm

/* void exceptions_enter(void) */
function exceptions_enter
  svc #0
  bx lr

#if AGENT_ARMV7M

function svc_handler
  tst lr, #RETURN_TO_PSP
  beq enter_container
  mrs r0, psp
  push {r4, lr}
  bl supervisor_call
  pop {r4, lr}
  cbnz r0, leave_container
  bx lr

function pendsv_handler
  tst lr, #RETURN_TO_PSP
  bne leave_container
  bx lr

function fault_handler
  tst lr, #RETURN_TO_PSP
  itt eq
  moveq r0, sp
  beq cortex_m_agent_fault
  mrs r0, psp
  push {r4, lr}
  bl supervisor_faulted
  pop {r4, lr}
  b leave_container

enter_container:
  push {r3-r11, lr}
  ldr r0, =supervisor_context
  ldmia r0, {r1, r2, r4-r11}
  msr psp, r1
  mrs r3, control
  orr r3, r3, #1 /* nPRIV */
  msr control, r3
  isb
  bx r2

leave_container:
  ldr r0, =supervisor_context
  mrs r1, psp
  mov r2, lr
  stmia r0, {r1, r2, r4-r11}
  mrs r3, control
  bic r3, r3, #1
  msr control, r3
  isb
  pop {r3-r11, lr}
  bx lr

#else /* Armv6-M: no unprivileged execution, and few instructions for r8 to r14 */

function svc_handler
  mov r0, lr
  movs r1, #RETURN_TO_PSP
  tst r0, r1
  beq enter_container
  mrs r0, psp
  push {r4, lr}
  bl supervisor_call
  pop {r1, r2}
  mov lr, r2
  cmp r0, #0
  bne leave_container
  bx lr

function pendsv_handler
  mov r0, lr
  movs r1, #RETURN_TO_PSP
  tst r0, r1
  bne leave_container
  bx lr

function fault_handler
  mov r0, lr
  movs r1, #RETURN_TO_PSP
  tst r0, r1
  beq fault_of_agent
  mrs r0, psp
  push {r4, lr}
  bl supervisor_faulted
  pop {r1, r2}
  mov lr, r2
  b leave_container
fault_of_agent:
  mov r0, sp
  ldr r1, =cortex_m_agent_fault
  bx r1

enter_container:
  push {r3-r7, lr}
  mov r4, r8
  mov r5, r9
  mov r6, r10
  mov r7, r11
  push {r4-r7}
  ldr r0, =supervisor_context
  ldmia r0!, {r1, r2}
  msr psp, r1
  adds r0, r0, #16
  ldmia r0!, {r4-r7}
  mov r8, r4
  mov r9, r5
  mov r10, r6
  mov r11, r7
  subs r0, r0, #32
  ldmia r0!, {r4-r7}
  bx r2

leave_container:
  ldr r0, =supervisor_context
  mrs r1, psp
  mov r2, lr
  stmia r0!, {r1, r2, r4-r7}
  mov r4, r8
  mov r5, r9
  mov r6, r10
  mov r7, r11
  stmia r0!, {r4-r7}
  pop {r4-r7}
  mov r8, r4
  mov r9, r5
  mov r10, r6
  mov r11, r7
  pop {r3-r7, pc}

#endif
