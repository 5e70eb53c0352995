/* furrow caller - who may give commands: registration, approval, roles. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "batches/caller_store.h"
#include "cli/fact_import.h"
#include "cli/groups.h"
#include "contacts/phone.h"

struct caller_options {
    struct caller_new person;
    const char *role, *reason, *state, *number;
    bool approve, json;
};

static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                        {"role", required_argument, NULL, 'r'},
                                        {"organization", required_argument, NULL, 'o'},
                                        {"location", required_argument, NULL, 'l'},
                                        {"language", required_argument, NULL, 'g'},
                                        {"reason", required_argument, NULL, 'w'},
                                        {"telegram-id", required_argument, NULL, 't'},
                                        {"state", required_argument, NULL, 's'},
                                        {"approve", no_argument, NULL, 'a'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static const char **text_of(struct caller_options *c, int o)
{
    switch (o) {
    case 'n':
        return &c->person.name;
    case 'r':
        return &c->role;
    case 'o':
        return &c->person.organization;
    case 'l':
        return &c->person.location;
    case 'g':
        return &c->person.language;
    case 'w':
        return &c->reason;
    case 't':
        return &c->person.telegram_user_id;
    default:
        return &c->state;
    }
}

static int parse(struct caller_options *c, int argc, char **argv, const char *allowed,
                 int words)
{
    *c = (struct caller_options){.person = {.name = "",
                                            .organization = "",
                                            .location = "",
                                            .language = "",
                                            .telegram_user_id = ""},
                                 .role = "farmer",
                                 .reason = ""};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (!strchr(allowed, o))
            return cli_usage("it takes no such option; see '%s --help'", argv[0]);
        if (o == 'a')
            c->approve = true;
        else if (o == 'j')
            c->json = true;
        else
            *text_of(c, o) = optarg;
    }
    if (argc - optind > words)
        return cli_usage("unexpected argument '%s'", argv[optind + words]);
    c->number = optind < argc ? argv[optind] : NULL;
    return CLI_OK;
}

static int read_number(struct caller_options *c)
{
    struct phone phone;

    if (!c->number)
        return cli_usage("which number? e.g. +251911234567");
    enum phone_error error = phone_parse(c->number, strlen(c->number), NULL, &phone);
    if (error != PHONE_VALID && error != PHONE_INVALID)
        return cli_usage("'%s' is no number: %s", c->number, phone_error_hint(error));
    c->person.phone = phone.e164;
    return CLI_OK;
}

static int check_person(struct caller_options *c)
{
    if (!*c->person.name)
        return cli_usage("--name says who it is");
    if (!caller_role_parse(c->role, &c->person.role))
        return cli_usage("there is no role '%s'; there are farmer, cooperative_manager, "
                         "exporter, buyer, admin",
                         c->role);
    c->person.reason = c->reason;
    return CLI_OK;
}

static int review(struct cli *cli, int64_t id, bool approve, bool tell, const char *note)
{
    const struct caller_decision d = {.approve = approve,
                                      .tell = tell,
                                      .by = cli_user(),
                                      .note = note,
                                      .at_ms = clock_now_ms()};
    int err = caller_decide(cli->pg, cli->tenant_id, id, &d);

    return err && err != EALREADY ? cli_fail("%s", pg_error(cli->pg)) : CLI_OK;
}

static int add(struct cli *cli, int argc, char **argv)
{
    struct caller_options c;
    char masked[PHONE_TEXT_MAX];
    int64_t id = 0;

    int code = parse(&c, argc, argv, "nrolgwtaj", 1);
    if (!code)
        code = read_number(&c);
    if (!code)
        code = check_person(&c);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = caller_register(cli->pg, cli->tenant_id, &c.person, clock_now_ms(), &id);
    if (err == EEXIST)
        return cli_fail(
            "that number or telegram id is registered already; 'furrow caller "
            "list' has them");
    if (err == EINVAL)
        return cli_fail("a language is en, am or om, and names are at most 159 bytes");
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (c.approve)
        code = review(cli, id, true, false, "");
    if (code)
        return code;
    if (c.json)
        return cli_print_json(json_pack("{s:I, s:s}", "id", (json_int_t)id, "state",
                                        c.approve ? "approved" : "pending"));
    printf("%s is registered as %s%s\n", phone_text(c.person.phone, masked),
           caller_role_name(c.person.role),
           c.approve ? " and approved" : "; 'furrow caller approve' lets them in");
    return CLI_OK;
}

static int decide(struct cli *cli, int argc, char **argv, bool approve)
{
    struct caller_options c;
    struct caller who = {0};

    int code = parse(&c, argc, argv, approve ? "" : "w", 1);
    if (!code)
        code = read_number(&c);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (caller_find(cli->pg, cli->tenant_id, c.person.phone, &who))
        return cli_fail("%s", pg_error(cli->pg));
    if (!who.id)
        return cli_fail("%s is not registered; 'furrow caller add' does that", c.number);
    code = review(cli, who.id, approve, true, c.reason);
    if (!code)
        printf("%s: %s\n", who.name, approve ? "approved" : "rejected");
    return code;
}

static int approve(struct cli *cli, int argc, char **argv)
{
    return decide(cli, argc, argv, true);
}

static int reject(struct cli *cli, int argc, char **argv)
{
    return decide(cli, argc, argv, false);
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct caller_options c;
    json_t *all = NULL, *row = NULL;
    size_t i = 0;

    int code = parse(&c, argc, argv, "sj", 0);
    if (!code && c.state && !str_is(c.state, "pending") && !str_is(c.state, "approved") &&
        !str_is(c.state, "rejected"))
        code = cli_usage("--state is pending, approved or rejected");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (caller_list(cli->pg, cli->tenant_id, c.state, &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(all);
    json_array_foreach(all, i, row) printf(
        "%-16s %-9s %-20s %-2s %s%s%s\n", cli_text(row, "phone"), cli_text(row, "state"),
        cli_text(row, "role"), cli_text(row, "language"), cli_text(row, "name"),
        *cli_text(row, "organization") ? ", " : "", cli_text(row, "organization"));
    if (i == 0)
        puts("nobody is registered");
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "add",
     .arguments = "NUMBER --name NAME [--role ROLE] [--organization NAME] [--location "
                  "TEXT] [--language en|am|om] [--reason TEXT] [--telegram-id ID] "
                  "[--approve] [--json]",
     .about = "Register who may call or write; without --approve they wait for "
              "approval.\n\n"
              "  --role ROLE   farmer (usual), cooperative_manager, exporter, buyer or "
              "admin; all but\n"
              "                farmer and buyer may verify batches",
     .example = "furrow caller add +251911234567 --name \"Abebe Kebede\" --language am "
                "--approve",
     .run = add},
    {.name = "list",
     .arguments = "[--state pending|approved|rejected] [--json]",
     .about = "Show who is registered.",
     .example = "furrow caller list --state pending",
     .run = list},
    {.name = "approve",
     .arguments = "NUMBER",
     .about = "Let somebody in who is registered; they are told by SMS.",
     .example = "furrow caller approve +251911234567",
     .run = approve},
    {.name = "reject",
     .arguments = "NUMBER [--reason TEXT]",
     .about = "Refuse a registration, or shut somebody out; they may register again.",
     .example = "furrow caller reject +251911234567 --reason \"no member\"",
     .run = reject},
};

const struct cli_group cmd_caller = {.name = "caller",
                                     .about = "who may give commands about batches",
                                     .verbs = verbs,
                                     .verb_count = ARRAY_LEN(verbs)};
