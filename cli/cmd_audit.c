/* furrow audit - the decision log: sealed, verified, proved to a stranger. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/groups.h"
#include "compliance/audit.h"
#include "compliance/audit_store.h"
#include "contacts/phone.h"

#define UNSEALED_LONG_MS INT64_C(3600000)

struct audit_command {
    const char *head, *out, *region;
    bool json, fast;
    json_t *findings;
    struct progress progress;
};

static int parse(struct audit_command *c, int argc, char **argv)
{
    static const struct option options[] = {
        {"head", required_argument, NULL, 'h'},   {"out", required_argument, NULL, 'o'},
        {"region", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
        {"chain-only", no_argument, NULL, 'f'},   {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'h')
            c->head = optarg;
        if (o == 'o')
            c->out = optarg;
        if (o == 'r')
            c->region = optarg;
        c->json |= o == 'j';
        c->fast |= o == 'f';
    }
    return CLI_OK;
}

/* ---- seal, verify ---- */

static int seal(struct cli *cli, int argc, char **argv)
{
    struct audit_command c = {0};
    int64_t rows = 0;

    int code = parse(&c, argc, argv);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    if (audit_seal(cli->pg, cli->tenant_id, clock_now_ms(), &rows))
        return cli_fail("%s", pg_error(cli->pg));
    printf("%" PRId64 " decisions sealed\n", rows);
    return CLI_OK;
}

static void finding(void *arg, const char *kind, const char *what, const char *detail)
{
    struct audit_command *c = arg;

    if (c->json)
        json_array_append_new(c->findings, json_pack("{s:s, s:s, s:s}", "kind", kind,
                                                     "what", what, "detail", detail));
    else
        printf("%s: %s: %s\n", kind, what, detail);
}

static void progressed(void *arg, int64_t rows)
{
    struct audit_command *c = arg;

    progress_show(&c->progress, rows, 0);
}

static int verify(struct cli *cli, int argc, char **argv)
{
    struct audit_command c = {.progress = {.label = "audit verify", .unit = "decisions"}};
    struct audit_counts n;
    char since[CLOCK_TEXT_MAX];

    int code = parse(&c, argc, argv);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    c.findings = json_array();
    int err = audit_verify(cli->pg, cli->tenant_id, c.head, !c.fast, finding, &c,
                           progressed, &n);
    progress_end(&c.progress, n.rows);
    if (err) {
        json_decref(c.findings);
        return cli_fail("%s", pg_error(cli->pg));
    }
    if (c.json)
        cli_print_json(json_pack(
            "{s:b, s:I, s:I, s:I, s:I, s:I, s:s, s:O}", "sound", n.wrong == 0, "segments",
            (json_int_t)n.segments, "decisions", (json_int_t)n.rows, "run_again",
            (json_int_t)n.again, "unsealed", (json_int_t)n.unsealed, "other_tzdata",
            (json_int_t)n.other_tzdata, "head", n.head, "findings", c.findings));
    else if (n.unsealed > 0 && clock_now_ms() - n.unsealed_since_ms > UNSEALED_LONG_MS)
        printf("the oldest that is not sealed was decided at %s: no dialer runs here; "
               "'furrow audit seal'\n",
               clock_text(n.unsealed_since_ms, since));
    if (!c.json)
        printf("%s: %" PRId64 " decisions in %" PRId64 " segments, %" PRId64
               " run again from their inputs, %" PRId64 " not sealed yet, %" PRId64
               " findings\nhead %s\n",
               n.wrong ? "NOT SOUND" : "sound", n.rows, n.segments, n.again, n.unsealed,
               n.wrong, *n.head ? n.head : "(none)");
    json_decref(c.findings);
    return n.wrong ? CLI_FAILED : CLI_OK;
}

static int head(struct cli *cli, int argc, char **argv)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct audit_command c = {0};

    int code = parse(&c, argc, argv);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    int err = pg_begin(cli->pg, cli->tenant_id);
    if (!err)
        err = pg_end(cli->pg,
                     pg_run(cli->pg, &res,
                            "SELECT segment, encode(hash, 'hex') FROM audit_segments "
                            "ORDER BY segment DESC LIMIT 1",
                            NULL));
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (PQntuples(res) == 0)
        return cli_fail("nothing is sealed yet; 'furrow audit seal' does it now");
    printf("%s\n", pg_text(res, 0, 1));
    return CLI_OK;
}

/* ---- bundle, check ---- */

/* A number, or the id of a call: the number that was called. */
static int find_phone(struct cli *cli, const struct audit_command *c, const char *text,
                      int64_t *phone)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct phone parsed = {0};
    struct pg_args a = {0};
    struct uuid id;

    if (uuid_parse(text, &id)) {
        enum phone_error error = phone_parse(text, strlen(text), c->region, &parsed);
        *phone = parsed.e164;
        return error == PHONE_VALID || error == PHONE_INVALID
                   ? CLI_OK
                   : cli_usage("'%s' is neither a number nor the id of a call", text);
    }
    pg_arg_uuid(&a, &id);
    int err = pg_begin(cli->pg, cli->tenant_id);
    if (!err)
        err = pg_end(cli->pg, pg_run(cli->pg, &res,
                                     "SELECT phone FROM attempts WHERE id = $1", &a));
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (PQntuples(res) == 0)
        return cli_fail("there is no call %s; 'furrow why NUMBER' lists a number's",
                        text);
    *phone = pg_i64(res, 0, 0);
    return CLI_OK;
}

static int bundle(struct cli *cli, int argc, char **argv)
{
    struct audit_command c = {0};
    json_t *all = NULL;
    int64_t phone = 0;

    int code = parse(&c, argc, argv);
    if (code == CLI_OK && argc - optind != 1)
        code = cli_usage("audit bundle wants one NUMBER or CALL");
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code == CLI_OK)
        code = find_phone(cli, &c, argv[optind], &phone);
    if (code != CLI_OK)
        return code;
    int err = audit_bundle(cli->pg, cli->tenant_id, phone, &all);
    if (err == ENOENT)
        return cli_fail(
            "no sealed decision about this number; 'furrow audit seal' seals what is "
            "there");
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (!c.out)
        return cli_print_json(all);
    err = json_dump_file(all, c.out, JSON_INDENT(1));
    size_t n = json_array_size(json_object_get(all, "decisions"));
    json_decref(all);
    if (err)
        return cli_fail("%s: %s", c.out, strerror(errno));
    printf("%s: %zu decisions; 'furrow audit check %s' checks it anywhere\n", c.out, n,
           c.out);
    return CLI_OK;
}

static void told(void *arg, bool wrong, const char *text)
{
    (void)arg;
    printf("%s %s\n", wrong ? "WRONG" : "ok   ", text);
}

static int check(struct cli *cli, int argc, char **argv)
{
    struct audit_command c = {0};
    json_error_t at;

    (void)cli;
    int code = parse(&c, argc, argv);
    if (code == CLI_OK && argc - optind != 1)
        code = cli_usage("audit check wants one FILE");
    if (code != CLI_OK)
        return code;
    json_auto_t *file = json_load_file(argv[optind], JSON_REJECT_DUPLICATES, &at);
    if (!file)
        return cli_fail("%s:%d: %s", argv[optind], at.line, at.text);
    int wrong = audit_bundle_check(file, told, NULL);
    puts(wrong ? "the bundle is NOT sound"
               : "the bundle is sound; hold its segment hashes against those written "
                 "down elsewhere");
    return wrong ? CLI_FAILED : CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"seal", "", "Seals every decision that is committed; the dialer does it by itself.",
     "furrow audit seal", seal},
    {"verify", "[--head HASH] [--chain-only] [--json]",
     "Computes the hash chain again and every decision from its stored inputs; names "
     "each row that "
     "was\naltered, removed, inserted or moved. --head is the newest hash as you wrote "
     "it down. Exit "
     "1 on\nany finding.",
     "furrow audit verify --head \"$(cat last-head)\"", verify},
    {"head", "",
     "The newest segment's hash: write it down where nobody here can change it.",
     "furrow audit head", head},
    {"bundle", "NUMBER|CALL [--out FILE] [--region ET]",
     "The proof of one number: its decisions, the segments that seal them, the packs of "
     "their days, "
     "its\nconsents and recordings' hashes. Of other people it holds only hashes.",
     "furrow audit bundle +251911223344 --out proof.json", bundle},
    {"check", "FILE",
     "Checks a bundle. Needs no database. Exit 1 when anything is wrong.",
     "furrow audit check proof.json", check},
};

const struct cli_group cmd_audit = {"audit", "the decision log: sealed, verified, proved",
                                    verbs, ARRAY_LEN(verbs)};
