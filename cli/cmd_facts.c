/* furrow facts - what the rules know of numbers beside lists, consents and calls: washes,
 * line types, reassigned numbers, places; and who brought it in. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/fact_import.h"
#include "cli/groups.h"
#include "compliance/fact_store.h"

enum { CHANGES_SHOWN = 1000 };

/* ---- show ---- */

static const char *time_of(const json_t *row, const char *key, char out[CLOCK_TEXT_MAX])
{
    int64_t at_ms = json_integer_value(json_object_get(row, key));

    return at_ms ? clock_text(at_ms, out) : "no date";
}

static void tell_line(const json_t *r)
{
    char at[CLOCK_TEXT_MAX];

    printf("  line %s, asked %s", cli_text(r, "line"), time_of(r, "checked_ms", at));
}

static void tell_reassigned(const json_t *r)
{
    char at[CLOCK_TEXT_MAX];

    printf("  reassigned: %s, asked %s", cli_text(r, "answer"),
           time_of(r, "checked_ms", at));
}

static void tell_place(const json_t *r)
{
    char at[CLOCK_TEXT_MAX];
    bool confirmed = json_is_true(json_object_get(r, "confirmed"));

    printf("  lives in %s%s%s, %s%s", cli_text(r, "region"),
           *cli_text(r, "region") && *cli_text(r, "zones") ? ", " : "",
           cli_text(r, "zones"), confirmed ? "as the person said, " : "by its address, ",
           time_of(r, "said_ms", at));
}

static void tell_wash(const json_t *r)
{
    char at[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];

    printf("  %s on %s, asked %s, holds until %s",
           json_is_true(json_object_get(r, "hit")) ? "IS" : "is not", cli_text(r, "list"),
           time_of(r, "checked_ms", at), time_of(r, "expires_ms", until));
}

static void tell_consent(const json_t *r)
{
    char at[CLOCK_TEXT_MAX];

    printf("  consent %s, given %s%s%s%s%s: %s", cli_text(r, "level"),
           time_of(r, "given_ms", at), *cli_text(r, "seller") ? " to " : "",
           cli_text(r, "seller"), *cli_text(r, "purpose") ? ", for " : "",
           cli_text(r, "purpose"), cli_text(r, "evidence"));
    if (json_integer_value(json_object_get(r, "revoked_ms")))
        printf("; TAKEN BACK %s", time_of(r, "revoked_ms", at));
}

static const struct {
    const char *name;
    void (*tell)(const json_t *row);
} parts[] = {{"line_types", tell_line},
             {"reassigned", tell_reassigned},
             {"places", tell_place},
             {"washes", tell_wash},
             {"consents", tell_consent}};

static void tell_number(const json_t *all)
{
    size_t shown = 0;

    for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
        size_t i = 0;
        json_t *row = NULL;
        json_array_foreach(json_object_get(all, parts[p].name), i, row)
        {
            json_int_t change = json_integer_value(json_object_get(row, "change_id"));
            parts[p].tell(row);
            if (change)
                printf(" (change %" JSON_INTEGER_FORMAT ")", change);
            putchar('\n');
            shown++;
        }
    }
    if (shown == 0)
        puts("  nothing is on file");
}

static int show(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"region", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'}, {0}};
    const char *region = NULL;
    char text[PHONE_TEXT_MAX];
    struct phone phone = {0};
    json_t *all = NULL;
    bool json = false;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'r')
            region = optarg;
        json |= o == 'j';
    }
    if (argc - optind != 1)
        return cli_usage("which number?");
    enum phone_error error =
        phone_parse(argv[optind], strlen(argv[optind]), region, &phone);
    if (error != PHONE_VALID && error != PHONE_INVALID)
        return cli_usage("'%s' is no number: %s", argv[optind], phone_error_hint(error));
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (fact_of_number(cli->pg, cli->tenant_id, phone.e164, &all))
        return cli_fail("%s", pg_error(cli->pg));
    phone_text(phone.e164, text);
    json_object_set_new(all, "phone", json_string(text));
    if (json)
        return cli_print_json(all);
    puts(text);
    tell_number(all);
    json_decref(all);
    return CLI_OK;
}

/* ---- changes ---- */

static void tell_change(const json_t *c)
{
    char at[CLOCK_TEXT_MAX];
    json_int_t rejected = json_integer_value(json_object_get(c, "rejected"));

    printf("%-5" JSON_INTEGER_FORMAT " %s %s %s",
           json_integer_value(json_object_get(c, "id")), time_of(c, "at_ms", at),
           cli_text(c, "kind"), cli_text(c, "what"));
    if (*cli_text(c, "subject"))
        printf(" %s", cli_text(c, "subject"));
    printf(" (%s, by %s)", cli_text(c, "source"), cli_text(c, "by_user"));
    if (strcmp(cli_text(c, "what"), "imported") == 0)
        printf(": %" JSON_INTEGER_FORMAT " rows",
               json_integer_value(json_object_get(c, "rows")));
    if (rejected)
        printf(", %" JSON_INTEGER_FORMAT " rejected", rejected);
    if (!json_integer_value(json_object_get(c, "finished_ms")))
        printf(", cut off: run it again");
    printf("%s%s\n", *cli_text(c, "note") ? ": " : "", cli_text(c, "note"));
}

static int changes(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"kind", required_argument, NULL, 'k'}, {"json", no_argument, NULL, 'j'}, {0}};
    const char *kind = NULL;
    json_t *all = NULL, *row = NULL;
    bool json = false;
    size_t i = 0;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'k')
            kind = optarg;
        json |= o == 'j';
    }
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (fact_change_list(cli->pg, cli->tenant_id, kind, CHANGES_SHOWN, &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (json)
        return cli_print_json(all);
    json_array_foreach(all, i, row)
    {
        tell_change(row);
    }
    if (i == 0)
        puts("no changes");
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"import",
     "FILE.csv|- --kind wash|line-type|reassigned|place [--list NAME] [--checked TIME]\n"
     "                  [--valid-days N] [--region ET] [--rejects FILE] [--encoding E] "
     "[--delimiter C]\n"
     "                  [--dry-run] [--json]",
     "What a service answered about numbers, from a CSV file whose first line names the "
     "columns.\n"
     "  wash        phone, hit (yes or no), [list, checked_at, expires_at]: on a "
     "register or not\n"
     "  line-type   phone, line (mobile, fixed, voip), [checked_at]\n"
     "  reassigned  phone, answer (yes, no, no_data), [checked_at]\n"
     "  place       phone, [region US-CA, zone, confirmed, said_at]: where the person "
     "lives;\n"
     "              confirmed: the person said so, and only this zone counts\n"
     "--list, --checked and --valid-days stand in for columns the file lacks. The newest "
     "answer\n"
     "counts, whatever the order of the files; it acts at once. Running a file twice "
     "changes nothing.",
     "furrow facts import answers.csv --kind wash --list us.wash --checked 2026-11-20 "
     "--valid-days 30",
     cmd_facts_import},
    {"show", "NUMBER [--region ET] [--json]",
     "All that is on file of a number, and the change it came with.",
     "furrow facts show +251911223344", show},
    {"changes", "[--kind KIND] [--json]",
     "Who brought in or changed what: imports, registrations, emergency orders; newest "
     "first.",
     "furrow facts changes --kind wash", changes},
};

const struct cli_group cmd_facts = {
    "facts", "washes, line types, reassigned numbers, places", verbs, ARRAY_LEN(verbs)};
