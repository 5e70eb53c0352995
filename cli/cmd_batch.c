/* furrow batch - the ledger of batches: commands, what is in it, its settings. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/batch_view_store.h"
#include "batches/command_store.h"
#include "batches/nlu_grammar.h"
#include "batches/token.h"
#include "batches/verification_store.h"
#include "cli/groups.h"
#include "contacts/phone.h"

enum { LIST_DEFAULT = 50, LIST_MAX = 10000 };

struct batch_options {
    const char *key, *prefix, *latitude, *longitude, *word, *language;
    int64_t phone, limit;
    int registered_only, location_needed, tell_cooperative; /* -1: not said */
    bool renew, json;
};

static const struct option options[] = {
    {"phone", required_argument, NULL, 'p'},
    {"key", required_argument, NULL, 'k'},
    {"language", required_argument, NULL, 'g'},
    {"limit", required_argument, NULL, 'l'},
    {"prefix", required_argument, NULL, 'x'},
    {"latitude", required_argument, NULL, 'a'},
    {"longitude", required_argument, NULL, 'o'},
    {"registered-only", required_argument, NULL, 'r'},
    {"location-needed", required_argument, NULL, 'n'},
    {"tell-cooperative", required_argument, NULL, 'c'},
    {"renew", no_argument, NULL, 'e'},
    {"json", no_argument, NULL, 'j'},
    {0}};

static int read_phone(const char *text, int64_t *out)
{
    struct phone phone;
    enum phone_error error = phone_parse(text, strlen(text), NULL, &phone);

    if (error != PHONE_VALID && error != PHONE_INVALID)
        return cli_usage("'%s' is no number: %s", text, phone_error_hint(error));
    *out = phone.e164;
    return CLI_OK;
}

static int read_yes(const char *name, const char *text, int *out)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return cli_usage("--%s is yes or no, not '%s'", name, text);
    *out = text[0] == 'y';
    return CLI_OK;
}

static int take(struct batch_options *c, int o)
{
    switch (o) {
    case 'p':
        return read_phone(optarg, &c->phone);
    case 'l':
        return str_to_i64(optarg, &c->limit) && c->limit > 0 && c->limit <= LIST_MAX
                   ? CLI_OK
                   : cli_usage("--limit is a number from 1 to %d", LIST_MAX);
    case 'r':
        return read_yes("registered-only", optarg, &c->registered_only);
    case 'n':
        return read_yes("location-needed", optarg, &c->location_needed);
    case 'c':
        return read_yes("tell-cooperative", optarg, &c->tell_cooperative);
    case 'k':
        c->key = optarg;
        break;
    case 'g':
        c->language = optarg;
        break;
    case 'x':
        c->prefix = optarg;
        break;
    case 'a':
        c->latitude = optarg;
        break;
    case 'o':
        c->longitude = optarg;
        break;
    case 'e':
        c->renew = true;
        break;
    default:
        c->json = true;
        break;
    }
    return CLI_OK;
}

/* allowed: the letters of the options that the verb takes. */
static int parse(struct batch_options *c, int argc, char **argv, const char *allowed,
                 int words)
{
    *c = (struct batch_options){.limit = LIST_DEFAULT,
                                .registered_only = -1,
                                .location_needed = -1,
                                .tell_cooperative = -1};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (!strchr(allowed, o))
            return cli_usage("it takes no such option; see '%s --help'", argv[0]);
        int code = take(c, o);
        if (code)
            return code;
    }
    if (argc - optind > words)
        return cli_usage("unexpected argument '%s'", argv[optind + words]);
    c->word = optind < argc ? argv[optind] : NULL;
    return CLI_OK;
}

/* --- command ----------------------------------------------------------------------- */

static int print_answer(struct cli *cli, const struct command_result *r, bool json)
{
    json_t *answer = NULL;

    if (command_answer(cli->pg, cli->tenant_id, &r->id, &answer))
        return cli_fail("%s", pg_error(cli->pg));
    if (json)
        return cli_print_json(answer);
    printf("%s\n", cli_text(answer, "message"));
    printf("batch   %s\n", cli_text(answer, "batch_id"));
    if (*cli_text(answer, "gtin"))
        printf("gtin    %s\n", cli_text(answer, "gtin"));
    for (size_t i = 0; i < r->batch.lot_count; i++)
        printf("  %s  %.10g kg\n", r->batch.lots[i].batch_id, r->batch.lots[i].kg);
    if (*r->batch.sscc)
        printf("sscc    %s\n", r->batch.sscc);
    if (r->new_batch)
        printf("verify  %s\n", r->token);
    json_decref(answer);
    return CLI_OK;
}

static int print_result(struct cli *cli, const struct command_result *r, bool json)
{
    char why[REFUSAL_TEXT_MAX];

    if (!r->fresh || r->state == COMMAND_DONE) {
        if (!r->fresh)
            fprintf(stderr, "furrow: a command with this key was done before\n");
        return print_answer(cli, r, json);
    }
    if (r->state == COMMAND_REGISTERED) {
        puts(r->approved ? "registered and approved"
                         : "registered; 'furrow caller approve' lets them in");
        return CLI_OK;
    }
    refusal_text(&r->why, "en", why);
    if (r->state == COMMAND_ASKS)
        return cli_fail("%s. %s Answer with 'furrow batch command \"…\"' and the same "
                        "--phone within 5 minutes.",
                        why, refusal_question(r->why.lacks[0], "en"));
    return cli_fail("%s", why);
}

static int command(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct command_result *r = xcalloc(1, sizeof(*r));
    CLEANUP(free_cleanup) struct understanding *u = xcalloc(1, sizeof(*u));
    struct batch_options c;
    char key[UUID_TEXT_MAX];

    int code = parse(&c, argc, argv, "pkgj", 1);
    if (!code && !c.word)
        code = cli_usage("which command? e.g. \"/commission 5 bags Yirgacheffe Abebe\"");
    if (!code && strlen(c.word) > COMMAND_TEXT_MAX)
        code = cli_usage("a command is at most %d bytes", COMMAND_TEXT_MAX);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int64_t now = clock_now_ms();
    struct uuid own = uuid_v7(now);
    nlu_grammar_understand(u, c.word);
    const struct command_in in = {.source = "cli",
                                  .key = c.key ? c.key : uuid_text(&own, key),
                                  .phone = c.phone,
                                  .language = c.language ? c.language : "en",
                                  .text = c.word,
                                  .u = u,
                                  .said_ms = now};
    if (command_run(cli->pg, cli->tenant_id, &in, now, r))
        return cli_fail("%s", pg_error(cli->pg));
    return print_result(cli, r, c.json);
}

/* --- what is in it ----------------------------------------------------------------- */

static int list(struct cli *cli, int argc, char **argv)
{
    struct batch_options c;
    json_t *all = NULL, *row = NULL;
    size_t i = 0;

    int code = parse(&c, argc, argv, "plj", 0);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (batch_list(cli->pg, cli->tenant_id, c.phone, (int)c.limit, &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(all);
    json_array_foreach(all, i, row) printf(
        "%6lld  %-44s %10.10g kg  %-20s %s%s%s\n",
        (long long)json_integer_value(json_object_get(row, "number")),
        cli_text(row, "batch_id"), json_number_value(json_object_get(row, "quantity_kg")),
        cli_text(row, "status"), cli_text(row, "gtin"),
        *cli_text(row, "container") ? "  in " : "", cli_text(row, "container"));
    if (i == 0)
        puts("no batches");
    json_decref(all);
    return CLI_OK;
}

static int named(struct cli *cli, struct batch_options *c, int argc, char **argv,
                 const char *allowed)
{
    int code = parse(c, argc, argv, allowed, 1);

    if (!code && !c->word)
        code = cli_usage("which batch? Its ID, GTIN, batch number or number");
    return code ? code : cli_open_pg(cli);
}

static int no_batch(struct cli *cli, int err, const char *name)
{
    if (err == ENOENT)
        return cli_fail("there is no batch '%s'; 'furrow batch list' has them", name);
    return cli_fail("%s", pg_error(cli->pg));
}

static void print_member(const char *name, const json_t *value)
{
    CLEANUP(free_cleanup)
    char *text = json_is_string(value)
                     ? xstrdup(json_string_value(value))
                     : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));

    if (!json_is_null(value))
        printf("%-24s %s\n", name, text);
}

static int show(struct cli *cli, int argc, char **argv)
{
    json_t *batch = NULL, *value = NULL, *event = NULL;
    struct batch_options c;
    const char *name = NULL;
    size_t i = 0;

    int code = named(cli, &c, argc, argv, "j");
    if (code)
        return code;
    int err = batch_show(cli->pg, cli->tenant_id, c.word, &batch);
    if (err)
        return no_batch(cli, err, c.word);
    if (c.json)
        return cli_print_json(batch);
    json_object_foreach(batch, name, value) if (strcmp(name, "events") != 0)
        print_member(name, value);
    json_array_foreach(json_object_get(batch, "events"), i, event)
        printf("event %s  %-14s %s\n", cli_text(event, "event_time"),
               cli_text(event, "biz_step"), cli_text(event, "event_hash"));
    json_decref(batch);
    return CLI_OK;
}

static int link_to(struct cli *cli, int argc, char **argv)
{
    struct verification_link found = {0};
    char link[400], at[CLOCK_TEXT_MAX];
    struct batch_options c;

    int code = named(cli, &c, argc, argv, "ej");
    if (code)
        return code;
    int err = verification_link(cli->pg, cli->tenant_id, c.word, c.renew, clock_now_ms(),
                                &found);
    if (err == EEXIST)
        return cli_fail(
            "the batch is verified already; 'furrow batch show' says by whom");
    if (err == ENODATA)
        return cli_fail("the batch has no token; --renew gives it one");
    if (err)
        return no_batch(cli, err, c.word);
    verification_url(cli->config.common.public_url,
                     cli->config.common.voice_ledger_public_url, found.token, link,
                     sizeof(link));
    if (c.json)
        return cli_print_json(json_pack("{s:s, s:s, s:I}", "token", found.token, "link",
                                        link, "expires_ms",
                                        (json_int_t)found.expires_ms));
    printf("%s\nuntil %s%s\n", link, clock_text(found.expires_ms, at),
           found.expires_ms <= clock_now_ms() ? ", which is over: --renew makes a new one"
                                              : "");
    return CLI_OK;
}

static int events(struct cli *cli, int argc, char **argv)
{
    struct batch_options c;
    json_t *all = NULL, *row = NULL;
    size_t i = 0;

    int code = parse(&c, argc, argv, "lj", 1);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = batch_events(cli->pg, cli->tenant_id, c.word, (int)c.limit, &all);
    if (err)
        return no_batch(cli, err, c.word ? c.word : "");
    if (c.json)
        return cli_print_json(all);
    json_array_foreach(all, i, row)
    {
        const json_t *e = json_object_get(row, "event");
        printf("%s  %-20s %-14s %s\n", cli_text(e, "eventTime"), cli_text(e, "type"),
               cli_text(e, "bizStep"), cli_text(row, "event_hash"));
    }
    if (i == 0)
        puts("no events");
    json_decref(all);
    return CLI_OK;
}

/* --- settings ---------------------------------------------------------------------- */

static int change(struct cli *cli, const struct batch_options *c, struct ledger *l)
{
    int err = pg_begin(cli->pg, cli->tenant_id);

    if (!err)
        err = ledger_open(cli->pg, cli->tenant_id, l);
    if (!err && c->prefix)
        str_cut(l->prefix, sizeof(l->prefix), c->prefix);
    if (c->registered_only >= 0)
        l->registered_only = c->registered_only;
    if (c->location_needed >= 0)
        l->location_needed = c->location_needed;
    if (c->tell_cooperative >= 0)
        l->tell_cooperative = c->tell_cooperative;
    if (!err)
        err = ledger_change(cli->pg, cli->tenant_id, l);
    return pg_end(cli->pg, err);
}

static int settings(struct cli *cli, int argc, char **argv)
{
    struct batch_options c;
    struct ledger l = {0};

    int code = parse(&c, argc, argv, "xrncj", 0);
    if (!code && c.prefix && !gs1_prefix_is_sound(c.prefix))
        code = cli_usage("'%s' is no GS1 company prefix: 6 to 12 digits, e.g. 0614141",
                         c.prefix);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (change(cli, &c, &l))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(json_pack("{s:s, s:b, s:b, s:b}", "gs1_prefix", l.prefix,
                                        "registered_only", (int)l.registered_only,
                                        "location_needed", (int)l.location_needed,
                                        "tell_cooperative", (int)l.tell_cooperative));
    printf("GS1 company prefix %s\nspeech of registered numbers only: %s\ncoordinates of "
           "the farm needed: %s\nmanagers are told of their members' batches: %s\n",
           l.prefix, l.registered_only ? "yes" : "no", l.location_needed ? "yes" : "no",
           l.tell_cooperative ? "yes" : "no");
    return CLI_OK;
}

static bool read_degrees(const char *text, double most, double *out)
{
    char *end = NULL;

    *out = text ? strtod(text, &end) : 0;
    return text && end != text && !*end && *out >= -most && *out <= most;
}

static int locate(struct cli *cli, const char *name, double latitude, double longitude,
                  struct place *p)
{
    struct ledger l = {0};
    int err = pg_begin(cli->pg, cli->tenant_id);

    if (!err)
        err = ledger_open(cli->pg, cli->tenant_id, &l);
    if (!err)
        err = place_take(cli->pg, &l, true, name, clock_now_ms(), p);
    if (!err)
        err = place_locate(cli->pg, p, latitude, longitude);
    return pg_end(cli->pg, err);
}

static int farm(struct cli *cli, int argc, char **argv)
{
    enum { POLE = 90, DATE_LINE = 180 };
    struct place p = {0};
    struct batch_options c;
    double latitude = 0, longitude = 0;

    int code = parse(&c, argc, argv, "ao", 1);
    if (!code && (!c.word || !*c.word || strlen(c.word) >= ENTITY_MAX))
        code = cli_usage("whose farm? The name as it is said, e.g. Abebe");
    if (!code && (!read_degrees(c.latitude, POLE, &latitude) ||
                  !read_degrees(c.longitude, DATE_LINE, &longitude)))
        code = cli_usage("--latitude and --longitude are degrees, e.g. 6.41 and 38.31");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = locate(cli, c.word, latitude, longitude, &p);
    if (err == ERANGE)
        return cli_fail("the company prefix has no numbers left for places");
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    printf("farm of %s at %.6g, %.6g: GLN %s\n", c.word, latitude, longitude, p.gln);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "command",
     .arguments = "TEXT [--phone NUMBER] [--key KEY] [--json]",
     .about =
         "Do a command, typed or in words, and tell what became of it.\n\n"
         "  /commission <quantity>[unit] <variety> <origin>   a new batch; kg without a "
         "unit\n"
         "  /ship <batch> <destination>\n"
         "  /receive <batch> [condition]\n"
         "  /transform <batch> <type> <kg>                    what came out of it\n"
         "  /pack <batch> <batch>... <container>\n"
         "  /unpack <container>\n"
         "  /split <batch> <kg> <kg>... [destinations]\n\n"
         "  --phone NUMBER   whose command it is\n"
         "  --key KEY        the same key again does nothing new",
     .example = "furrow batch command \"/commission 5 bags Yirgacheffe Abebe\" --phone "
                "+251911234567",
     .run = command},
    {.name = "list",
     .arguments = "[--phone NUMBER] [--limit N] [--json]",
     .about = "Show batches, the newest first.",
     .example = "furrow batch list --limit 10",
     .run = list},
    {.name = "show",
     .arguments = "BATCH [--json]",
     .about = "Show one batch by its ID, GTIN, batch number or number: where it is from, "
              "what became of it, its events.",
     .example = "furrow batch show 17",
     .run = show},
    {.name = "link",
     .arguments = "BATCH [--renew] [--json]",
     .about = "Show the address under which a batch is verified, for whom that may.\n\n"
              "  --renew   a new one for 48 hours; the old one is nothing any more",
     .example = "furrow batch link 17",
     .run = link_to},
    {.name = "events",
     .arguments = "[BATCH] [--limit N] [--json]",
     .about = "Show EPCIS events, of one batch or the newest of all; --json has them "
              "whole, as EPCIS 2.0 JSON-LD with their hashes.",
     .example = "furrow batch events 17 --json",
     .run = events},
    {.name = "settings",
     .arguments = "[--prefix DIGITS] [--registered-only yes|no] [--location-needed "
                  "yes|no] [--tell-cooperative yes|no] [--json]",
     .about =
         "Show or change what holds for all commands.\n\n"
         "  --prefix DIGITS          your GS1 company prefix; numbers given out stay\n"
         "  --registered-only yes    refuse speech of numbers that are not registered "
         "and approved\n"
         "  --location-needed yes    refuse new batches of farms whose coordinates "
         "are not known\n"
         "  --tell-cooperative yes   an SMS with each new batch and its link to the "
         "managers of the\n"
         "                           organization that its caller is registered with",
     .example = "furrow batch settings --prefix 0614141 --location-needed yes",
     .run = settings},
    {.name = "farm",
     .arguments = "NAME --latitude DEGREES --longitude DEGREES",
     .about = "Say where a farm lies; the name is the farmer's or the origin as it is "
              "said.",
     .example = "furrow batch farm Abebe --latitude 6.41 --longitude 38.31",
     .run = farm},
};

const struct cli_group cmd_batch = {.name = "batch",
                                    .about = "the ledger of batches: commands, events",
                                    .verbs = verbs,
                                    .verb_count = ARRAY_LEN(verbs)};
