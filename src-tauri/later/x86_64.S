/*
 * A function of a library that is loaded when the first of its functions is called (`later.c` says why).
 *
 * The caller jumps to where the function's entry points: first to `first`, which has `later_find` load the library and
 * point the entry to the function itself, and from then on straight to it. Everything has a section of its own, so that
 * the linker drops what nobody calls. Nothing is seen outside the program: the libraries call each other as ever.
 *
 * Source: System V ABI, AMD64 supplement, 3.2 (what carries arguments; %r11 is anybody's).
 */

.macro later name, library
    .section .rodata.later.\name, "aS", @progbits
.Lname.\name:
    .asciz "\name"

    .section .data.rel.local.later.\name, "aw", @progbits
    .balign 8
.Lentry.\name:
    .quad .Lfirst.\name
    .quad .Lname.\name
    .quad .Llibrary.\library

    .section .text.later.\name, "ax", @progbits
    .balign 16
    .globl \name
    .hidden \name
    .type \name, @function
\name:
    .cfi_startproc
    jmp *.Lentry.\name(%rip)
.Lfirst.\name:
    lea .Lentry.\name(%rip), %r11
    jmp first
    .cfi_endproc
    .size \name, . - \name
.endm

.macro library name, file
    .section .rodata.later.library, "a", @progbits
.Llibrary.\name:
    .asciz "\file"
.endm

    .section .text.later.first, "ax", @progbits
    .balign 16
    .type first, @function
/* In: the entry in %r11, and the arguments of a call that is under way, which `later_find` must not touch. */
first:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    sub $192, %rsp
    mov %rax, 0(%rsp)
    mov %rdi, 8(%rsp)
    mov %rsi, 16(%rsp)
    mov %rdx, 24(%rsp)
    mov %rcx, 32(%rsp)
    mov %r8, 40(%rsp)
    mov %r9, 48(%rsp)
    movaps %xmm0, 64(%rsp)
    movaps %xmm1, 80(%rsp)
    movaps %xmm2, 96(%rsp)
    movaps %xmm3, 112(%rsp)
    movaps %xmm4, 128(%rsp)
    movaps %xmm5, 144(%rsp)
    movaps %xmm6, 160(%rsp)
    movaps %xmm7, 176(%rsp)
    mov %r11, %rdi
    call later_find
    mov %rax, %r11
    mov 0(%rsp), %rax
    mov 8(%rsp), %rdi
    mov 16(%rsp), %rsi
    mov 24(%rsp), %rdx
    mov 32(%rsp), %rcx
    mov 40(%rsp), %r8
    mov 48(%rsp), %r9
    movaps 64(%rsp), %xmm0
    movaps 80(%rsp), %xmm1
    movaps 96(%rsp), %xmm2
    movaps 112(%rsp), %xmm3
    movaps 128(%rsp), %xmm4
    movaps 144(%rsp), %xmm5
    movaps 160(%rsp), %xmm6
    movaps 176(%rsp), %xmm7
    leave
    .cfi_def_cfa %rsp, 8
    jmp *%r11
    .cfi_endproc
    .size first, . - first

/* Every library and every function of it; written by `later.rs`. */
#include "functions.inc"

    .section .note.GNU-stack, "", @progbits
