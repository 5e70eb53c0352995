/*
 * proc - a bounded child process: argument array (never a shell), text on
 * stdin, output discarded or to a file, CPU, memory and time limited, its own
 * process group killed at the limit. Blocks the calling thread; thread-safe.
 *
 * Confined, for programs that read what strangers send: it gains no rights, runs as
 * nobody when we are root, writes no core, and where the kernel lets us, sees no network.
 * What it reads and writes are its stdin and stdout.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct proc {
    const char *const *argv; /* argv[0] looked up in PATH; NULL-terminated */
    const char *input;       /* written to stdin; NULL for none */
    size_t input_len;
    const char *input_path;  /* or: its stdin is this file, readable for a confined one */
    const char *output_path; /* stdout goes there; NULL discards it */
    int timeout_ms;          /* wall time; 0 means 30 s */
    int memory_mb;           /* address space; 0 means no limit */
    int cpu_s;               /* of the processor's time; 0 means no limit */
    int64_t output_bytes;    /* of any file that it writes; 0 means no limit */
    bool confined;
};

/* 0 when the child exited with 0; ENOENT no such program, ETIMEDOUT killed at
 * the limit, ECHILD it failed (*status, when given, has waitpid's word). */
NODISCARD int proc_run(const struct proc *p, int *status);

/* Whether PATH has that program. */
bool proc_exists(const char *program);

#endif
