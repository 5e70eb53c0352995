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

enum { SETTINGS_MAX = 64 };

struct arguments {
    const char *name, *second; /* of the campaign; file or new name */
    const char *settings[SETTINGS_MAX + 1];
    size_t n;
    bool json;
};

static int parse(struct arguments *a, const char *missing, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"set", required_argument, NULL, 's'}, {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'j')
            a->json = true;
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

/* ---- clone ---- */

int cmd_campaign_clone(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *before = NULL;
    CLEANUP(free_cleanup) char *text = NULL;
    CLEANUP(free_cleanup) char *name = NULL;
    CLEANUP(free_cleanup) struct campaign_issues *issues = xcalloc(1, sizeof(*issues));
    struct campaign_row row = {0};
    struct arguments a = {0};
    struct errtext e = {0};
    struct buf setting = {0};

    int code = parse(&a, "which campaign?", argc, argv);
    if (!code && !a.second)
        code = cli_usage("what is the new one's name?");
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
    return CLI_OK;
}
