/* jobs - what the files of `furrow jobs` share: options, filters, verbs. */
#ifndef CLI_JOBS_H
#define CLI_JOBS_H

#include "base/uuid.h"
#include "cli/cli.h"
#include "workers/job_admin.h"

struct jobs_args {
    struct job_filter filter;
    int64_t limit, wait_s, every_s, times, delay_s, running;
    double rate_per_s;
    const char *payload, *key, *zone;
    int priority;
    bool all, json, wait, dry_run, none;
};

/* Options of any verb; what follows them starts at optind. CLI_OK or CLI_USAGE. */
NODISCARD int jobs_parse(struct jobs_args *a, int argc, char **argv);
/* Of a verb that takes options alone; and opens the database. A code of cli.h, said. */
NODISCARD int jobs_open(struct cli *cli, struct jobs_args *a, int argc, char **argv);
NODISCARD int jobs_parse_id(const char *text, struct uuid *id);

/* cmd_jobs_many.c */
cli_verb_fn jobs_retry, jobs_bury, jobs_cancel;
/* cmd_jobs_queues.c */
cli_verb_fn jobs_pause, jobs_drain, jobs_resume, jobs_queues, jobs_limit;
/* A kind nobody ever heard of is a typing error: CLI_FAILED, said. */
NODISCARD int jobs_check_kind(struct cli *cli, const char *kind);
/* cmd_jobs_watch.c */
cli_verb_fn jobs_watch;
/* cmd_jobs_add.c */
cli_verb_fn jobs_add, jobs_schedule, jobs_schedules, jobs_unschedule;

#endif
