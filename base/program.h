/*
 * program - what the main() of every daemon does first: library set-up, command
 * line (flags, --config FILE, --check-config, --show-config, --config-reference,
 * --version, --help), configuration, log level, clock, stop flag.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/config.h"

struct program {
    const struct config_table *table;
    const char *about;   /* one sentence for --help */
    const char *example; /* a command line for --help */
    /* Options that the command line takes too, as --name VALUE; it wins. NULL-ended;
     * may be NULL. */
    const char *const *flags;
    /* Where the common options sit in cfg. */
    const struct config_common *common;
};

/* Reads the command line and fills cfg (table->struct_size bytes). Returns true
 * to go on; false to leave at once with *exit_code (help shown, or an error
 * already printed: 2 usage or configuration). */
NODISCARD bool program_start(const struct program *p, int argc, char **argv, void *cfg,
                             int *exit_code);

/* SIGTERM and SIGINT raise this; SIGPIPE is ignored. For blocking programs; the
 * dialer's loop has its own signal watchers. */
const atomic_bool *program_stop_flag(void);
void program_watch_signals(void);
/* An fd that becomes readable once the stop flag is up (for poll). */
int program_stop_fd(void);

/* Libraries that want one call per process (libsodium, libcurl); SIGPIPE. */
void program_init_libraries(void);

#endif
