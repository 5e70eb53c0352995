/*
 * service - one child process of `furrow up`: started with an argument array, its
 * output in a log file, as an unprivileged user when asked, ended with its own
 * signal and in bounded time, started again when it dies.
 * Single-threaded; the caller polls.
 */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attrs.h"

enum { SERVICE_ARGS_MAX = 40 };

struct service_user { /* who children become; name "" keeps the caller */
    char name[64];
    uid_t uid;
    gid_t gid;
};

struct service {
    const char *name;
    const char *argv[SERVICE_ARGS_MAX]; /* borrowed, NULL-terminated */
    const char *log_path;               /* borrowed */
    const struct service_user *user;    /* borrowed; NULL keeps the caller */
    int stop_signal;
    int stop_ms; /* then SIGKILL */
    pid_t pid;   /* 0: not running */
    int restarts;
    int status;                        /* of the last death, as waitpid() gives it */
    int64_t started_ms, restart_at_ms; /* monotonic */
};

NODISCARD int service_start(struct service *s);
/* Notices a death and starts again with a growing pause; true when it died now. */
bool service_tend(struct service *s, int64_t mono_now_ms);
void service_signal_stop(struct service *s);
void service_wait_stop(struct service *s); /* bounded by stop_ms, then kills */
/* Run to its end (initdb); 0, or ECHILD. */
NODISCARD int service_run_once(struct service *s, int timeout_ms);

/* The unprivileged user for a root caller: furrow, else postgres, else nobody. */
void service_user_choose(struct service_user *out);
/* Can that user read and enter path? */
bool service_user_reaches(const struct service_user *user, const char *path);

#endif
