/*
 * proc - a bounded child process: argument array (never a shell), text on
 * stdin, output discarded or to a file, CPU, memory and time limited, its own
 * process group killed at the limit. Blocks the calling thread; thread-safe.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stddef.h>

#include "base/attrs.h"

struct proc {
    const char *const *argv; /* argv[0] looked up in PATH; NULL-terminated */
    const char *input;       /* written to stdin; NULL for none */
    size_t input_len;
    const char *output_path; /* stdout goes there; NULL discards it */
    int timeout_ms;          /* wall time; 0 means 30 s */
    int memory_mb;           /* address space; 0 means no limit */
};

/* 0 when the child exited with 0; ENOENT no such program, ETIMEDOUT killed at
 * the limit, ECHILD it failed (*status, when given, has waitpid's word). */
NODISCARD int proc_run(const struct proc *p, int *status);

#endif
