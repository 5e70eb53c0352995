#include "cli/campaign_trial.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/campaign_store.h"
#include "cli/cli.h"

bool canary_is_waited_for(const struct canary_rule *rule, const struct canary_row *row)
{
    return rule->calls > 0 && row->state == CANARY_TRIAL &&
           canary_room(rule, &row->count) == 0;
}

const char *canary_text(const struct canary_rule *rule, const struct canary_row *row,
                        char out[CANARY_TEXT_MAX])
{
    const struct canary_count *n = &row->count;
    char at[CLOCK_TEXT_MAX];

    out[0] = '\0';
    if (rule->calls == 0)
        return out;
    switch (row->state) {
    case CANARY_NOT_BEGUN:
    case CANARY_TRIAL:
    case CANARY_STATES:
        snprintf(out, CANARY_TEXT_MAX,
                 "trial: %" PRId64 " of %d calls placed, %" PRId64 " over: %" PRId64
                 " answered, %" PRId64 " failed; then it is judged",
                 n->placed, rule->calls, n->placed - n->open, n->answered, n->failed);
        break;
    case CANARY_PASSED:
    case CANARY_FAILED:
        snprintf(out, CANARY_TEXT_MAX, "%s %s: %s", canary_state_name(row->state),
                 clock_text(row->judged_at_ms, at), row->verdict);
        break;
    case CANARY_OVERRULED:
        snprintf(out, CANARY_TEXT_MAX, "failed %s: %s; a person let it go on",
                 clock_text(row->judged_at_ms, at), row->verdict);
        break;
    }
    return out;
}

json_t *canary_to_json(const struct canary_rule *rule, const struct canary_row *row)
{
    const struct canary_count *n = &row->count;
    char at[CLOCK_TEXT_MAX];

    if (rule->calls == 0)
        return json_null();
    return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:s}", "state",
                     row->state ? canary_state_name(row->state) : "trial", "calls",
                     rule->calls, "placed", (json_int_t)n->placed, "open",
                     (json_int_t)n->open, "answered", (json_int_t)n->answered, "failed",
                     (json_int_t)n->failed, "short", (json_int_t)n->shorts, "faults",
                     (json_int_t)n->faults, "judged_at",
                     row->judged_at_ms ? clock_text(row->judged_at_ms, at) : NULL,
                     "verdict", row->verdict);
}

/* ---- quarantine ---- */

void holds_print(const struct quarantine_hold *list, size_t n, const char *label,
                 FILE *to)
{
    char at[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s%s '%s' is in quarantine since %s: %s\n", label,
                quarantine_kind_name(list[i].kind), list[i].name,
                clock_text(list[i].held_at_ms, at), list[i].why);
}

json_t *holds_to_json(const struct quarantine_hold *list, size_t n)
{
    json_t *all = json_array();
    char at[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "kind",
                                             quarantine_kind_name(list[i].kind), "name",
                                             list[i].name, "since",
                                             clock_text(list[i].held_at_ms, at), "why",
                                             list[i].why));
    return all;
}

struct release {
    const char *campaign;
    const char *names[QUARANTINE_KINDS];
    bool all, json;
};

static int parse_release(struct release *r, int argc, char **argv)
{
    static const struct option options[] = {{"variant", required_argument, NULL, 'v'},
                                            {"list", required_argument, NULL, 'l'},
                                            {"all", no_argument, NULL, 'a'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'v')
            r->names[QUARANTINE_VARIANT] = optarg;
        if (o == 'l')
            r->names[QUARANTINE_LIST] = optarg;
        r->all |= o == 'a';
        r->json |= o == 'j';
    }
    if (argc - optind != 1)
        return cli_usage("%s", argc == optind ? "which campaign?" : "one at a time");
    r->campaign = argv[optind];
    bool named = r->names[QUARANTINE_VARIANT] || r->names[QUARANTINE_LIST];
    if (named == r->all)
        return cli_usage("what? --variant NAME, --list NAME, or --all; 'furrow campaign "
                         "show %s' says what is held",
                         r->campaign);
    return CLI_OK;
}

/* All of it or nothing. */
static int release(struct cli *cli, const struct campaign_row *row,
                   const struct release *r, size_t *n)
{
    const struct campaign_doc *doc = NULL;

    *n = 0;
    int err = pg_begin(cli->pg, cli->tenant_id);
    if (err)
        return err;
    err = campaign_doc_get(cli->pg, cli->tenant_id, row->id, &doc);
    for (int k = 0; !err && k < QUARANTINE_KINDS; k++)
        if (r->all || r->names[k])
            err = quarantine_release(cli->pg, row->id, doc, (enum quarantine_kind)k,
                                     r->names[k], "by hand", clock_now_ms(), n);
    return pg_end(cli->pg, err);
}

int cmd_campaign_release(struct cli *cli, int argc, char **argv)
{
    struct campaign_row row = {0};
    struct release r = {0};
    struct errtext e = {0};
    size_t n = 0;

    int code = parse_release(&r, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (campaign_find(cli->pg, cli->tenant_id, r.campaign, &row, &e))
        return cli_fail("%s", e.text);
    if (release(cli, &row, &r, &n))
        return cli_fail("%s", pg_error(cli->pg));
    if (n == 0)
        return cli_fail("nothing of that is in quarantine in '%s'; 'furrow campaign show "
                        "%s' says what is",
                        row.name, row.name);
    if (r.json)
        return cli_print_json(
            json_pack("{s:s, s:I}", "name", row.name, "released", (json_int_t)n));
    printf("campaign '%s': %zu released; its calls are counted from now on\n", row.name,
           n);
    return CLI_OK;
}

/* ---- history ---- */

void event_print(const struct campaign_event *e, FILE *to)
{
    char at[CLOCK_TEXT_MAX];

    fprintf(to, "      %s %s\n", clock_text(e->at_ms, at), e->text);
}

json_t *event_to_json(const struct campaign_event *e)
{
    char at[CLOCK_TEXT_MAX];

    return json_pack("{s:s, s:s}", "at", clock_text(e->at_ms, at), "event", e->text);
}
