/*
 * run_children - the dialer and the worker that `furrow run` starts for its own
 * lifetime where none are alive. They write into log files below data_dir/log and
 * end with this process, whatever ends it. Single-threaded.
 */
#ifndef CLI_RUN_CHILDREN_H
#define CLI_RUN_CHILDREN_H

#include <limits.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "cli/service.h"

struct cli;

struct run_child {
    struct service service;
    char program[PATH_MAX + 32], log[PATH_MAX];
    bool ours; /* started by us */
};

struct run_children {
    struct run_child dialer, worker;
};

/* Starts what has no live lease in node_slots. EAGAIN: the database could not be
 * asked. Other errors say in e what is wrong. Call it again: dialers of others may
 * go away. */
NODISCARD int run_children_ensure(struct run_children *c, struct cli *cli,
                                  struct errtext *e);
/* Starts again what died; ECHILD when one dies again and again. */
NODISCARD int run_children_tend(struct run_children *c, struct errtext *e);
void run_children_stop(struct run_children *c);

#endif
