#include "cli/campaign_change.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_change.h"
#include "campaigns/campaign_store.h"
#include "cli/campaign_document.h"
#include "cli/campaign_trial.h"

enum { SETTINGS_MAX = 64 };

struct arguments {
    const char *name, *second; /* of the campaign; file or new name */
    const char *settings[SETTINGS_MAX + 1];
    size_t n;
    int64_t revision; /* 0 not stated */
    bool json;
};

static int parse(struct arguments *a, const char *missing, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"set", required_argument, NULL, 's'},
                                            {"revision", required_argument, NULL, 'r'},
                                            {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'j')
            a->json = true;
        if (o == 'r' && (!str_to_i64(optarg, &a->revision) || a->revision < 1))
            return cli_usage("--revision wants a number from 1, not '%s'", optarg);
        if (o != 's')
            continue;
        if (a->n == SETTINGS_MAX)
            return cli_usage("at most %d times --set", SETTINGS_MAX);
        a->settings[a->n++] = optarg;
    }
    if (optind == argc)
        return cli_usage("%s", missing);
    a->name = argv[optind++];
    a->second = optind < argc ? argv[optind++] : NULL;
    return optind == argc ? CLI_OK : cli_usage("unexpected argument '%s'", argv[optind]);
}

static int open_text(struct cli *cli, const char *name, struct campaign_row *row,
                     char **text)
{
    struct errtext e = {0};

    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (campaign_find(cli->pg, cli->tenant_id, name, row, &e))
        return cli_fail("%s", e.text);
    if (campaign_text(cli->pg, cli->tenant_id, row->id, text))
        return cli_fail("%s", pg_error(cli->pg));
    return CLI_OK;
}

/* ---- change ---- */

static int print_changed(const struct arguments *a, const struct campaign_row *row,
                         const char *before, const char *after)
{
    CLEANUP(buf_free) struct buf keys = {0};

    buf_puts(&keys, "");
    campaign_changed_keys(before, after, &keys);
    if (a->json)
        return cli_print_json(json_pack("{s:s, s:s, s:s}", "name", row->name, "state",
                                        campaign_state_name(row->state), "changed",
                                        keys.data));
    if (keys.len == 0)
        printf("campaign '%s' is as it was: nothing differs\n", row->name);
    else
        printf("campaign '%s' changed: %s\n  %s\n", row->name, keys.data,
               row->state == CAMPAIGN_RUNNING
                   ? "it holds from the next call that is picked"
                   : "it holds from its start");
    return CLI_OK;
}

int cmd_campaign_change(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *before = NULL;
    CLEANUP(free_cleanup) char *text = NULL;
    CLEANUP(free_cleanup) char *file = NULL;
    CLEANUP(free_cleanup) struct campaign_issues *issues = xcalloc(1, sizeof(*issues));
    struct campaign_row row = {0};
    struct arguments a = {0};
    struct errtext e = {0};
    size_t len = 0;

    int code = parse(&a, "which campaign?", argc, argv);
    if (!code && a.revision)
        code = cli_usage("--revision is for 'history'");
    if (!code && !a.second && a.n == 0)
        code = cli_usage("what is to be changed? a FILE with the whole document, or "
                         "--set KEY=VALUE, e.g. --set pacing.cps=2");
    if (!code && a.second)
        code = campaign_document_read(a.second, &file, &len);
    if (!code)
        code = open_text(cli, a.name, &row, &before);
    if (code)
        return code;
    if (a.n == 0)
        text = STEAL(file);
    else if (campaign_text_with(file ? file : before, a.settings, a.n, &text, &e))
        return cli_fail("%s; nothing was changed", e.text);
    int err = campaign_change(cli->pg, &row, text, strlen(text), clock_now_ms(), issues);
    if (issues->found)
        return campaign_document_issues(a.n ? a.name : a.second, issues, a.json,
                                        "nothing was changed");
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    return print_changed(&a, &row, before, text);
}

/* ---- history ---- */

/* What became different with it; "" of the first. */
static void say_difference(const struct campaign_revision *list, size_t i,
                           struct buf *out)
{
    buf_puts(out, "");
    if (i > 0)
        campaign_changed_keys(list[i - 1].text, list[i].text, out);
}

static void print_revision(const struct campaign_revision *list, size_t i)
{
    CLEANUP(buf_free) struct buf keys = {0};
    char from[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];

    say_difference(list, i, &keys);
    printf("%4d  from %s %s%s%s%s\n", list[i].revision, clock_text(list[i].from_ms, from),
           list[i].until_ms ? "to " : "on",
           list[i].until_ms ? clock_text(list[i].until_ms, until) : "",
           keys.len ? "  changed: " : "", keys.data);
}

static json_t *revision_to_json(const struct campaign_revision *list, size_t i)
{
    CLEANUP(buf_free) struct buf keys = {0};
    char from[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];

    say_difference(list, i, &keys);
    return json_pack("{s:i, s:s, s:s?, s:s, s:o?}", "revision", list[i].revision, "from",
                     clock_text(list[i].from_ms, from), "until",
                     list[i].until_ms ? clock_text(list[i].until_ms, until) : NULL,
                     "changed", keys.data, "document", json_loads(list[i].text, 0, NULL));
}

struct history {
    struct campaign_revision *revisions;
    size_t n;
    struct campaign_event *events;
    size_t event_count, shown; /* shown: of the events */
};

/* Events before an instant, where all documents are shown. */
static void show_events(struct history *h, int64_t before_ms, json_t *all)
{
    for (; h->shown < h->event_count && h->events[h->shown].at_ms < before_ms; h->shown++)
        if (all)
            json_array_append_new(all, event_to_json(&h->events[h->shown]));
        else
            event_print(&h->events[h->shown], stdout);
}

static int show_history(const struct arguments *a, struct history *h)
{
    const struct campaign_revision *list = h->revisions;
    json_t *all = a->json ? json_array() : NULL;

    if (a->revision > (int64_t)h->n) {
        json_decref(all);
        return cli_fail("'%s' has had %zu documents, none has the number %" PRId64,
                        a->name, h->n, a->revision);
    }
    for (size_t i = 0; i < h->n; i++) {
        if (a->revision && a->revision != list[i].revision)
            continue;
        if (!a->revision)
            show_events(h, list[i].from_ms, all);
        if (a->json)
            json_array_append_new(all, revision_to_json(list, i));
        else
            print_revision(list, i);
        if (a->revision && !a->json)
            printf("%s\n", list[i].text);
    }
    if (!a->revision)
        show_events(h, INT64_MAX, all);
    return a->json ? cli_print_json(all) : CLI_OK;
}

int cmd_campaign_history(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct campaign_row row = {0};
    struct arguments a = {0};
    struct history h = {0};

    int code = parse(&a, "which campaign?", argc, argv);
    if (!code && (a.second || a.n))
        code = cli_usage("only the campaign's name and --revision are asked for");
    if (!code)
        code = open_text(cli, a.name, &row, &text);
    if (code)
        return code;
    if (campaign_revisions(cli->pg, &row, &h.revisions, &h.n))
        return cli_fail("%s", pg_error(cli->pg));
    if (campaign_event_list(cli->pg, cli->tenant_id, row.id, &h.events, &h.event_count))
        code = cli_fail("%s", pg_error(cli->pg));
    else
        code = show_history(&a, &h);
    campaign_revisions_free(h.revisions, h.n);
    free(h.events);
    return code;
}

/* ---- clone ---- */

/* The name is an argument: another one that is set would be passed over. */
static int check_name(const struct arguments *a)
{
    static const char key[] = "name=";

    for (size_t i = 0; i < a->n; i++)
        if (strncmp(a->settings[i], key, sizeof(key) - 1) == 0)
            return cli_usage("the new campaign's name is the second argument: 'furrow "
                             "campaign clone %s %s'",
                             a->name, a->settings[i] + sizeof(key) - 1);
    return a->second ? CLI_OK : cli_usage("what is the new one's name?");
}

int cmd_campaign_clone(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *before = NULL;
    CLEANUP(free_cleanup) char *text = NULL;
    CLEANUP(free_cleanup) char *name = NULL;
    CLEANUP(free_cleanup) struct campaign_issues *issues = xcalloc(1, sizeof(*issues));
    const struct campaign_doc *doc = NULL;
    struct campaign_row row = {0};
    struct arguments a = {0};
    struct errtext e = {0};
    struct buf setting = {0};

    int code = parse(&a, "which campaign?", argc, argv);
    if (!code)
        code = check_name(&a);
    if (!code)
        code = open_text(cli, a.name, &row, &before);
    if (code)
        return code;
    /* A name may look like a number; as JSON it is text. */
    json_auto_t *quoted = json_string(a.second);
    CLEANUP(free_cleanup)
    char *dumped = quoted ? json_dumps(quoted, JSON_ENCODE_ANY) : NULL;
    if (!dumped)
        return cli_fail("the name is not UTF-8");
    buf_printf(&setting, "name=%s", dumped);
    name = buf_take(&setting);
    a.settings[a.n++] = name;
    if (campaign_text_with(before, a.settings, a.n, &text, &e))
        return cli_fail("%s; nothing was created", e.text);
    int err = campaign_create(cli->pg, cli->tenant_id, text, strlen(text), clock_now_ms(),
                              &row, issues);
    if (issues->found)
        return campaign_document_issues(a.second, issues, a.json, "nothing was created");
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (a.json)
        return cli_print_json(json_pack("{s:I, s:s, s:s}", "id", (json_int_t)row.id,
                                        "name", row.name, "state",
                                        campaign_state_name(row.state)));
    printf("campaign '%s' created as a draft, with the rules of '%s'\n", row.name,
           a.name);
    if (campaign_doc_get(cli->pg, cli->tenant_id, row.id, &doc) == 0)
        campaign_document_print_start(row.name, doc);
    return CLI_OK;
}
