/*
 * furrow agent: add, remove, login, logout, pause, resume, list, abandonment - the people
 * who talk to those that campaigns call.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store.h"
#include "campaigns/campaign_store.h"
#include "cli/groups.h"

enum { WRAP_UP_MAX_S = 3600, PPM_A_PERCENT = 10000 };

static int copy(char *to, size_t size, const char *what, const char *value)
{
    return str_copy(to, size, value) ? cli_usage("%s is too long: '%.80s'", what, value)
                                     : CLI_OK;
}

static int read_option(struct agent_row *row, int o)
{
    int64_t seconds = 0;

    switch (o) {
    case 'e':
        return copy(row->extension, sizeof(row->extension), "an extension", optarg);
    case 'q':
        return copy(row->queue, sizeof(row->queue), "a queue's name", optarg);
    case 'c':
        row->confirm = true;
        return CLI_OK;
    case 'w':
        if (!str_to_i64(optarg, &seconds) || seconds < 0 || seconds > WRAP_UP_MAX_S)
            return cli_usage("--wrap-up takes seconds, 0 to %d, not '%s'", WRAP_UP_MAX_S,
                             optarg);
        row->wrap_up_s = (int)seconds;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

static int cmd_add(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"extension", required_argument, NULL, 'e'},
                                            {"queue", required_argument, NULL, 'q'},
                                            {"wrap-up", required_argument, NULL, 'w'},
                                            {"confirm", no_argument, NULL, 'c'},
                                            {0}};
    struct agent_row row = {0};
    struct errtext e = {0};
    int code = CLI_OK;

    for (int o; !code && (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        code = read_option(&row, o);
    if (code)
        return code;
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "what is the agent's name?"
                                        : "one agent at a time");
    if (!row.extension[0] || !row.queue[0])
        return cli_usage("say where the phone rings with --extension NUMBER and in which "
                         "queue with --queue NAME");
    code = copy(row.name, sizeof(row.name), "the name", argv[optind]);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (agent_add(cli->pg, cli->tenant_id, &row, clock_now_ms(), &e))
        return cli_fail("%s", e.text);
    printf("%s: extension %s, queue '%s'; 'furrow agent login %s' when they are there\n",
           row.name, row.extension, row.queue, row.name);
    return CLI_OK;
}

static int cmd_remove(struct cli *cli, int argc, char **argv)
{
    struct errtext e = {0};

    if (argc != 2)
        return cli_usage(argc < 2 ? "which agent?" : "one agent at a time");
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (agent_remove(cli->pg, cli->tenant_id, argv[1], &e))
        return cli_fail("%s", e.text);
    printf("%s removed\n", argv[1]);
    return CLI_OK;
}

static int order(struct cli *cli, int argc, char **argv, enum agent_order order)
{
    struct agent_row row = {0};
    struct errtext e = {0};

    if (argc != 2)
        return cli_usage(argc < 2 ? "which agent?" : "one agent at a time");
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (agent_command(cli->pg, cli->tenant_id, argv[1], order, clock_now_ms(), &row, &e))
        return cli_fail("%s", e.text);
    if (row.after_call[0])
        printf("%s: %s once the call that is theirs is over\n", row.name, row.after_call);
    else
        printf("%s: %s\n", row.name, agent_state_name(row.state));
    return CLI_OK;
}

static int login_line(struct cli *cli, const char *name)
{
    struct agent_row row = {0};
    struct errtext e = {0};

    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (agent_login_line(cli->pg, cli->tenant_id, name, clock_now_ms(), &row, &e))
        return cli_fail("%s", e.text);
    printf(
        "%s: their phone rings within two seconds while a dialer with an Asterisk runs; "
        "calls come once it is answered\n",
        row.name);
    return CLI_OK;
}

static int cmd_login(struct cli *cli, int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "--line") == 0)
        return login_line(cli, argv[1]);
    if (argc == 3 && strcmp(argv[1], "--line") == 0)
        return login_line(cli, argv[2]);
    return order(cli, argc, argv, AGENT_LOGIN);
}

static int cmd_logout(struct cli *cli, int argc, char **argv)
{
    return order(cli, argc, argv, AGENT_LOGOUT);
}

static int cmd_pause(struct cli *cli, int argc, char **argv)
{
    return order(cli, argc, argv, AGENT_PAUSE);
}

static int cmd_resume(struct cli *cli, int argc, char **argv)
{
    return order(cli, argc, argv, AGENT_RESUME);
}

/* ---- list ---- */

static json_t *agent_json(const struct agent_row *x)
{
    char since[CLOCK_TEXT_MAX];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:b}", "name",
                     x->name, "extension", x->extension, "queue", x->queue, "state",
                     agent_state_name(x->state), "after_call", x->after_call, "note",
                     x->note, "since", clock_text(x->since_ms, since), "wrap_up_s",
                     x->wrap_up_s, "confirm", (int)x->confirm, "line", (int)x->line);
}

static void print_agent(const struct agent_row *x, int64_t now_ms)
{
    int64_t s = now_ms > x->since_ms ? (now_ms - x->since_ms) / 1000 : 0;

    printf("%-16s %-16s %-10s %-10s %3" PRId64 ":%02" PRId64 "%s%s%s%s\n", x->name,
           x->queue, x->extension, agent_state_name(x->state), s / 60, s % 60,
           x->after_call[0] ? ", then " : "", x->after_call, x->note[0] ? "   " : "",
           x->note[0] ? x->note
           : x->line  ? "   line open"
                      : "");
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"queue", required_argument, NULL, 'q'}, {"json", no_argument, NULL, 'j'}, {0}};
    CLEANUP(free_cleanup) struct agent_row *all = NULL;
    const char *queue = NULL;
    bool json = false;
    size_t n = 0;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'q')
            queue = optarg;
        else if (o == 'j')
            json = true;
        else
            return CLI_USAGE;
    }
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    int64_t now_ms = clock_now_ms();
    if (agent_list(cli->pg, cli->tenant_id, queue, now_ms, &all, &n))
        return cli_fail("%s", pg_error(cli->pg));
    if (json) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, agent_json(&all[i]));
        return cli_print_json(list);
    }
    if (n == 0 && queue)
        printf("no agents in queue '%s'\n", queue);
    else if (n == 0)
        puts("no agents; 'furrow agent add' makes one");
    else
        printf("%-16s %-16s %-10s %-10s %6s\n", "agent", "queue", "extension", "state",
               "for");
    for (size_t i = 0; i < n; i++)
        print_agent(&all[i], now_ms);
    return CLI_OK;
}

/* ---- abandonment ---- */

static const char *const period_texts[] = {"these 30 days", "today", "this month"};
_Static_assert(ARRAY_LEN(period_texts) == MODE_ANCHORS, "a text an anchor");

static json_t *limits_json(const char *name, const struct agent_limits *l)
{
    json_t *periods = json_array();

    for (int i = 0; i < MODE_ANCHORS; i++)
        json_array_append_new(periods,
                              json_pack("{s:s, s:I, s:I, s:I}", "period",
                                        mode_anchor_name((enum mode_anchor)i), "answered",
                                        (json_int_t)l->periods[i].answered, "abandoned",
                                        (json_int_t)l->periods[i].abandoned, "credit",
                                        (json_int_t)l->credit[i]));
    return json_pack("{s:s, s:s, s:s, s:i, s:I, s:o}", "campaign", name, "mode",
                     mode_kind_name(l->rules.kind), "queue", l->rules.queue, "limit_ppm",
                     l->rules.limit_ppm, "unbacked", (json_int_t)l->unbacked, "periods",
                     periods);
}

static void print_limits(const char *name, const struct agent_limits *l)
{
    printf("campaign '%s': %s, queue '%s', limit %.2f %%, %" PRId64
           " calls without an agent in flight\n",
           name, mode_kind_name(l->rules.kind), l->rules.queue,
           (double)l->rules.limit_ppm / PPM_A_PERCENT, l->unbacked);
    for (int i = 0; i < MODE_ANCHORS; i++) {
        const struct mode_period *p = &l->periods[i];

        printf("  %-14s %6" PRId64 " answered, %4" PRId64 " abandoned (%.2f %%)",
               period_texts[i], p->answered, p->abandoned,
               p->answered ? 100.0 * (double)p->abandoned / (double)p->answered : 0.0);
        if (l->rules.kind == MODE_RATIO || l->rules.kind == MODE_PREDICTIVE)
            printf(", %" PRId64 " may be in flight without an agent", l->credit[i]);
        putchar('\n');
    }
}

static int cmd_abandonment(struct cli *cli, int argc, char **argv)
{
    bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
    struct campaign_row row = {0};
    struct agent_limits limits;
    struct errtext e = {0};

    if (argc < 2 || (argc > 2 && !json))
        return argc < 2 ? cli_usage("which campaign?")
                        : cli_usage("unexpected argument '%s'", argv[2]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (campaign_find(cli->pg, cli->tenant_id, argv[1], &row, &e))
        return cli_fail("%s", e.text);
    if (agent_limits_load(cli->pg, cli->tenant_id, row.id, clock_now_ms(), &limits))
        return cli_fail("%s", pg_error(cli->pg));
    if (limits.rules.kind == MODE_FIXED)
        return cli_fail("campaign '%s' has no agents: its document has no 'mode' with a "
                        "queue",
                        row.name);
    if (json)
        return cli_print_json(limits_json(row.name, &limits));
    print_limits(row.name, &limits);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "add",
     .arguments = "NAME --extension NUMBER --queue QUEUE [--wrap-up SECONDS] [--confirm]",
     .about = "Make an agent, who is not logged in yet.\n\n"
              "  NAME                letters, digits, '-', '_' and '.'\n"
              "  --extension NUMBER  where the phone rings, as the switch knows it\n"
              "  --queue QUEUE       whose calls they take: a campaign's mode, or a "
              "flow's queue node, names it\n"
              "  --wrap-up SECONDS   between two calls, to write down what was said (0)\n"
              "  --confirm           a tone sounds until they press 1: for phones that a "
              "machine might answer",
     .example = "furrow agent add abeba --extension 2001 --queue sales --wrap-up 15",
     .run = cmd_add},
    {.name = "remove",
     .arguments = "NAME",
     .about = "Remove an agent. Not while a call is theirs.",
     .example = "furrow agent remove abeba",
     .run = cmd_remove},
    {.name = "login",
     .arguments = "NAME [--line]",
     .about =
         "They are there: calls may be placed for them.\n\n"
         "  --line  their phone rings once and stays connected: music between calls, "
         "the next one is put\n"
         "          through at once; '*' ends a call, hanging up is a logout",
     .example = "furrow agent login abeba --line",
     .run = cmd_login},
    {.name = "logout",
     .arguments = "NAME",
     .about =
         "They go. While a call is theirs it acts when the call is over, for somebody "
         "may answer it at this moment.",
     .example = "furrow agent logout abeba",
     .run = cmd_logout},
    {.name = "pause",
     .arguments = "NAME",
     .about = "No calls for a while; after the call that is theirs, if there is one.",
     .example = "furrow agent pause abeba",
     .run = cmd_pause},
    {.name = "resume",
     .arguments = "NAME",
     .about = "Ends a pause, or what they still write after a call.",
     .example = "furrow agent resume abeba",
     .run = cmd_resume},
    {.name = "list",
     .arguments = "[--queue QUEUE] [--json]",
     .about = "Show the agents: their queue, state and for how long.",
     .example = "furrow agent list --queue sales",
     .run = cmd_list},
    {.name = "abandonment",
     .arguments = "CAMPAIGN [--json]",
     .about = "Show how many of a campaign's answered calls were abandoned: in its 30 "
              "days, today and this month, and how many calls may be in flight without "
              "an agent.",
     .example = "furrow agent abandonment spring-offer",
     .run = cmd_abandonment},
};

const struct cli_group cmd_agent = {.name = "agent",
                                    .about =
                                        "the people who talk to those that are called",
                                    .verbs = verbs,
                                    .verb_count = ARRAY_LEN(verbs)};
