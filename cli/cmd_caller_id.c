/* furrow caller-id - the numbers that calls show, in pools. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/caller_id_store.h"
#include "cli/groups.h"
#include "contacts/phone.h"

enum { NUMBERS_MAX = 1000, HOURS_MAX = 24 * 365, CAP_MAX = 1000000, DAYS_MAX = 90 };

struct arguments {
    const char *pool, *reason;
    int64_t daily, hours, days;
    bool json;
    int64_t numbers[NUMBERS_MAX];
    size_t n;
};

static int read_number(struct arguments *a, const char *text)
{
    struct phone phone = {0};
    enum phone_error error = phone_parse(text, strlen(text), NULL, &phone);

    if (error != PHONE_VALID && error != PHONE_INVALID)
        return cli_usage("'%s' is no number with its country code: %s", text,
                         error == PHONE_UNKNOWN_COUNTRY
                             ? "write it with + and the country code, e.g. +251911234567"
                             : phone_error_hint(error));
    if (a->n == NUMBERS_MAX)
        return cli_usage("at most %d numbers at once", NUMBERS_MAX);
    a->numbers[a->n++] = phone.e164;
    return CLI_OK;
}

static int read_count(const char *option, const char *text, int64_t least, int64_t most,
                      int64_t *out)
{
    if (str_to_i64(text, out) && *out >= least && *out <= most)
        return CLI_OK;
    return cli_usage("--%s wants a number from %" PRId64 " to %" PRId64 ", got '%s'",
                     option, least, most, text);
}

/* accepts: letters of the options this verb has. */
static int parse(struct arguments *a, const char *accepts, int argc, char **argv)
{
    static const struct option options[] = {{"pool", required_argument, NULL, 'p'},
                                            {"daily", required_argument, NULL, 'd'},
                                            {"hours", required_argument, NULL, 'h'},
                                            {"days", required_argument, NULL, 'y'},
                                            {"reason", required_argument, NULL, 'r'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    int index = 0, code = CLI_OK;

    for (int o; !code && (o = getopt_long(argc, argv, "", options, &index)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (!strchr(accepts, o))
            return cli_usage("there is no --%s here", options[index].name);
        a->json |= o == 'j';
        if (o == 'p')
            a->pool = optarg;
        if (o == 'r')
            a->reason = optarg;
        if (o == 'd')
            code = read_count("daily", optarg, 1, CAP_MAX, &a->daily);
        if (o == 'h')
            code = read_count("hours", optarg, 1, HOURS_MAX, &a->hours);
        if (o == 'y')
            code = read_count("days", optarg, 1, DAYS_MAX, &a->days);
    }
    for (; !code && optind < argc; optind++)
        code = read_number(a, argv[optind]);
    return code;
}

static int open_numbers(struct cli *cli, struct arguments *a, const char *accepts,
                        int argc, char **argv)
{
    int code = parse(a, accepts, argc, argv);

    if (!code && a->n == 0)
        code = cli_usage("which number? e.g. +12125550100");
    return code ? code : cli_open_pg(cli);
}

static int not_there(const struct cli *cli, int err, int64_t phone, const char *what)
{
    char text[PHONE_TEXT_MAX];

    if (err == ENOENT)
        return cli_fail("%s %s; 'furrow caller-id list' has them",
                        phone_text(phone, text), what);
    return cli_fail("%s", pg_error(cli->pg));
}

static int cmd_add(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct arguments *a = xcalloc(1, sizeof(*a));

    int code = open_numbers(cli, a, "pd", argc, argv);
    if (code)
        return code;
    if (!a->pool)
        return cli_usage("--pool names the pool, e.g. --pool us");
    for (size_t i = 0; i < a->n; i++) {
        char text[PHONE_TEXT_MAX];

        if (caller_id_add(cli->pg, cli->tenant_id, a->pool, a->numbers[i], (int)a->daily,
                          clock_now_ms()))
            return cli_fail("%s", strcmp(pg_sqlstate(cli->pg), "23514") == 0
                                      ? "a pool's name is letters, digits, '-', '_', '.'"
                                      : pg_error(cli->pg));
        printf("%s shows in pool '%s'", phone_text(a->numbers[i], text), a->pool);
        if (a->daily)
            printf(", at most %" PRId64 " calls in any 24 hours", a->daily);
        putchar('\n');
    }
    return CLI_OK;
}

/* ---- list, health ---- */

static void percent(int64_t part, int64_t of, char out[16])
{
    if (of > 0)
        snprintf(out, 16, "%.1f %%", 100.0 * (double)part / (double)of);
    else
        snprintf(out, 16, "-");
}

static json_t *row_to_json(const struct caller_id_row *row, int64_t now_ms)
{
    const struct caller_id *id = &row->id;
    char text[PHONE_TEXT_MAX], until[CLOCK_TEXT_MAX];
    bool held = id->held_until_ms > now_ms;

    return json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:b, s:s*, s:s}", "number",
                     phone_text(id->phone, text), "pool", row->pool, "daily",
                     id->daily_cap, "used_24h", id->used, "calls", (json_int_t)id->calls,
                     "answered", (json_int_t)id->answered, "short",
                     (json_int_t)id->shorts, "quarantined", held, "until",
                     held ? clock_text(id->held_until_ms, until) : NULL, "why",
                     held ? row->held_why : "");
}

static void print_state(const struct caller_id_row *row, int64_t now_ms)
{
    const struct caller_id *id = &row->id;
    char until[CLOCK_TEXT_MAX];

    if (id->held_until_ms > now_ms)
        printf("  QUARANTINE until %s: %s\n", clock_text(id->held_until_ms, until),
               row->held_why);
    else if (id->daily_cap && id->used >= id->daily_cap)
        printf("  spent, free again %s\n", clock_text(id->free_at_ms, until));
    else
        puts("  ready");
}

static void print_row(const struct caller_id_row *row, bool health, int64_t now_ms)
{
    const struct caller_id *id = &row->id;
    char text[PHONE_TEXT_MAX], cap[16] = "-", answered[16], shorts[16];

    if (id->daily_cap)
        snprintf(cap, sizeof(cap), "%d", id->daily_cap);
    printf("%-16s %-16s %6d of %-6s", phone_text(id->phone, text), row->pool, id->used,
           cap);
    if (health) {
        percent(id->answered, id->calls, answered);
        percent(id->shorts, id->answered, shorts);
        printf(" %7" PRId64 " calls %8s answered %8s short", id->calls, answered, shorts);
    }
    print_state(row, now_ms);
}

static int show(struct cli *cli, bool health, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct arguments *a = xcalloc(1, sizeof(*a));
    CLEANUP(free_cleanup) struct caller_id_row *rows = NULL;
    struct caller_id_rule usual;
    int64_t now_ms = clock_now_ms();
    size_t n = 0;

    caller_id_rule_default(&usual);
    a->days = usual.days;
    int code = parse(a, health ? "pyj" : "pj", argc, argv);
    if (!code && a->n > 0)
        return cli_usage("all numbers are shown, or those of a --pool");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (caller_id_list(cli->pg, cli->tenant_id, a->pool, (int)a->days, now_ms, &rows, &n))
        return cli_fail("%s", pg_error(cli->pg));
    if (a->json) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, row_to_json(&rows[i], now_ms));
        return cli_print_json(list);
    }
    if (n == 0)
        fprintf(stderr, "no numbers%s%s\n",
                a->pool ? " in pool "
                        : "; 'furrow caller-id "
                          "add' brings them in",
                a->pool ? a->pool : "");
    for (size_t i = 0; i < n; i++)
        print_row(&rows[i], health, now_ms);
    return CLI_OK;
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    return show(cli, false, argc, argv);
}

static int cmd_health(struct cli *cli, int argc, char **argv)
{
    return show(cli, true, argc, argv);
}

/* ---- quarantine ---- */

static int cmd_hold(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct arguments *a = xcalloc(1, sizeof(*a));
    char text[PHONE_TEXT_MAX], until[CLOCK_TEXT_MAX];

    a->hours = 24;
    int code = open_numbers(cli, a, "hr", argc, argv);
    for (size_t i = 0; !code && i < a->n; i++) {
        int64_t until_ms = clock_now_ms() + a->hours * INT64_C(3600000);
        int err = caller_id_hold(cli->pg, cli->tenant_id, a->numbers[i], until_ms,
                                 a->reason ? a->reason : "by hand");
        if (err)
            return not_there(cli, err, a->numbers[i], "is in no pool");
        printf("%s rests until %s\n", phone_text(a->numbers[i], text),
               clock_text(until_ms, until));
    }
    return code;
}

static int cmd_release(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct arguments *a = xcalloc(1, sizeof(*a));
    char text[PHONE_TEXT_MAX];

    int code = open_numbers(cli, a, "", argc, argv);
    for (size_t i = 0; !code && i < a->n; i++) {
        int err =
            caller_id_release(cli->pg, cli->tenant_id, a->numbers[i], clock_now_ms());
        if (err)
            return not_there(cli, err, a->numbers[i], "is not in quarantine");
        printf("%s shows again; its health is counted from now on\n",
               phone_text(a->numbers[i], text));
    }
    return code;
}

static int cmd_remove(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct arguments *a = xcalloc(1, sizeof(*a));
    char text[PHONE_TEXT_MAX];

    int code = open_numbers(cli, a, "", argc, argv);
    for (size_t i = 0; !code && i < a->n; i++) {
        int err = caller_id_remove(cli->pg, cli->tenant_id, a->numbers[i]);
        if (err)
            return not_there(cli, err, a->numbers[i], "is in no pool");
        printf("%s removed\n", phone_text(a->numbers[i], text));
    }
    return code;
}

static const struct cli_verb verbs[] = {
    {"add", "NUMBER [NUMBER …] --pool NAME [--daily N]",
     "Put numbers into a pool that campaigns name in 'caller_ids'. --daily: at most N "
     "calls in\nany 24 hours show it. Added again, a number changes its pool and cap.",
     "furrow caller-id add +12125550100 +13055550100 --pool us --daily 200", cmd_add},
    {"list", "[--pool NAME] [--json]",
     "Show the numbers, how often they showed in the last 24 hours, and which may not.",
     "furrow caller-id list --pool us", cmd_list},
    {"health", "[--pool NAME] [--days N] [--json]",
     "Show how the calls of each number ended: answered, and over within six seconds "
     "(7 days).",
     "furrow caller-id health --pool us", cmd_health},
    {"hold", "NUMBER [NUMBER …] [--hours N] [--reason TEXT]",
     "Put numbers into quarantine for N hours (24): no call shows them.",
     "furrow caller-id hold +12125550100 --hours 72 --reason 'marked as spam'", cmd_hold},
    {"release", "NUMBER [NUMBER …]",
     "End a quarantine before its time. The calls that led to it count no more.",
     "furrow caller-id release +12125550100", cmd_release},
    {"remove", "NUMBER [NUMBER …]", "Take numbers out of their pools.",
     "furrow caller-id remove +12125550100", cmd_remove},
};

const struct cli_group cmd_caller_id = {"caller-id", "the numbers that calls show", verbs,
                                        ARRAY_LEN(verbs)};
