/*
 * furrow simulate - a whole campaign into an invented telephone network: the gate, the
 * hopper, the retry rules, the pace and the flow that a real run uses, on a virtual
 * clock. The database is only read; nobody is called.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/table_memory.h"
#include "cli/groups.h"
#include "cli/simulate_report.h"
#include "cli/table_source.h"
#include "contacts/tz.h"
#include "simulate/desk.h"
#include "simulate/scene_store.h"
#include "simulate/tables.h"

#define DAY_MS (INT64_C(86400) * 1000)
enum { SHOW_MS = 200, SHOW_LINE_MS = 5000, SPEED_MAX = 1000000 };

struct arguments {
    const char *name, *pstn, *html;
    bool json, show_pstn;
    int64_t seed, agents;                 /* agents -1: as many as the queue has */
    const char *tables[TABLE_MEMORY_MAX]; /* NAME=FILE */
    size_t table_count;
    double speed; /* virtual seconds in a real one; 0: as fast as it goes */
    struct scene_options scene;
};

/* ---- the command line ---- */

static bool read_speed(const char *text, double *out)
{
    char *end = NULL;

    *out = strtod(text, &end);
    return end != text && (*end == '\0' || strcmp(end, "x") == 0) && *out > 0 &&
           *out <= SPEED_MAX;
}

static int take(struct arguments *a, int option)
{
    switch (option) {
    case 's':
        return str_to_i64(optarg, &a->seed) && a->seed >= 0
                   ? CLI_OK
                   : cli_usage("--seed wants a whole number, got '%s'", optarg);
    case 'a':
        return str_to_i64(optarg, &a->agents) && a->agents >= 0 &&
                       a->agents <= DESK_AGENTS_MAX
                   ? CLI_OK
                   : cli_usage("--agents wants a number from 0 to %d, got '%s'",
                               DESK_AGENTS_MAX, optarg);
    case 'x':
        return read_speed(optarg, &a->speed)
                   ? CLI_OK
                   : cli_usage("--speed wants how many times faster than real, up to %d, "
                               "e.g. 1000x, got '%s'",
                               SPEED_MAX, optarg);
    case 'n':
        return str_to_i64(optarg, &a->scene.people) && a->scene.people > 0 &&
                       a->scene.people <= SCENE_PEOPLE_MAX
                   ? CLI_OK
                   : cli_usage("--contacts wants a number from 1 to %d, got '%s'",
                               SCENE_PEOPLE_MAX, optarg);
    case 'f':
    case 't':
        return clock_parse(optarg, option == 'f' ? &a->scene.from_ms : &a->scene.to_ms)
                   ? cli_usage(
                         "--%s wants an instant like 2026-11-24T08:00:00Z, got '%s'",
                         option == 'f' ? "from" : "to", optarg)
                   : CLI_OK;
    case 'p':
        a->pstn = optarg;
        return CLI_OK;
    case 'T':
        if (!strchr(optarg, '='))
            return cli_usage("--table wants NAME=FILE.csv, not '%s'", optarg);
        if (a->table_count == TABLE_MEMORY_MAX)
            return cli_usage("up to %d times --table", TABLE_MEMORY_MAX);
        a->tables[a->table_count++] = optarg;
        return CLI_OK;
    case 'h':
        a->html = optarg;
        return CLI_OK;
    case 'j':
        a->json = true;
        return CLI_OK;
    case 'd':
        a->show_pstn = true;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

static int parse(struct arguments *a, int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"speed", required_argument, NULL, 'x'},
                                            {"agents", required_argument, NULL, 'a'},
                                            {"pstn", required_argument, NULL, 'p'},
                                            {"show-pstn", no_argument, NULL, 'd'},
                                            {"contacts", required_argument, NULL, 'n'},
                                            {"table", required_argument, NULL, 'T'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"html", required_argument, NULL, 'h'},
                                            {0}};
    int code = CLI_OK;

    for (int o; !code && (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        code = take(a, o);
    if (code)
        return code;
    if (argc - optind > 1 || (argc == optind && !a->show_pstn))
        return cli_usage(argc == optind ? "which campaign?" : "one at a time");
    a->name = optind < argc ? argv[optind] : NULL;
    return CLI_OK;
}

static int read_network(const char *path, struct network *out)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct errtext e = {0};
    size_t len = 0;

    network_default(out);
    if (!path)
        return CLI_OK;
    int err = files_read(path, NETWORK_TEXT_LIMIT, &text, &len);
    if (err)
        return cli_fail("%s: %s", path, strerror(err));
    if (!network_parse(out, text, len, &e))
        return CLI_OK;
    if (e.line > 0)
        return cli_fail("%s:%d:%d: %s", path, e.line, e.column, e.text);
    return cli_fail("%s: %s", path, e.text);
}

/* ---- while it runs ---- */

struct show {
    const struct scene *scene;
    double speed;
    bool terminal;
    int64_t began_ms, shown_ms; /* monotonic */
};

static void wait_until(int64_t mono)
{
    int64_t ms = mono - mono_ms();
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    if (ms > 0)
        nanosleep(&t, NULL);
}

/* On a terminal one line that changes, else a line now and then. */
static void draw(struct show *s, int64_t now_ms, const struct run_counts *c, size_t open)
{
    char at[CLOCK_TEXT_MAX];

    if (mono_ms() - s->shown_ms < (s->terminal ? SHOW_MS : SHOW_LINE_MS))
        return;
    s->shown_ms = mono_ms();
    fprintf(stderr,
            "%s%s  %" PRId64 " calls, %" PRId64 " answered, %zu at once, %" PRId64
            " opt-outs%s",
            s->terminal ? "\r\033[K" : "", clock_text(now_ms, at), c->calls, c->answered,
            open, c->opt_outs, s->terminal ? "" : "\n");
}

static void progress(void *arg, int64_t next_ms, const struct run_counts *c, size_t open)
{
    struct show *s = arg;

    if (s->speed > 0) {
        int64_t due_ms =
            s->began_ms + (int64_t)((double)(next_ms - s->scene->from_ms) / s->speed);
        while (due_ms - mono_ms() > SHOW_MS) { /* a night: the clock goes on */
            draw(s,
                 s->scene->from_ms +
                     (int64_t)((double)(mono_ms() - s->began_ms) * s->speed),
                 c, open);
            wait_until(mono_ms() + SHOW_MS);
        }
        wait_until(due_ms);
    }
    draw(s, next_ms, c, open);
}

/* ---- what it found ---- */

/* The schedule's zone, else the one in which most contacts live. */
static const struct tz_zone *wall_clock(const struct scene *s)
{
    CLEANUP(free_cleanup) size_t *people = xcalloc(s->zone_count + 1, sizeof(*people));
    const struct tz_zone *zone = NULL;
    size_t most = 0;

    if (s->doc->has_schedule && tz_find(s->doc->schedule.timezone, &zone) == 0)
        return zone;
    for (size_t i = 0; i < s->people_count; i++)
        people[s->groups[s->people[i].group].zone]++;
    for (size_t i = 0; i < s->zone_count; i++) {
        if (!s->zones[i].clock || people[i] <= most)
            continue;
        most = people[i];
        zone = s->zones[i].clock;
    }
    return zone || tz_find("Etc/UTC", &zone) == 0 ? zone : NULL;
}

static int write_page(const struct simulate_report *r, const char *path)
{
    CLEANUP(free_cleanup) char *text = NULL;
    size_t len = 0;

    if (strcmp(path, "-") == 0) {
        simulate_report_html(r, stdout);
        return CLI_OK;
    }
    FILE *to = open_memstream(&text, &len);
    if (!to)
        return cli_fail("%s: %s", path, strerror(errno));
    simulate_report_html(r, to);
    int err = fclose(to) ? errno : files_write_atomic(path, text, len);
    return err ? cli_fail("%s: %s", path, strerror(err)) : CLI_OK;
}

static int show(const struct arguments *a, struct simulate_report *r,
                const struct memory *m)
{
    simulate_report_add_up(r, m);
    int code = a->html ? write_page(r, a->html) : CLI_OK;
    if (code)
        return code;
    if (a->json)
        return cli_print_json(simulate_report_json(r));
    if (!a->html || strcmp(a->html, "-") != 0)
        simulate_report_print(r, stdout);
    if (a->html && strcmp(a->html, "-") != 0)
        fprintf(stderr, "the page is %s\n", a->html);
    return CLI_OK;
}

static int simulate(const struct arguments *a, const char *campaign,
                    const struct network *network, const struct scene *scene)
{
    CLEANUP(free_cleanup) struct simulate_report *report = xcalloc(1, sizeof(*report));
    struct run_counts counts;
    struct show s = {.scene = scene,
                     .speed = a->speed,
                     .terminal = isatty(STDERR_FILENO),
                     .began_ms = mono_ms()};
    struct run_options o = {.seed = (uint64_t)a->seed,
                            .network = network,
                            .store = &memory_ops,
                            .progress = s.terminal || s.speed > 0 ? progress : NULL,
                            .progress_arg = &s};

    run_counts_init(&counts, scene);
    int agents = a->agents < 0 ? scene->agents : (int)a->agents;
    struct desk *desk = agents > 0 ? desk_new(scene, agents) : NULL;
    struct memory *m = memory_new(scene, desk, true, run_count_refusal, &counts);
    struct tables *tables = tables_new(scene);
    o.store_arg = m;
    o.desk = desk;
    o.tables = tables_ops(tables);
    o.books = desk && desk_books(desk);
    int err = run_simulation(scene, &o, &counts);
    if (s.terminal)
        fputs("\r\033[K", stderr);
    *report = (struct simulate_report){.campaign = campaign,
                                       .scene = scene,
                                       .network = network,
                                       .counts = &counts,
                                       .desk = desk,
                                       .zone = wall_clock(scene),
                                       .seed = (uint64_t)a->seed};
    int code = err            ? cli_fail("the flow cannot go on: %s", strerror(err))
               : report->zone ? show(a, report, m)
                              : cli_fail("there is no time zone data: install tzdata");
    simulate_report_free(report);
    memory_free(m);
    tables_free(tables);
    desk_free(desk);
    run_counts_free(&counts);
    return code;
}

/* "accounts=accounts.csv", in place of what the database has. */
static int read_table(const char *text, struct scene_source *source)
{
    const char *file = strchr(text, '=');
    CLEANUP(free_cleanup) char *name = xstrndup(text, (size_t)(file - text));
    struct errtext e = {0};
    struct table_def def;
    json_t *rows = NULL;

    int code = table_source_read(file + 1, &def, &rows);
    if (!code && scene_set_table(source, name, &def, rows, &e))
        code = cli_fail("--table %s: %s", text, e.text);
    return code;
}

/* One that is of no trunk of the campaign would change nothing, and say nothing. */
static int check_outages(const struct network *n, const struct scene *scene)
{
    for (size_t i = 0; i < n->outage_count; i++) {
        bool known = false;

        for (size_t k = 0; k < scene->trunk_count; k++)
            known |= str_is(n->outages[i].trunk, scene->trunks[k].name);
        if (!known)
            return cli_fail("an outage is of the trunk '%s', over which the campaign "
                            "does not call ('furrow campaign show' names its trunks)",
                            n->outages[i].trunk);
    }
    return CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct arguments a = {.seed = 1, .agents = -1};
    struct scene_source source = {0};
    struct campaign_row row = {0};
    struct network network;
    struct errtext e = {0};

    int code = parse(&a, argc, argv);
    if (!code)
        code = read_network(a.pstn, &network);
    if (!code && a.show_pstn)
        return cli_print_json(network_to_json(&network));
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (campaign_find(cli->pg, cli->tenant_id, a.name, &row, &e))
        return cli_fail("%s", e.text);
    /* The coming midnight, not this instant: two runs of a day are the same. */
    if (!a.scene.from_ms)
        a.scene.from_ms = (clock_now_ms() / DAY_MS + 1) * DAY_MS;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "reading the contacts of '%s'…\r", row.name);
    if (scene_load(cli->pg, cli->tenant_id, &row, &a.scene, &source, &e))
        return cli_fail("%s", e.text);
    if (source.scene.doc->mode.kind != MODE_FIXED && a.agents <= 0 &&
        (a.agents == 0 || source.scene.agents == 0))
        code = cli_fail("the queue '%s' of the campaign has no agents: say how many with "
                        "--agents N, or make some (furrow agent add)",
                        source.scene.doc->mode.queue);
    for (size_t i = 0; !code && i < a.table_count; i++)
        code = read_table(a.tables[i], &source);
    if (!code)
        code = check_outages(&network, &source.scene);
    if (!code)
        code = simulate(&a, row.name, &network, &source.scene);
    scene_free(&source);
    return code;
}

static const struct cli_verb verbs[] = {
    {.name = "",
     .arguments = "CAMPAIGN [--seed N] [--speed 1000x] [--pstn FILE] [--contacts N]\n"
                  "       [--agents N] [--table NAME=FILE]... [--from TIME] [--to TIME]\n"
                  "       [--json] [--html FILE]",
     .about =
         "The whole campaign at once, into an invented telephone network: the gate, the "
         "hopper's order,\nthe retry rules, the pace and the flow are those of a real "
         "run. "
         "Nobody is called and\nnothing is written. The same seed, contacts and span "
         "give "
         "the same bytes.\n\n"
         "  --seed N       another network of the same kind (1)\n"
         "  --pstn FILE    what the network is like, as JSON; --show-pstn prints all "
         "fields with what\n                 holds for those that are left out\n"
         "  --contacts N   as if the list had so many people, copied from those it has\n"
         "  --agents N     as if so many worked; of a campaign with a mode as many as "
         "its "
         "queue has,\n                 unless stated\n"
         "  --table NAME=FILE  what data nodes read and change: a CSV file, as 'furrow "
         "table import'\n                 reads it, in place of the table that the "
         "database has\n"
         "  --from, --to   an instant like 2026-11-24T08:00:00Z; from the coming "
         "midnight "
         "UTC, or the\n                 campaign's start, for 60 days at most unless "
         "stated\n"
         "  --speed 1000x  lets the virtual clock run so many times faster than a real "
         "one, to watch\n                 it; else as fast as it goes\n"
         "  --html FILE    a page with plots that needs nothing else; - for standard "
         "output\n\n"
         "docs/simulate.md tells the network's fields and what is left out.",
     .example = "furrow simulate coffee-harvest --seed 7 --html simulation.html",
     .run = run},
};

const struct cli_group cmd_simulate = {.name = "simulate",
                                       .about = "try a campaign in an invented network",
                                       .verbs = verbs,
                                       .verb_count = ARRAY_LEN(verbs)};
