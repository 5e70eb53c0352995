/* furrow jobs retry, bury, cancel: by id, or many by a filter. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/pg.h"
#include "cli/jobs.h"

struct deed {
    const char *done; /* "%d jobs …" */
    const char *none; /* of an id: why not */
    const char *name; /* of the JSON member */
};

struct many {
    struct cli *cli;
    struct pg_pool *pool; /* for what the kinds do when a job is put aside */
    int64_t n, asked;
};

typedef int(many_fn)(struct many *m, const struct job_filter *f, int64_t *n);

static int retry_some(struct many *m, const struct job_filter *f, int64_t *n)
{
    return job_admin_retry(m->cli->pg, m->cli->tenant_id, f, n);
}

static int bury_some(struct many *m, const struct job_filter *f, int64_t *n)
{
    return job_admin_bury(m->cli->pg, m->pool, m->cli->tenant_id, f, n);
}

static int cancel_some(struct many *m, const struct job_filter *f, int64_t *n)
{
    int64_t asked = 0;
    int err = job_admin_cancel(m->cli->pg, m->pool, m->cli->tenant_id, f, n, &asked);

    m->asked += asked;
    return err;
}

static int by_filter(struct many *m, many_fn *fn, const struct job_filter *f)
{
    struct progress progress = {.label = "jobs", .unit = "jobs"};
    int err = 0;

    for (int64_t n = JOB_ADMIN_BATCH; n == JOB_ADMIN_BATCH && !err; m->n += n) {
        err = fn(m, f, &n);
        progress_show(&progress, m->n + n, 0);
    }
    progress_end(&progress, m->n);
    return err;
}

/* Returns how many were not there, or -1 on an error. */
static int by_id(struct many *m, many_fn *fn, int argc, char **argv,
                 const struct deed *deed)
{
    int missed = 0;

    for (int i = optind; i < argc; i++) {
        struct uuid id;
        const struct job_filter f = {.id = &id};
        int64_t n = 0, asked = m->asked;

        if (uuid_parse(argv[i], &id) || fn(m, &f, &n))
            return -1;
        m->n += n;
        if (n + m->asked - asked == 0) {
            fprintf(stderr, "furrow: %s %s\n", argv[i], deed->none);
            missed++;
        }
    }
    return missed;
}

static int open_pool(struct many *m)
{
    struct errtext e = {0};
    const struct pg_options options = {.url = m->cli->config.common.database_url,
                                       .role = "furrow_app",
                                       .name = "furrow jobs"};

    return pg_pool_new(&m->pool, &options, 1, &e) ? cli_fail("%s", e.text) : CLI_OK;
}

static int say(const struct many *m, const struct jobs_args *a, const struct deed *deed)
{
    if (a->json) {
        json_t *out = json_pack("{s:I}", deed->name, (json_int_t)m->n);
        if (out && strcmp(deed->name, "cancelled") == 0)
            json_object_set_new(out, "asked_to_stop", json_integer(m->asked));
        return cli_print_json(out);
    }
    printf("%" PRId64 " job%s %s\n", m->n, m->n == 1 ? "" : "s", deed->done);
    if (m->asked > 0)
        printf("%" PRId64 " running job%s told to stop\n", m->asked,
               m->asked == 1 ? " is" : "s are");
    return CLI_OK;
}

static int count_only(struct cli *cli, const struct jobs_args *a)
{
    int64_t n = 0;

    if (job_admin_count(cli->pg, cli->tenant_id, &a->filter, &n))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    if (a->json)
        return cli_print_json(json_pack("{s:I}", "would_take", (json_int_t)n));
    printf("%" PRId64 " job%s would be taken, without --dry-run\n", n, n == 1 ? "" : "s");
    return CLI_OK;
}

static int many(struct cli *cli, const struct jobs_args *a, int argc, char **argv,
                many_fn *fn, const struct deed *deed)
{
    struct many m = {.cli = cli};
    struct uuid id;

    for (int i = optind; i < argc; i++)
        if (jobs_parse_id(argv[i], &id))
            return CLI_USAGE;
    if (cli_open_pg(cli))
        return CLI_FAILED;
    if (a->filter.kind && jobs_check_kind(cli, a->filter.kind))
        return CLI_FAILED;
    if (a->dry_run)
        return count_only(cli, a);
    if (open_pool(&m))
        return CLI_FAILED;
    int missed =
        optind < argc ? by_id(&m, fn, argc, argv, deed) : by_filter(&m, fn, &a->filter);
    pg_pool_free(m.pool);
    if (missed < 0 || (optind >= argc && missed))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    if (say(&m, a, deed))
        return CLI_FAILED;
    return missed > 0 ? CLI_FAILED : CLI_OK;
}

/* Ids, or a filter, or --all: a bare verb must not take everything. */
static int parse_many(struct jobs_args *a, int argc, char **argv)
{
    if (jobs_parse(a, argc, argv))
        return CLI_USAGE;
    const struct job_filter *f = &a->filter;
    bool filtered =
        f->kind || f->state || f->error || f->older_s > 0 || f->newer_s > 0 || a->all;
    if (filtered == (optind < argc))
        return cli_usage(filtered ? "ids, or a filter, not both"
                                  : "say which jobs: ids, or --kind, --state, --error, "
                                    "--older, --newer, or --all");
    return a->dry_run && optind < argc ? cli_usage("--dry-run is for filters") : CLI_OK;
}

int jobs_retry(struct cli *cli, int argc, char **argv)
{
    static const struct deed deed = {"will start over",
                                     "is not waiting, buried or cancelled", "retried"};
    struct jobs_args a;

    if (parse_many(&a, argc, argv))
        return CLI_USAGE;
    if (!a.filter.state && optind >= argc)
        a.filter.state = "buried";
    if (a.filter.state && strcmp(a.filter.state, "buried") != 0 &&
        strcmp(a.filter.state, "cancelled") != 0)
        return cli_usage("buried and cancelled jobs start over, not %s ones",
                         a.filter.state);
    return many(cli, &a, argc, argv, retry_some, &deed);
}

int jobs_bury(struct cli *cli, int argc, char **argv)
{
    static const struct deed deed = {
        "put aside; 'furrow jobs retry' brings back what was",
        "cannot be put aside (it runs, is over, or is not there)", "buried"};
    struct jobs_args a;

    if (parse_many(&a, argc, argv))
        return CLI_USAGE;
    if (a.filter.state && strcmp(a.filter.state, "queued") != 0 &&
        strcmp(a.filter.state, "cancelled") != 0)
        return cli_usage("queued and cancelled jobs are put aside, not %s ones",
                         a.filter.state);
    if (!a.filter.state && optind >= argc)
        a.filter.state = "queued";
    return many(cli, &a, argc, argv, bury_some, &deed);
}

int jobs_cancel(struct cli *cli, int argc, char **argv)
{
    static const struct deed deed = {"cancelled", "is over, or is not there",
                                     "cancelled"};
    struct jobs_args a;

    if (parse_many(&a, argc, argv))
        return CLI_USAGE;
    if (a.filter.state && strcmp(a.filter.state, "queued") != 0 &&
        strcmp(a.filter.state, "running") != 0)
        return cli_usage("queued and running jobs are cancelled, not %s ones",
                         a.filter.state);
    return many(cli, &a, argc, argv, cancel_some, &deed);
}
