/*
 * furrow run: start what is due and wait until it is worked off.
 *
 * It never originates: it moves campaigns, and live dialers do the calling; where
 * none are alive it starts a dialer and a worker of its own for as long as it runs.
 * Each campaign is taken with an advisory lock of this session, so that a second
 * `run` finds it taken.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/campaign_view.h"
#include "cli/groups.h"
#include "cli/run_children.h"

enum {
    RUN_NOTHING_DUE = 3,
    RUN_FAULT = 4,
    RUN_INTERRUPTED = 130,

    LOOK_MS = 500,
    DATABASE_AWAY_MS = 60 * 1000,
    POPULATE_BATCH = 5000,
};
#define RUN_LOCK     "1179800910" /* "FRUN" */
#define PAUSED_BY_US "furrow run was interrupted"

enum ending {
    AT_WORK,
    WORKED_OFF,     /* done, or open for callbacks with nobody left to call */
    WINDOWS_CLOSED, /* the rest waits for them */
    STOPPED,        /* paused, stopped or faulted */
};

struct work {
    struct campaign_row row;
    enum ending ending;
    struct report report;
    bool spoken_left; /* recordings or jobs are still under way */
};

struct run {
    struct cli *cli;
    const char *name; /* NULL: all that is due */
    bool json;
    struct work *works;
    size_t n, taken; /* taken: by another run */
    struct run_children children;
    struct progress progress;
    int64_t away_since_ms; /* monotonic; 0: the database answers */
};

/* ---- which campaigns ---- */

/* Held by the session until it ends. */
static int take(struct run *r, int64_t campaign_id, bool *ours)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(
        r->cli->pg, &res,
        "SELECT pg_try_advisory_lock(" RUN_LOCK ", ($1::bigint & 2147483647)::int)", &a);
    if (!err)
        *ours = pg_bool(res, 0, 0);
    return err;
}

static int add(struct run *r, const struct campaign_row *row)
{
    bool ours = false;

    if (take(r, row->id, &ours))
        return cli_fail("%s", pg_error(r->cli->pg));
    if (!ours) {
        fprintf(stderr, "another 'furrow run' works on '%s' already\n", row->name);
        r->taken++;
        return CLI_OK;
    }
    r->works = xrealloc(r->works, (r->n + 1) * sizeof(*r->works));
    r->works[r->n++] = (struct work){.row = *row};
    return CLI_OK;
}

static int populate(struct run *r, int64_t campaign_id)
{
    size_t added = POPULATE_BATCH;
    bool loading = false;
    int err = 0;

    while (!err && added == POPULATE_BATCH)
        err = campaign_populate(r->cli->pg, r->cli->tenant_id, campaign_id,
                                POPULATE_BATCH, clock_now_ms(), &added, &loading);
    return err;
}

static int start(struct run *r, struct campaign_row *row, enum campaign_command command)
{
    struct errtext e = {0};

    int err = campaign_command(r->cli->pg, r->cli->tenant_id, row->id, command, NULL,
                               clock_now_ms(), row, &e);
    return err ? cli_fail("%s: %s", row->name, e.text) : CLI_OK;
}

/* done: it starts again only for contacts that are not final. */
static int start_again(struct run *r, struct campaign_row *row)
{
    CLEANUP(free_cleanup) struct report *report = xcalloc(1, sizeof(*report));

    int err = populate(r, row->id);
    if (!err)
        err = report_load(r->cli->pg, r->cli->tenant_id, row->id, clock_now_ms(), report);
    if (err)
        return cli_fail("%s", pg_error(r->cli->pg));
    if (report->pending > 0)
        return start(r, row, CAMPAIGN_START);
    fprintf(stderr, "'%s' is done: all %" PRId64 " contacts are final\n", row->name,
            report->contacts);
    return RUN_NOTHING_DUE;
}

static int prepare_named(struct run *r)
{
    struct campaign_row row = {0};
    struct errtext e = {0};
    int code = CLI_OK;

    if (campaign_find(r->cli->pg, r->cli->tenant_id, r->name, &row, &e))
        return cli_fail("%s", e.text);
    switch (row.state) {
    case CAMPAIGN_DRAFT:
    case CAMPAIGN_STOPPED:
        code = start(r, &row, CAMPAIGN_START);
        break;
    case CAMPAIGN_DONE:
        code = start_again(r, &row);
        break;
    case CAMPAIGN_PAUSED:
        if (strcmp(row.stop_reason, PAUSED_BY_US) != 0)
            return cli_fail("'%s' is paused%s%s; 'furrow campaign resume %s' goes on",
                            row.name, row.stop_reason[0] ? ": " : "", row.stop_reason,
                            row.name);
        code = start(r, &row, CAMPAIGN_RESUME);
        break;
    case CAMPAIGN_FAULTED:
        cli_fail("'%s' is faulted: %s; mend it, then 'furrow campaign resume %s'",
                 row.name, row.stop_reason, row.name);
        return RUN_FAULT;
    case CAMPAIGN_ARCHIVED:
        return cli_fail("'%s' is archived; 'furrow campaign restore %s' takes it out",
                        row.name, row.name);
    case CAMPAIGN_RUNNING:
    case CAMPAIGN_STATES:
        break;
    }
    return code ? code : add(r, &row);
}

/* When the next start is planned, for the one who asks why nothing is due. */
static int say_nothing_due(struct run *r, const struct campaign_row *all, size_t n)
{
    const struct campaign_doc *doc = NULL;
    const char *name = NULL;
    char text[CLOCK_TEXT_MAX];
    int64_t now_ms = clock_now_ms(), first_ms = 0, next_ms = 0;

    for (size_t i = 0; i < n; i++) {
        if ((all[i].state != CAMPAIGN_DRAFT && all[i].state != CAMPAIGN_DONE) ||
            campaign_doc_get(r->cli->pg, r->cli->tenant_id, all[i].id, &doc) ||
            campaign_doc_next_start(doc, now_ms, &next_ms) ||
            (first_ms && next_ms >= first_ms))
            continue;
        first_ms = next_ms;
        name = all[i].name;
    }
    if (first_ms)
        fprintf(stderr, "nothing is due; the next planned start is '%s' at %s\n", name,
                clock_text(first_ms, text));
    else
        fputs("nothing is due and no start is planned; 'furrow run NAME' starts a "
              "campaign\n",
              stderr);
    return RUN_NOTHING_DUE;
}

static int prepare_due(struct run *r)
{
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    size_t n = 0;
    int code = CLI_OK;

    if (campaign_list(r->cli->pg, r->cli->tenant_id, CAMPAIGN_STATES, &all, &n))
        return cli_fail("%s", pg_error(r->cli->pg));
    for (size_t i = 0; !code && i < n; i++)
        if (all[i].state == CAMPAIGN_RUNNING)
            code = add(r, &all[i]);
    return !code && r->n == 0 && r->taken == 0 ? say_nothing_due(r, all, n) : code;
}

static int prepare(struct run *r)
{
    size_t fired = 0;

    /* What a schedule planned comes first: it may say 'everyone again'. */
    if (campaign_fire_due(r->cli->pg, r->cli->tenant_id, clock_now_ms(), &fired))
        return cli_fail("%s", pg_error(r->cli->pg));
    int code = r->name ? prepare_named(r) : prepare_due(r);
    for (size_t i = 0; !code && i < r->n; i++)
        if (populate(r, r->works[i].row.id))
            code = cli_fail("%s", pg_error(r->cli->pg));
    return code;
}

/* ---- waiting ---- */

static int64_t count_of(const struct report_group *g, const char *const *names, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < n; k++)
            if (strcmp(g->rows[i].name, names[k]) == 0)
                sum += g->rows[i].count;
    return sum;
}

/* Jobs are named "kind state". */
static int64_t jobs_left(const struct report *r)
{
    int64_t sum = 0;

    for (size_t i = 0; i < r->jobs.n; i++) {
        const char *state = strrchr(r->jobs.rows[i].name, ' ');

        if (state && (strcmp(state, " queued") == 0 || strcmp(state, " running") == 0))
            sum += r->jobs.rows[i].count;
    }
    return sum;
}

static enum ending judge(const struct campaign_snapshot *s)
{
    switch (s->row.state) {
    case CAMPAIGN_DONE:
        return WORKED_OFF;
    case CAMPAIGN_PAUSED:
    case CAMPAIGN_STOPPED:
    case CAMPAIGN_FAULTED:
    case CAMPAIGN_ARCHIVED:
        return STOPPED;
    case CAMPAIGN_DRAFT:
    case CAMPAIGN_RUNNING:
    case CAMPAIGN_STATES:
        break;
    }
    if (s->doc->keep_open && s->report.pending == 0 && s->report.calling == 0)
        return WORKED_OFF;
    return snapshot_is_windows_closed(s) ? WINDOWS_CLOSED : AT_WORK;
}

static int look(struct run *r, struct work *w)
{
    static const char *const alive[] = {"live", "finished"};
    struct campaign_snapshot s;

    int err = snapshot_load(r->cli, w->row.id, clock_now_ms(), &s);
    if (!err) {
        w->row = s.row;
        w->report = s.report;
        w->ending = judge(&s);
        w->spoken_left =
            s.report.live_calls > 0 || jobs_left(&s.report) > 0 ||
            count_of(&s.report.recording_states, alive, ARRAY_LEN(alive)) > 0;
    }
    snapshot_free(&s);
    return err;
}

/* A campaign is over once its calls are, and, where the worker is ours and ends
 * with us, once nothing that was said is under way. */
static bool is_over(const struct run *r, const struct work *w)
{
    if (w->ending == AT_WORK)
        return false;
    return !(r->children.worker.ours || r->children.dialer.ours) || !w->spoken_left;
}

/* *left: how many campaigns go on. */
static int look_at_all(struct run *r, size_t *left)
{
    int64_t final = 0, contacts = 0;
    size_t completed = 0;

    *left = 0;
    int err =
        campaign_complete_due(r->cli->pg, r->cli->tenant_id, clock_now_ms(), &completed);
    for (size_t i = 0; !err && i < r->n; i++) {
        err = look(r, &r->works[i]);
        *left += !is_over(r, &r->works[i]);
        final += r->works[i].report.final;
        contacts += r->works[i].report.contacts;
    }
    if (!err)
        progress_show(&r->progress, final, contacts);
    return err;
}

/* True: go on waiting for the database. */
static bool is_only_away(struct run *r, int err)
{
    if (err != ECONNRESET && err != EAGAIN)
        return false;
    if (!r->away_since_ms) {
        r->away_since_ms = mono_ms();
        fprintf(stderr, "the database does not answer (%s); waiting\n",
                pg_error(r->cli->pg));
    }
    return mono_ms() - r->away_since_ms < DATABASE_AWAY_MS;
}

static int wait_until_over(struct run *r)
{
    struct pollfd stop = {.fd = program_stop_fd(), .events = POLLIN};
    size_t left = r->n;

    while (left > 0 && !atomic_load(program_stop_flag())) {
        struct errtext e = {0};

        int err = run_children_ensure(&r->children, r->cli, &e);
        if (!err)
            err = run_children_tend(&r->children, &e);
        if (!err)
            err = look_at_all(r, &left);
        if (err && !is_only_away(r, err)) {
            cli_fail("%s", e.text[0] ? e.text : pg_error(r->cli->pg));
            return e.text[0] ? RUN_FAULT : CLI_FAILED;
        }
        if (!err)
            r->away_since_ms = 0;
        else
            left = r->n;
        if (left > 0)
            poll(&stop, 1, LOOK_MS);
    }
    return left > 0 ? RUN_INTERRUPTED : CLI_OK;
}

/* ---- the end ---- */

/* Ctrl-C: dialers of others go on; with ours gone nothing would call, which the
 * state must say. */
static void interrupted(struct run *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct campaign_row *row = &r->works[i].row;
        struct errtext e = {0};

        if (!r->children.dialer.ours) {
            fprintf(stderr,
                    "'%s' goes on: its dialers are not ours ('furrow campaign pause %s' "
                    "pauses it)\n",
                    row->name, row->name);
            continue;
        }
        if (campaign_command(r->cli->pg, r->cli->tenant_id, row->id, CAMPAIGN_PAUSE,
                             PAUSED_BY_US, clock_now_ms(), row, &e) == 0)
            fprintf(stderr, "'%s' is paused; 'furrow run %s' goes on\n", row->name,
                    row->name);
        else if (r->works[i].ending == AT_WORK)
            fprintf(stderr, "'%s' could not be paused: %s\n", row->name, e.text);
    }
}

static const char *ending_name(const struct work *w)
{
    static const char *const names[] = {"interrupted", "done", "windows closed"};

    return w->ending == STOPPED ? campaign_state_name(w->row.state) : names[w->ending];
}

static void show_end(const struct run *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n; i++) {
        const struct work *w = &r->works[i];

        if (r->json)
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:o}", "campaign", w->row.name,
                                            "ending", ending_name(w), "report",
                                            report_to_json(&w->row, &w->report)));
        else
            printf("%s: %s%s%s; %" PRId64 " of %" PRId64 " contacts final, %" PRId64
                   " calls, %" PRId64 " answered, %" PRId64 " recordings\n",
                   w->row.name, ending_name(w), w->row.stop_reason[0] ? ": " : "",
                   w->row.stop_reason, w->report.final, w->report.contacts,
                   w->report.attempted, w->report.answered, w->report.recordings);
    }
    if (r->json)
        cli_print_json(list);
    else
        json_decref(list);
}

static int work_off(struct run *r)
{
    int64_t final = 0;

    int code = wait_until_over(r);
    for (size_t i = 0; i < r->n; i++)
        final += r->works[i].report.final;
    progress_end(&r->progress, final);
    if (code == RUN_INTERRUPTED)
        interrupted(r);
    run_children_stop(&r->children);
    show_end(r);
    for (size_t i = 0; !code && i < r->n; i++)
        if (r->works[i].ending == STOPPED)
            code = RUN_FAULT;
    return code;
}

static int parse(struct run *r, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o != 'j')
            return CLI_USAGE;
        r->json = true;
    }
    if (argc - optind > 1)
        return cli_usage("one campaign, or none for all that is due");
    r->name = optind < argc ? argv[optind] : NULL;
    return CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct run r = {.cli = cli, .progress = {.label = "run", .unit = "contacts final"}};

    int code = parse(&r, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (!code) {
        program_watch_signals();
        code = prepare(&r);
    }
    if (!code && r.n > 0)
        code = work_off(&r);
    free(r.works);
    return code;
}

static const struct cli_verb verbs[] = {
    {.name = "",
     .arguments = "[CAMPAIGN] [--json]",
     .about =
         "Start what is due, or the named campaign, and wait until it is worked off: "
         "made "
         "for cron.\nUses the dialers and workers that are alive; where there are none "
         "it "
         "runs its own until\nit ends. Ctrl-C leaves a campaign to dialers of others, "
         "and "
         "pauses it where they were its own.\n\n"
         "exit code 0   worked off, or the rest waits for closed calling windows, or "
         "another run\n              works on it already\n"
         "          3   nothing is due\n"
         "          4   a campaign was paused, stopped or faulted, or a program could "
         "not "
         "run\n"
         "        130   interrupted",
     .example = "furrow run coffee-harvest",
     .run = run},
};

const struct cli_group cmd_run = {.name = "run",
                                  .about = "work off what is due, for cron",
                                  .verbs = verbs,
                                  .verb_count = ARRAY_LEN(verbs)};
