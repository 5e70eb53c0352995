/* furrow consent - what people agreed to: add with its evidence, import, revoke, list. */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/fact_import.h"
#include "cli/groups.h"
#include "compliance/consent_store.h"
#include "contacts/phone.h"

enum { SHOWN_MAX = 10000 };

struct consent_command {
    const char *region, *note;
    struct consent consent;
    bool json;
};

static int take_option(struct consent_command *c, int option)
{
    switch (option) {
    case 'l':
        return consent_level_parse(optarg, &c->consent.level) &&
                       c->consent.level != CONSENT_NONE
                   ? CLI_OK
                   : cli_usage("--level is express or express_written, not '%s'", optarg);
    case 'g':
        return clock_parse(optarg, &c->consent.given_at_ms)
                   ? cli_usage(
                         "--given wants an instant like 2026-11-24T08:00:00Z, got '%s'",
                         optarg)
                   : CLI_OK;
    case 'p':
        c->consent.purpose = optarg;
        return cli_check_purpose(optarg);
    case 'e':
        c->consent.evidence = optarg;
        return CLI_OK;
    case 's':
        c->consent.seller = optarg;
        return CLI_OK;
    case 'r':
        c->region = optarg;
        return CLI_OK;
    case 'n':
        c->note = optarg;
        return CLI_OK;
    case 'j':
        c->json = true;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

static int parse(struct consent_command *c, int argc, char **argv, bool number_wanted)
{
    static const struct option options[] = {{"level", required_argument, NULL, 'l'},
                                            {"evidence", required_argument, NULL, 'e'},
                                            {"seller", required_argument, NULL, 's'},
                                            {"purpose", required_argument, NULL, 'p'},
                                            {"given", required_argument, NULL, 'g'},
                                            {"region", required_argument, NULL, 'r'},
                                            {"note", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    struct phone phone = {0};

    c->consent.level = CONSENT_EXPRESS;
    c->consent.given_at_ms = clock_now_ms();
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (take_option(c, o))
            return CLI_USAGE;
    if (!number_wanted && optind == argc)
        return CLI_OK;
    if (argc - optind != 1)
        return cli_usage("'%s' wants one NUMBER", argv[0]);
    enum phone_error error =
        phone_parse(argv[optind], strlen(argv[optind]), c->region, &phone);
    if (error != PHONE_VALID)
        return cli_usage("'%s' is no number: %s", argv[optind], phone_error_hint(error));
    c->consent.phone = phone.e164;
    return CLI_OK;
}

static int add(struct cli *cli, int argc, char **argv)
{
    struct consent_command c = {0};
    char text[PHONE_TEXT_MAX];

    int code = parse(&c, argc, argv, true);
    if (code == CLI_OK && (!c.consent.evidence || !*c.consent.evidence))
        code = cli_usage("--evidence says what proves it, e.g. 'form 12 of 2026-03-01'");
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    if (consent_add(cli->pg, cli->tenant_id, &c.consent))
        return cli_fail("%s", pg_error(cli->pg));
    printf("%s: consent '%s' recorded\n", phone_text(c.consent.phone, text),
           consent_level_name(c.consent.level));
    return CLI_OK;
}

static int revoke(struct cli *cli, int argc, char **argv)
{
    struct consent_command c = {0};
    char text[PHONE_TEXT_MAX];
    int64_t n = 0;

    int code = parse(&c, argc, argv, true);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    if (consent_revoke(cli->pg, cli->tenant_id, c.consent.phone, c.note, clock_now_ms(),
                       &n))
        return cli_fail("%s", pg_error(cli->pg));
    phone_text(c.consent.phone, text);
    if (n == 0)
        return cli_fail("%s has no consent in force; to keep it from being called: "
                        "'furrow dnc add %s'",
                        text, text);
    printf("%s: %" PRId64 " consents revoked; no call is placed under them any more\n",
           text, n);
    return CLI_OK;
}

struct shown {
    json_t *json; /* NULL: print lines */
    int n;
};

static int show(const struct consent *c, void *arg)
{
    char phone[PHONE_TEXT_MAX], given[CLOCK_TEXT_MAX], revoked[CLOCK_TEXT_MAX];
    struct shown *shown = arg;
    json_t *list = shown->json;

    shown->n++;
    phone_text(c->phone, phone);
    clock_text(c->given_at_ms, given);
    clock_text(c->revoked_at_ms, revoked);
    if (list)
        return json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s}", "phone", phone,
                            "level", consent_level_name(c->level), "given_at", given,
                            "revoked_at", c->revoked_at_ms ? revoked : NULL, "seller",
                            c->seller, "purpose", c->purpose, "evidence", c->evidence));
    printf("%-16s %-16s given %s%s%s%s%s%s%s: %s\n", phone, consent_level_name(c->level),
           given, c->revoked_at_ms ? ", revoked " : "", c->revoked_at_ms ? revoked : "",
           *c->seller ? ", to " : "", c->seller, *c->purpose ? ", for " : "", c->purpose,
           c->evidence);
    return 0;
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct consent_command c = {0};

    int code = parse(&c, argc, argv, false);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    json_t *all = c.json ? json_array() : NULL;
    struct shown shown = {.json = all};
    if (consent_list(cli->pg, cli->tenant_id, c.consent.phone, SHOWN_MAX, show, &shown)) {
        json_decref(all);
        return cli_fail("%s", pg_error(cli->pg));
    }
    if (!all && shown.n == 0)
        puts("no consents; 'furrow consent add' or 'import' records them");
    return all ? cli_print_json(all) : CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"add",
     "NUMBER --evidence TEXT [--level express|express_written] [--seller NAME] "
     "[--purpose PURPOSE] [--given TIME] [--region ET]",
     "Records a consent with what proves it. With --purpose it counts for campaigns of "
     "that purpose\nonly, with --seller for those of that seller.",
     "furrow consent add +251911223344 --level express_written --evidence 'form 12, "
     "2026-03-01'",
     add},
    {"import",
     "FILE.csv|- [--level LEVEL] [--given TIME] [--seller NAME] [--purpose PURPOSE]\n"
     "                  [--evidence TEXT] [--region ET] [--rejects FILE] [--encoding E] "
     "[--delimiter C]\n"
     "                  [--dry-run] [--json]",
     "Consents of a CSV file whose first line names the columns: phone, [level, "
     "given_at, "
     "seller,\n"
     "purpose, evidence, revoked_at]. The options stand in for columns the file lacks. A "
     "row with\n"
     "revoked_at (a date, or yes) takes back what the number gave until then, at once. "
     "Running a\nfile twice changes nothing.",
     "furrow consent import forms.csv --level express_written --rejects bad.csv",
     cmd_consent_import},
    {"revoke", "NUMBER [--note TEXT] [--region ET]",
     "Takes every consent of the number back, at once: no permit is made under it any "
     "more.",
     "furrow consent revoke +251911223344 --note 'said so on the phone'", revoke},
    {"list", "[NUMBER] [--json] [--region ET]", "Consents, newest first.",
     "furrow consent list +251911223344", list},
};

const struct cli_group cmd_consent = {
    "consent", "what people agreed to, with its evidence", verbs, ARRAY_LEN(verbs)};
