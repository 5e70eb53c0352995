/*
 * furrow - the command line. The group table below is all there is; a new group
 * is a file cli/cmd_<name>.c, a line in groups.h and one here.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/program.h"
#include "campaigns/doc_reader.h"
#include "cli/groups.h"

enum { VERBS_MAX = 64 };

/* clang-format off */
static const struct cli_group *const groups[] = {
    &cmd_agent,
    &cmd_audit,
    &cmd_batch,
    &cmd_caller,
    &cmd_caller_id,
    &cmd_call,
    &cmd_calling,
    &cmd_campaign,
    &cmd_compliance,
    &cmd_consent,
    &cmd_contacts,
    &cmd_dnc,
    &cmd_doctor,
    &cmd_emergency,
    &cmd_extension,
    &cmd_facts,
    &cmd_flow,
    &cmd_jobs,
    &cmd_key,
    &cmd_limit,
    &cmd_node,
    &cmd_migrate,
    &cmd_packs,
    &cmd_prompts,
    &cmd_provider,
    &cmd_recordings,
    &cmd_registration,
    &cmd_run,
    &cmd_sample,
    &cmd_simulate,
    &cmd_sms,
    &cmd_table,
    &cmd_tenant,
    &cmd_trunk,
    &cmd_up,
    &cmd_why,
};
/* clang-format on */

static void show_help(void)
{
    puts("furrow - calls people lawfully and listens to what they say\n\n"
         "usage: furrow [--config FILE] [--tenant NAME] COMMAND …\n"
         "       furrow --show-config | --check-config | --config-reference | "
         "--version\n");
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        printf("  %-12s %s\n", groups[i]->name, groups[i]->about);
    puts("\n'furrow COMMAND --help' shows a command with an example.\n"
         "example: furrow contacts import farmers.csv --list farmers --region ET");
}

static void show_verb(const struct cli_group *g, const struct cli_verb *v)
{
    printf("usage: furrow %s%s%s %s\n\n%s\n\nexample: %s\n", g->name, *v->name ? " " : "",
           v->name, v->arguments, v->about, v->example);
}

/* Where the first sentence of a verb's help ends: at a full stop, or a colon that
 * lines follow; never in the middle of it, however its lines are broken. */
static const char *sentence_end(const char *about)
{
    for (const char *p = about; *p; p++) {
        bool over = p[1] == '\0' || p[1] == '\n' || (p[1] == ' ' && !islower(p[2]));
        if ((*p == '.' && over) || (*p == ':' && p[1] == '\n'))
            return p;
    }
    return about + strlen(about);
}

static void show_group(const struct cli_group *g)
{
    printf("furrow %s - %s\n\n", g->name, g->about);
    for (size_t i = 0; i < g->verb_count; i++) {
        const char *about = g->verbs[i].about;

        printf("  furrow %s %s %s\n      ", g->name, g->verbs[i].name,
               g->verbs[i].arguments);
        for (const char *end = sentence_end(about); about < end; about++)
            fputs(*about == '\n' ? "\n      " : (char[2]){*about}, stdout);
        puts(".");
    }
    printf("\nexample: %s\n", g->verbs[0].example);
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int run_verb(struct cli *cli, const struct cli_group *g, const struct cli_verb *v,
                    int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_help(argv[i])) {
            show_verb(g, v);
            return CLI_OK;
        }
    }
    char name[64]; /* what getopt_long puts before its complaints */
    snprintf(name, sizeof(name), "furrow %s%s%s", g->name, *v->name ? " " : "", v->name);
    argv[0] = name;
    optind = 0; /* verbs call getopt_long afresh */
    int code = v->run(cli, argc, argv);
    if (code == CLI_USAGE)
        fprintf(stderr, "usage: furrow %s%s%s %s\n", g->name, *v->name ? " " : "",
                v->name, v->arguments);
    return code;
}

static int run_group(struct cli *cli, const struct cli_group *g, int argc, char **argv)
{
    if (g->verb_count == 1 && !*g->verbs[0].name)
        return run_verb(cli, g, &g->verbs[0], argc, argv);
    if (argc < 2 || is_help(argv[1])) {
        show_group(g);
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    for (size_t i = 0; i < g->verb_count; i++)
        if (strcmp(argv[1], g->verbs[i].name) == 0)
            return run_verb(cli, g, &g->verbs[i], argc - 1, argv + 1);
    const char *names[VERBS_MAX];
    size_t n = 0;
    for (; n < g->verb_count && n < VERBS_MAX; n++)
        names[n] = g->verbs[n].name;
    const char *near = doc_nearest(argv[1], names, n);
    return cli_usage("no command '%s %s'%s%s%s 'furrow %s --help' lists them", g->name,
                     argv[1], near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : ";", g->name);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (strcmp(argv[0], groups[i]->name) == 0)
            return run_group(cli, groups[i], argc, argv);
    const char *names[ARRAY_LEN(groups)];
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        names[i] = groups[i]->name;
    const char *near = doc_nearest(argv[0], names, ARRAY_LEN(groups));
    return cli_usage("no command '%s'%s%s%s 'furrow --help' lists them", argv[0],
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : ";");
}

struct globals {
    bool help, version, reference, show, check;
};

static bool parse_globals(struct cli *cli, struct globals *g, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"tenant", required_argument, NULL, 't'},
        {"show-config", no_argument, NULL, 's'},
        {"check-config", no_argument, NULL, 'k'},
        {"config-reference", no_argument, NULL, 'r'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };

    for (int c; (c = getopt_long(argc, argv, "+c:t:h", long_options, NULL)) != -1;) {
        if (c == 'c')
            cli->config_file = optarg;
        if (c == 't')
            cli->tenant_option = optarg;
        g->help |= c == 'h';
        g->version |= c == 'v';
        g->reference |= c == 'r';
        g->show |= c == 's';
        g->check |= c == 'k';
        if (c == '?')
            return false;
    }
    return true;
}

static int load_config(struct cli *cli)
{
    struct errtext e = {0};
    enum log_level level = LOG_INFO;

    int err = config_load(&cli_config_table, cli->config_file, &cli->config, &e);
    if (!err)
        err = clock_init(cli->config.common.clock, &e);
    if (err)
        return cli_usage("%s", e.text);
    /* A command says itself what it did; notes of the code below are for programs. */
    if (log_level_parse(cli->config.common.log_level, &level))
        log_set_level(level == LOG_DEBUG ? LOG_DEBUG : LOG_ERROR);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct globals g = {0};

    log_set_program("furrow");
    program_init_libraries();
    if (!parse_globals(&cli, &g, argc, argv))
        return CLI_USAGE;
    int first = optind;
    if (g.version) {
        printf("furrow %s\n", FURROW_VERSION);
        return CLI_OK;
    }
    if (g.reference) {
        config_reference(&cli_config_table, stdout);
        return CLI_OK;
    }
    if (g.help || (first == argc && !g.show && !g.check)) {
        show_help();
        return g.help ? CLI_OK : CLI_USAGE;
    }
    int code = load_config(&cli);
    if (code)
        return code;
    if (g.show)
        config_show(&cli_config_table, &cli.config, stdout);
    if (g.check)
        puts("configuration is sound");
    if (!g.show && !g.check)
        code = run_command(&cli, argc - first, argv + first);
    pg_close(cli.pg);
    return code;
}
