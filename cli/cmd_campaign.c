/*
 * furrow campaign: validate, create, list, show, forecast, change, history, clone, start,
 * pause, resume, release, stop, archive, restore, watch, report.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/slot_store.h"
#include "campaigns/trunk_store.h"
#include "cli/campaign_change.h"
#include "cli/campaign_document.h"
#include "cli/campaign_forecast.h"
#include "cli/campaign_trial.h"
#include "cli/campaign_view.h"
#include "cli/campaign_watch.h"
#include "cli/groups.h"
#include "cli/trunk_ready.h"
#include "cli/variant_view.h"

/* ---- arguments: one name, and flags ---- */

struct arguments {
    const char *name; /* of the campaign, or the file */
    const char *reason;
    bool json, csv, once, all;
};

/* accepts: letters of the flags this verb has: j, c, o, r, a. */
static int parse(struct arguments *a, const char *accepts, const char *missing, int argc,
                 char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},         {"csv", no_argument, NULL, 'c'},
        {"once", no_argument, NULL, 'o'},         {"all", no_argument, NULL, 'a'},
        {"reason", required_argument, NULL, 'r'}, {0}};
    int index = 0;

    for (int o; (o = getopt_long(argc, argv, "", options, &index)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (!strchr(accepts, o))
            return cli_usage("there is no --%s here", options[index].name);
        a->json |= o == 'j';
        a->csv |= o == 'c';
        a->once |= o == 'o';
        a->all |= o == 'a';
        if (o == 'r')
            a->reason = optarg;
    }
    if (!missing)
        return optind == argc ? CLI_OK
                              : cli_usage("unexpected argument '%s'", argv[optind]);
    if (argc - optind != 1)
        return cli_usage("%s", argc == optind ? missing : "one at a time");
    a->name = argv[optind];
    return CLI_OK;
}

static int open_campaign(struct cli *cli, const char *name, struct campaign_row *row)
{
    struct errtext e = {0};

    int code = cli_open_pg(cli);
    if (!code && campaign_find(cli->pg, cli->tenant_id, name, row, &e))
        code = cli_fail("%s", e.text);
    return code;
}

/* ---- validate, create ---- */

static int cmd_validate(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *text = NULL;
    CLEANUP(free_cleanup) struct campaign_issues *issues = xcalloc(1, sizeof(*issues));
    struct campaign_doc *doc = NULL;
    struct arguments a = {0};
    char next[CLOCK_TEXT_MAX];
    int64_t next_ms = 0;
    size_t len = 0;

    (void)cli;
    int code = parse(&a, "j", "which file?", argc, argv);
    if (!code)
        code = campaign_document_read(a.name, &text, &len);
    if (code)
        return code;
    if (campaign_doc_parse(&doc, text, len, issues))
        return campaign_document_issues(a.name, issues, a.json, NULL);
    bool planned = campaign_doc_next_start(doc, clock_now_ms(), &next_ms) == 0;
    if (a.json)
        cli_print_json(json_pack("{s:b, s:[], s:s, s:s*}", "valid", 1, "issues", "name",
                                 doc->name, "next_start",
                                 planned ? clock_text(next_ms, next) : NULL));
    else
        printf("%s: campaign '%s' is sound%s%s\n", a.name, doc->name,
               planned ? "; it would start at " : "",
               planned ? clock_text(next_ms, next) : "");
    campaign_doc_free(doc);
    return CLI_OK;
}

static int cmd_create(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *text = NULL;
    CLEANUP(free_cleanup) struct campaign_issues *issues = xcalloc(1, sizeof(*issues));
    const struct campaign_doc *doc = NULL;
    struct campaign_row row = {0};
    struct arguments a = {0};
    size_t len = 0;

    int code = parse(&a, "j", "which file? - reads standard input", argc, argv);
    if (!code)
        code = campaign_document_read(a.name, &text, &len);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err =
        campaign_create(cli->pg, cli->tenant_id, text, len, clock_now_ms(), &row, issues);
    if (issues->found)
        return campaign_document_issues(a.name, issues, a.json, "nothing was created");
    if (!err)
        err = campaign_doc_get(cli->pg, cli->tenant_id, row.id, &doc);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (a.json)
        return cli_print_json(json_pack("{s:I, s:s, s:s}", "id", (json_int_t)row.id,
                                        "name", row.name, "state",
                                        campaign_state_name(row.state)));
    printf("campaign '%s' created as a draft\n", row.name);
    campaign_document_print_start(row.name, doc);
    return CLI_OK;
}

/* ---- list, show ---- */

static json_t *instant(int64_t at_ms)
{
    char text[CLOCK_TEXT_MAX];

    return at_ms ? json_string(clock_text(at_ms, text)) : json_null();
}

/* A schedule moves nobody who is paused, stopped or archived, and none after a fault. */
static bool planned_start(const struct campaign_row *row, const struct campaign_doc *doc,
                          int64_t *at_ms)
{
    return (row->state == CAMPAIGN_DRAFT || row->state == CAMPAIGN_RUNNING ||
            row->state == CAMPAIGN_DONE) &&
           campaign_doc_next_start(doc, clock_now_ms(), at_ms) == 0;
}

static json_t *row_to_json(struct cli *cli, const struct campaign_row *row)
{
    const struct campaign_doc *doc = NULL;
    int64_t next_ms = 0;

    if (campaign_doc_get(cli->pg, cli->tenant_id, row->id, &doc) ||
        !planned_start(row, doc, &next_ms))
        next_ms = 0;
    return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id",
                     (json_int_t)row->id, "name", row->name, "state",
                     campaign_state_name(row->state), "reason", row->stop_reason,
                     "created_at", instant(row->created_at_ms), "started_at",
                     instant(row->started_at_ms), "ended_at", instant(row->ended_at_ms),
                     "next_start", instant(next_ms));
}

static size_t without_archived(struct campaign_row *all, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (all[i].state != CAMPAIGN_ARCHIVED)
            all[kept++] = all[i];
    return kept;
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    struct arguments a = {0};
    json_t *list = NULL;
    char text[CLOCK_TEXT_MAX];
    size_t n = 0;

    int code = parse(&a, "ja", NULL, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (campaign_list(cli->pg, cli->tenant_id, CAMPAIGN_STATES, &all, &n))
        return cli_fail("%s", pg_error(cli->pg));
    if (!a.all)
        n = without_archived(all, n);
    if (!a.json) {
        for (size_t i = 0; i < n; i++)
            printf("%-24s %-8s since %s%s%s\n", all[i].name,
                   campaign_state_name(all[i].state),
                   clock_text(all[i].changed_at_ms, text),
                   all[i].stop_reason[0] ? "  " : "", all[i].stop_reason);
        if (n == 0)
            puts("no campaigns; 'furrow campaign create FILE' makes one");
        return CLI_OK;
    }
    list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, row_to_json(cli, &all[i]));
    return cli_print_json(list);
}

static void print_at(const char *label, int64_t at_ms)
{
    char text[CLOCK_TEXT_MAX];

    if (at_ms)
        printf("  %-8s %s\n", label, clock_text(at_ms, text));
}

static void print_canary(struct cli *cli, const struct campaign_row *row,
                         const struct campaign_doc *doc)
{
    struct canary_row canary;
    char text[CANARY_TEXT_MAX];

    if (canary_load(cli->pg, cli->tenant_id, row->id, &canary) == 0 &&
        canary_text(&doc->canary, &canary, text)[0])
        printf("  canary   %s\n", text);
}

static void add_trial(struct cli *cli, const struct campaign_row *row, json_t *out)
{
    CLEANUP(free_cleanup) struct quarantine_hold *list = NULL;
    const struct campaign_doc *doc = NULL;
    struct canary_row canary;
    size_t n = 0;

    if (campaign_doc_get(cli->pg, cli->tenant_id, row->id, &doc) == 0 &&
        canary_load(cli->pg, cli->tenant_id, row->id, &canary) == 0)
        json_object_set_new(out, "canary", canary_to_json(&doc->canary, &canary));
    if (quarantine_list(cli->pg, cli->tenant_id, row->id, &list, &n) == 0)
        json_object_set_new(out, "quarantine", holds_to_json(list, n));
}

static void print_holds(struct cli *cli, const struct campaign_row *row)
{
    CLEANUP(free_cleanup) struct quarantine_hold *list = NULL;
    size_t n = 0;

    if (quarantine_list(cli->pg, cli->tenant_id, row->id, &list, &n) == 0)
        holds_print(list, n, "  held     ", stdout);
}

static int cmd_show(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *text = NULL;
    const struct campaign_doc *doc = NULL;
    struct campaign_row row = {0};
    struct arguments a = {0};
    int64_t next_ms = 0;

    int code = parse(&a, "j", "which campaign?", argc, argv);
    if (!code)
        code = open_campaign(cli, a.name, &row);
    if (code)
        return code;
    if (campaign_text(cli->pg, cli->tenant_id, row.id, &text))
        return cli_fail("%s", pg_error(cli->pg));
    if (a.json) {
        json_t *out = row_to_json(cli, &row);

        json_object_set_new(out, "document", json_loads(text, 0, NULL));
        add_trial(cli, &row, out);
        return cli_print_json(out);
    }
    printf("campaign '%s' is %s%s%s\n", row.name, campaign_state_name(row.state),
           row.stop_reason[0] ? ": " : "", row.stop_reason);
    print_at("created", row.created_at_ms);
    print_at("started", row.started_at_ms);
    print_at("ended", row.ended_at_ms);
    if (campaign_doc_get(cli->pg, cli->tenant_id, row.id, &doc) == 0) {
        if (planned_start(&row, doc, &next_ms))
            print_at("next", next_ms);
        else if (campaign_doc_next_start(doc, clock_now_ms(), &next_ms) == 0)
            printf("  next     none while it is %s: planned starts leave it to people\n",
                   campaign_state_name(row.state));
        print_canary(cli, &row, doc);
    }
    print_holds(cli, &row);
    printf("%s%s", text, text[0] && text[strlen(text) - 1] == '\n' ? "" : "\n");
    return CLI_OK;
}

/* ---- start, pause, resume, stop ---- */

static int live_dialers(struct cli *cli)
{
    int n = 0;

    return slot_count_live(cli->pg, "dialer", &n) ? 0 : n;
}

enum { TRUNK_SENTENCE_MAX = 500 };

/* A sentence, "" when there is nothing to say. Not asked is no news: the dialers may know
 * more than this terminal. */
static void look_at_trunk(struct cli *cli, const struct campaign_row *row, char *out,
                          size_t size)
{
    struct trunk_row trunk;
    char text[300];

    out[0] = '\0';
    if (row->state == CAMPAIGN_RUNNING &&
        !trunk_load(cli->pg, cli->tenant_id, row->trunk_id, &trunk) &&
        cli_trunk_ready(&trunk, text, sizeof(text)) == TRUNK_NOT_READY)
        snprintf(out, size, "trunk '%s' is not ready, nothing is called over it: %s\n",
                 trunk.name, text);
}

/* Known beforehand, so that who resumes reads what was overruled. */
static bool has_failed_canary(struct cli *cli, const struct campaign_row *row)
{
    struct canary_row canary;

    return canary_load(cli->pg, cli->tenant_id, row->id, &canary) == 0 &&
           canary.state == CANARY_FAILED;
}

/* Says so and is false when the campaign's 'end' has passed: started, it would be done.
 */
static bool has_time_left(struct cli *cli, const struct campaign_row *row)
{
    const struct campaign_doc *doc = NULL;
    char text[CLOCK_TEXT_MAX];

    if (campaign_doc_get(cli->pg, cli->tenant_id, row->id, &doc) || !doc->end_at_ms ||
        doc->end_at_ms > clock_now_ms())
        return true;
    cli_fail("%s: its 'end' has passed (%s); 'furrow campaign change %s --set end=TIME' "
             "gives it another",
             row->name, clock_text(doc->end_at_ms, text), row->name);
    return false;
}

static int move(struct cli *cli, enum campaign_command command, int argc, char **argv)
{
    struct campaign_row row = {0};
    struct arguments a = {0};
    struct errtext e = {0};
    char text[TRUNK_SENTENCE_MAX];

    int code = parse(&a, "jr", "which campaign?", argc, argv);
    if (!code)
        code = open_campaign(cli, a.name, &row);
    if (code)
        return code;
    bool begins = command == CAMPAIGN_START || command == CAMPAIGN_RESUME;
    if (begins && !has_time_left(cli, &row))
        return CLI_FAILED;
    bool failed = has_failed_canary(cli, &row);
    if (campaign_command(cli->pg, cli->tenant_id, row.id, command, a.reason,
                         clock_now_ms(), &row, &e))
        return cli_fail("%s: %s", row.name, e.text);
    if (a.json)
        return cli_print_json(row_to_json(cli, &row));
    printf("campaign '%s' is %s\n", row.name, campaign_state_name(row.state));
    if (failed && row.state == CAMPAIGN_RUNNING)
        puts(command == CAMPAIGN_RESUME
                 ? "  its canary failed; it goes on all the same, without one"
                 : "  its canary failed and begins anew");
    if (row.state == CAMPAIGN_RUNNING && live_dialers(cli) == 0)
        fprintf(stderr,
                "no dialer is alive: nothing is called until one is ('furrow run %s', "
                "'furrow up')\n",
                row.name);
    look_at_trunk(cli, &row, text, sizeof(text));
    fputs(text, stderr);
    return CLI_OK;
}

static int cmd_start(struct cli *cli, int argc, char **argv)
{
    return move(cli, CAMPAIGN_START, argc, argv);
}

static int cmd_pause(struct cli *cli, int argc, char **argv)
{
    return move(cli, CAMPAIGN_PAUSE, argc, argv);
}

static int cmd_resume(struct cli *cli, int argc, char **argv)
{
    return move(cli, CAMPAIGN_RESUME, argc, argv);
}

static int cmd_stop(struct cli *cli, int argc, char **argv)
{
    return move(cli, CAMPAIGN_STOP, argc, argv);
}

static int cmd_archive(struct cli *cli, int argc, char **argv)
{
    return move(cli, CAMPAIGN_ARCHIVE, argc, argv);
}

static int cmd_restore(struct cli *cli, int argc, char **argv)
{
    return move(cli, CAMPAIGN_RESTORE, argc, argv);
}

/* ---- watch, report ---- */

enum { REDRAW_MS = 1000, ASK_TRUNK_EVERY = 15 };

static int draw(struct cli *cli, int64_t campaign_id, bool live, bool json,
                enum campaign_state *state)
{
    struct campaign_watch w;

    int err = campaign_watch_load(cli, campaign_id, clock_now_ms(), &w);
    if (!err) {
        if (live)
            fputs("\033[H\033[J", stdout); /* the picture anew from the top */
        if (json)
            cli_print_json(campaign_watch_to_json(&w));
        else
            campaign_watch_print(&w, stdout);
        *state = w.at.row.state;
        fflush(stdout);
    }
    campaign_watch_free(&w);
    return err;
}

static int cmd_watch(struct cli *cli, int argc, char **argv)
{
    struct campaign_row row = {0};
    struct arguments a = {0};
    char trunk[TRUNK_SENTENCE_MAX] = "";
    unsigned turn = 0;
    int err = 0;

    int code = parse(&a, "oj", "which campaign?", argc, argv);
    if (!code)
        code = open_campaign(cli, a.name, &row);
    if (code)
        return code;
    program_watch_signals();
    struct pollfd stop = {.fd = program_stop_fd(), .events = POLLIN};
    bool live = !a.once && !a.json && isatty(STDOUT_FILENO);
    do {
        if (turn++ % ASK_TRUNK_EVERY == 0)
            look_at_trunk(cli, &row, trunk, sizeof(trunk));
        err = draw(cli, row.id, live, a.json, &row.state);
        if (!err && !a.json)
            fputs(trunk, stdout);
        fflush(stdout);
        /* A database that is away is waited for; the picture stays. */
        if (err && !(live && err == ECONNRESET))
            return cli_fail("%s", pg_error(cli->pg));
        if (live && (row.state == CAMPAIGN_DONE || row.state == CAMPAIGN_STOPPED))
            break;
        if (live)
            poll(&stop, 1, REDRAW_MS);
    } while (live && !atomic_load(program_stop_flag()));
    return CLI_OK;
}

static int cmd_report(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct report *r = xcalloc(1, sizeof(*r));
    struct variant_result variants[VARIANTS_MAX];
    size_t variant_count = 0;
    struct campaign_row row = {0};
    struct arguments a = {0};

    int code = parse(&a, "jc", "which campaign?", argc, argv);
    if (!code && a.json && a.csv)
        return cli_usage("--json or --csv, not both");
    if (!code)
        code = open_campaign(cli, a.name, &row);
    if (code)
        return code;
    if (report_load(cli->pg, cli->tenant_id, row.id, clock_now_ms(), r) ||
        variant_report(cli->pg, cli->tenant_id, row.id, variants, &variant_count))
        return cli_fail("%s", pg_error(cli->pg));
    if (a.json) {
        json_t *out = report_to_json(&row, r);

        json_object_set_new(out, "variants", variants_to_json(variants, variant_count));
        return cli_print_json(out);
    }
    if (a.csv)
        report_print_csv(r, stdout);
    else
        report_print(&row, r, stdout);
    variants_print(variants, variant_count, a.csv, stdout);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "validate",
     .arguments = "FILE|- [--json]",
     .about = "Say everything that is wrong with a campaign's document; needs no "
              "database.\nWhether list, flow and trunk exist is looked up by 'create'.",
     .example = "furrow campaign validate harvest.json",
     .run = cmd_validate},
    {.name = "create",
     .arguments = "FILE|- [--json]",
     .about = "Make a draft campaign from a JSON document (docs/campaigns.md is its "
              "reference).\nThe flow's newest published revision is pinned.",
     .example = "furrow campaign create harvest.json",
     .run = cmd_create},
    {.name = "list",
     .arguments = "[--all] [--json]",
     .about = "Show the campaigns and their states; --all: archived ones too.",
     .example = "furrow campaign list",
     .run = cmd_list},
    {.name = "show",
     .arguments = "NAME [--json]",
     .about = "Show a campaign's state, its next planned start and its document.",
     .example = "furrow campaign show coffee-harvest",
     .run = cmd_show},
    {.name = "forecast",
     .arguments = "NAME [--from TIME] [--to TIME] [--answer-rate PERCENT] [--talk "
                  "SECONDS] [--json|--html]",
     .about = forecast_about,
     .example = "furrow campaign forecast coffee-harvest --html > forecast.html",
     .run = cmd_campaign_forecast},
    {.name = "change",
     .arguments = "NAME [FILE|-] [--set KEY=VALUE]... [--json]",
     .about =
         "Give a campaign other rules while it runs: pace, windows, limits, retries, "
         "budget, end.\nFILE is the whole document; --set changes single values of it "
         "(or of the present one),\nKEY= without a value takes one out. It holds from "
         "the next call that is picked; name, list, flow, variants and trunk stay.",
     .example = "furrow campaign change coffee-harvest --set pacing.cps=2 --set "
                "limits.per_24h=1",
     .run = cmd_campaign_change},
    {.name = "history",
     .arguments = "NAME [--revision N] [--json]",
     .about =
         "Show the documents a campaign has had: from when to when each held, and what "
         "changed with it;\nand what else happened to it: its canary, what it holds "
         "back.\nWith --revision that document itself.",
     .example = "furrow campaign history coffee-harvest --revision 1",
     .run = cmd_campaign_history},
    {.name = "clone",
     .arguments = "NAME NEW-NAME [--set KEY=VALUE]... [--json]",
     .about =
         "Make a draft with the rules of another campaign and a name of its own.\nIts "
         "contacts are read anew from the list; the flow's newest revision is pinned.\n"
         "A planned start comes along; --set schedule= leaves it out.",
     .example =
         "furrow campaign clone coffee-harvest coffee-2027 --set list=farmers-2027",
     .run = cmd_campaign_clone},
    {.name = "start",
     .arguments = "NAME [--json]",
     .about = "Let running dialers work the campaign off. Contacts that are final stay "
              "final.",
     .example = "furrow campaign start coffee-harvest",
     .run = cmd_start},
    {.name = "pause",
     .arguments = "NAME [--reason TEXT] [--json]",
     .about = "Begin no further call; live calls go on.",
     .example = "furrow campaign pause coffee-harvest --reason 'holiday in the village'",
     .run = cmd_pause},
    {.name = "resume",
     .arguments = "NAME [--json]",
     .about = "Go on with a paused or a faulted campaign. One whose canary failed goes "
              "on without a canary.",
     .example = "furrow campaign resume coffee-harvest",
     .run = cmd_resume},
    {.name = "release",
     .arguments = "NAME --variant V|--list L|--all [--json]",
     .about =
         "Let a variant or a list of a campaign out of quarantine. What led to it is "
         "not counted again.\nOf caller-ids: 'furrow caller-id release'.",
     .example = "furrow campaign release coffee-harvest --list coops",
     .run = cmd_campaign_release},
    {.name = "stop",
     .arguments = "NAME [--reason TEXT] [--json]",
     .about = "End a campaign; live calls go on. 'start' may take it up again.",
     .example = "furrow campaign stop coffee-harvest",
     .run = cmd_stop},
    {.name = "archive",
     .arguments = "NAME [--reason TEXT] [--json]",
     .about =
         "Put a draft, stopped or done campaign out of the way: it is not listed and "
         "nothing starts it.\nWhat it came to stays and can be reported.",
     .example = "furrow campaign archive coffee-2025",
     .run = cmd_archive},
    {.name = "restore",
     .arguments = "NAME [--json]",
     .about = "Take a campaign out of the archive; it is stopped then.",
     .example = "furrow campaign restore coffee-2025",
     .run = cmd_restore},
    {.name = "watch",
     .arguments = "NAME [--once|--json]",
     .about = "Watch a campaign at work: pace, live calls, answer rate, refusals by "
              "reason, budget, why nobody is dialled, time left.\nRedrawn once a second "
              "until it is done or Ctrl-C; with --once, --json, or when the output is no "
              "terminal, once.",
     .example = "furrow campaign watch coffee-harvest",
     .run = cmd_watch},
    {.name = "report",
     .arguments = "NAME [--json|--csv]",
     .about = "What the campaign has come to, counted from its rows just now.",
     .example = "furrow campaign report coffee-harvest --csv",
     .run = cmd_report},
};

const struct cli_group cmd_campaign = {.name = "campaign",
                                       .about = "make, run and watch campaigns",
                                       .verbs = verbs,
                                       .verb_count = ARRAY_LEN(verbs)};
