/* furrow flow - what authors do: check, publish, list, show, try in the terminal. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "campaigns/flow_store.h"
#include "campaigns/subflow_store.h"
#include "cli/flow_backends.h"
#include "cli/flow_source.h"
#include "cli/groups.h"
#include "cli/table_source.h"

/* The one FILE or NAME that a verb takes. */
static int only_argument(int argc, char **argv, const char *what, const char **out)
{
    if (optind == argc)
        return cli_usage("%s is missing", what);
    if (optind + 1 < argc)
        return cli_usage("unexpected argument '%s'", argv[optind + 1]);
    *out = argv[optind];
    return CLI_OK;
}

static int parse_json_flag(int argc, char **argv, bool *json)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?')
            return CLI_USAGE;
        *json = true;
    }
    return CLI_OK;
}

struct check_flags {
    bool json, has_for;
    struct flow_backends backends;
};

static int parse_check_flags(int argc, char **argv, struct check_flags *out)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"for", required_argument, NULL, 'f'}, {0}};
    int code = CLI_OK;

    for (int c; !code && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        out->json |= c == 'j';
        if (c == 'f') {
            out->has_for = true;
            code = flow_backends_parse(&out->backends, optarg);
        }
        if (c == '?')
            code = CLI_USAGE;
    }
    return code;
}

static void count_issues(const struct flow_source *f)
{
    size_t warnings = f->issues.n - f->issues.errors;

    if (f->prog)
        printf("%s: flow '%s' is sound", f->path, ivr_prog_name(f->prog));
    else
        printf("%s: %zu error%s", f->path, f->issues.errors,
               f->issues.errors == 1 ? "" : "s");
    if (warnings > 0)
        printf(", %zu warning%s", warnings, warnings == 1 ? "" : "s");
    putchar('\n');
}

static int check(struct cli *cli, int argc, char **argv)
{
    struct check_flags flags = {0};
    int code = parse_check_flags(argc, argv, &flags);
    bool json = flags.json;

    if (code)
        return code;
    if (optind == argc)
        return cli_usage("FILE is missing");
    json_t *list = json ? json_array() : NULL;
    for (int i = optind; i < argc; i++) {
        struct flow_source f;
        int one = flow_source_open(&f, cli, argv[i], false, flags.backends.names);
        if (!one && json)
            json_array_append_new(list, json_pack("{s:s, s:b, s:o}", "file", argv[i],
                                                  "sound", f.prog != NULL, "issues",
                                                  flow_source_issues_json(&f)));
        if (!one && !json) {
            flow_source_say(&f);
            count_issues(&f);
        }
        if (one || !f.prog)
            code = CLI_FAILED;
        flow_source_close(&f);
    }
    if (json)
        cli_print_json(list);
    return code;
}

static int publish_source(struct cli *cli, const struct flow_source *f, bool json)
{
    CLEANUP(buf_free) struct buf holders = {0};
    struct flow_row row = {0};
    bool fresh = false;

    int code = cli_open_pg(cli);
    if (code)
        return code;
    int err = flow_publish(cli->pg, cli->tenant_id, ivr_prog_name(f->prog), f->text,
                           clock_now_ms(), &row, &fresh);
    buf_puts(&holders, "");
    if (!err)
        err = subflow_held_older(cli->pg, cli->tenant_id, row.name, row.revision_id,
                                 &holders);
    if (err)
        return cli_fail("publishing failed: %s", pg_error(cli->pg));
    if (json)
        return cli_print_json(json_pack("{s:s, s:i, s:s, s:b, s:s}", "name", row.name,
                                        "revision", row.revision, "sha256", row.sha256,
                                        "fresh", fresh, "held_older_by", holders.data));
    if (fresh)
        printf("published '%s' revision %d (%.12s)\n", row.name, row.revision,
               row.sha256);
    else
        printf("'%s' revision %d is this text already; nothing to do\n", row.name,
               row.revision);
    if (holders.len)
        printf("  an older '%s' is part of %s: publish what is to have this one again\n",
               row.name, holders.data);
    return CLI_OK;
}

static int publish(struct cli *cli, int argc, char **argv)
{
    struct flow_source f = {0};
    struct check_flags flags = {0};
    const char *path = NULL;

    int code = parse_check_flags(argc, argv, &flags);
    if (!code)
        code = only_argument(argc, argv, "FILE", &path);
    if (!code && !flags.has_for)
        code = flow_backends_of_tenant(&flags.backends, cli);
    if (code)
        return code;
    code = flow_source_open(&f, cli, path, true, flags.backends.names);
    if (!code)
        flow_source_say(&f);
    if (!code && !f.prog)
        code =
            cli_fail("'%s' was not published: correct the errors above%s", path,
                     flags.has_for ? "" : ", or say with --for on which phones it runs");
    if (!code)
        code = publish_source(cli, &f, flags.json);
    flow_source_close(&f);
    return code;
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct flow_row *rows = NULL;
    size_t n = 0;
    bool json = false;
    char at[CLOCK_TEXT_MAX];

    int code = parse_json_flag(argc, argv, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (flow_list(cli->pg, cli->tenant_id, &rows, &n))
        return cli_fail("%s", pg_error(cli->pg));
    json_t *out = json ? json_array() : NULL;
    for (size_t i = 0; i < n; i++) {
        clock_text(rows[i].published_at_ms, at);
        if (json)
            json_array_append_new(out,
                                  json_pack("{s:s, s:i, s:s, s:s}", "name", rows[i].name,
                                            "revision", rows[i].revision, "sha256",
                                            rows[i].sha256, "published_at", at));
        else
            printf("%-24s revision %-4d %.12s  published %s\n", rows[i].name,
                   rows[i].revision, rows[i].sha256, at);
    }
    free(rows);
    if (json)
        return cli_print_json(out);
    if (n == 0)
        puts("no flow is published yet: furrow flow publish FILE");
    return CLI_OK;
}

static int show(struct cli *cli, int argc, char **argv)
{
    struct flow_row row;
    struct errtext e = {0};
    const char *name = NULL;
    char *source = NULL;
    bool json = false;

    int code = parse_json_flag(argc, argv, &json);
    if (!code)
        code = only_argument(argc, argv, "NAME", &name);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = flow_find(cli->pg, cli->tenant_id, name, &row, &e);
    if (!err)
        err = flow_load(cli->pg, cli->tenant_id, row.revision_id, &row, &source);
    if (err)
        return cli_fail("%s", e.text[0] ? e.text : pg_error(cli->pg));
    fputs(source, stdout);
    if (!*source || source[strlen(source) - 1] != '\n')
        putchar('\n');
    free(source);
    return CLI_OK;
}

static int parse_contact(const char *text, json_t **out)
{
    json_error_t error;

    json_decref(*out);
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(*out))
        return CLI_OK;
    return cli_usage("--contact wants a JSON object, e.g. '{\"first_name\":\"Almaz\"}'");
}

/* As a flow sees its party; "" is a caller who withholds it. */
static int parse_from(const char *text, const char **out)
{
    size_t len = strlen(text);

    *out = text;
    if (len == 0 || (text[0] == '+' && len >= 8 && len <= 16 &&
                     strspn(text + 1, "0123456789") == len - 1))
        return CLI_OK;
    return cli_usage("--from wants a number as +251911000000, or '' for a withheld one, "
                     "not '%s'",
                     text);
}

/* NAME=FILE */
static int parse_table(const char *text, struct table_memory *tables)
{
    const char *file = strchr(text, '=');
    char name[TABLE_NAME_MAX];
    struct table_def def;
    struct errtext e = {0};
    json_t *rows = NULL;

    if (!file || (size_t)(file - text) >= sizeof(name))
        return cli_usage("--table wants NAME=FILE.csv, not '%s'", text);
    str_cut(name, (size_t)(file - text) + 1, text);
    int code = table_source_read(file + 1, &def, &rows);
    if (!code && table_memory_add(tables, name, &def, rows, &e))
        code = cli_usage("%s", e.text);
    return code;
}

static int parse_run(int argc, char **argv, struct flow_phone *phone)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"language", required_argument, NULL, 'l'},
                                            {"contact", required_argument, NULL, 'c'},
                                            {"trace", no_argument, NULL, 't'},
                                            {"table", required_argument, NULL, 'T'},
                                            {0}};
    int code = CLI_OK;

    for (int c; !code && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'T')
            code = parse_table(optarg, phone->tables);
        if (c == 'f')
            code = parse_from(optarg, &phone->from);
        if (c == 'l')
            phone->language = optarg;
        if (c == 'c')
            code = parse_contact(optarg, &phone->contact);
        phone->trace |= c == 't';
        if (c == '?')
            code = CLI_USAGE;
    }
    return code;
}

/* A language that the flow does not offer would be heard as another one. */
static int check_language(const struct flow_source *f, const char *language)
{
    json_auto_t *doc = json_loads(f->text, 0, NULL);
    const char *usual = json_string_value(json_object_get(doc, "language"));
    const json_t *tag = NULL, *tags = json_object_get(doc, "languages");
    CLEANUP(buf_free) struct buf offered = {0};
    size_t i = 0;

    if (!*language || !usual || strcmp(language, usual) == 0)
        return CLI_OK;
    if (!tags)
        buf_puts(&offered, usual);
    json_array_foreach(tags, i, tag)
    {
        if (strcmp(language, json_string_value(tag)) == 0)
            return CLI_OK;
        buf_printf(&offered, "%s%s", i ? ", " : "", json_string_value(tag));
    }
    return cli_usage("the flow has no language '%s'; it has %s", language, offered.data);
}

static int run(struct cli *cli, int argc, char **argv)
{
    CLEANUP(table_memory_free) struct table_memory tables = {0};
    struct flow_phone phone = {
        .from = "+251911000000", .language = "", .tables = &tables};
    struct flow_source f = {0};
    const char *path = NULL;

    int code = parse_run(argc, argv, &phone);
    if (!code)
        code = only_argument(argc, argv, "FILE", &path);
    if (!code)
        code = flow_source_open(&f, cli, path, false, NULL);
    if (!code && !f.prog) {
        flow_source_say(&f);
        code = cli_fail("'%s' cannot be run: correct the errors above", path);
    }
    if (!code)
        code = check_language(&f, phone.language);
    if (!code)
        code = flow_phone_call(&f, &phone);
    flow_source_close(&f);
    json_decref(phone.contact);
    return code;
}

static const struct cli_verb verbs[] = {
    {.name = "check",
     .arguments = "FILE… [--for twilio,plivo,asterisk,simulated] [--json]",
     .about =
         "Compile flow files and say everything that is wrong, with line and column.\n"
         "--for: also what these phones cannot do (an error) or do otherwise (a "
         "warning).\n"
         "Exit 1 when one of them has errors. Needs no database.",
     .example = "furrow flow check coffee.json --for twilio,plivo",
     .run = check},
    {.name = "publish",
     .arguments = "FILE [--for twilio,plivo,asterisk,simulated] [--json]",
     .about =
         "Check a flow and make it the newest revision of its name.\n"
         "Campaigns and calls that run keep the revision they began with. It holds its "
         "sub-flows as\nthey are published now; flows that hold an older one of it are "
         "named. What the "
         "tenant's\n"
         "trunks and provider accounts cannot do is an error; --for names the phones\n"
         "instead.",
     .example = "furrow flow publish deploy/demo/coffee.json",
     .run = publish},
    {.name = "list",
     .arguments = "[--json]",
     .about = "The published flows with their newest revision.",
     .example = "furrow flow list",
     .run = list},
    {.name = "show",
     .arguments = "NAME",
     .about = "The text of a published flow's newest revision.",
     .example = "furrow flow show coffee",
     .run = show},
    {.name = "run",
     .arguments = "FILE [--from NUMBER] [--language TAG] [--contact JSON] [--table "
                  "NAME=FILE] [--trace]",
     .about =
         "A phone in the terminal: try a flow without publishing it. Type, a line each:\n"
         "  a key, or a whole entry        5   1234#\n"
         "  nothing                        the wait runs out\n"
         "  spoke [SECONDS], silent        what a recording is\n"
         "  hangup, stop                   the party, the operator ends the call\n"
         "  completed, busy, unanswered    how a transfer ends\n"
         "  served, waited, full, left     how a queue is left\n"
         "  place N [SECONDS]              N-th in the queue, so long to wait yet\n"
         "  http 200 BODY, http timeout    what an API answers\n"
         "  say WORDS                      words in place of keys\n"
         "--table gives data nodes a table from a file, as 'furrow table import' reads "
         "it;\n"
         "what they change is gone afterwards. "
         "--trace shows the nodes that are passed.",
     .example = "printf '1\\nspoke 6\\n' | furrow flow run deploy/demo/coffee.json",
     .run = run},
};

const struct cli_group cmd_flow = {.name = "flow",
                                   .about = "check, publish and try spoken flows",
                                   .verbs = verbs,
                                   .verb_count = ARRAY_LEN(verbs)};
