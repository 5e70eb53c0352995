#include "base/program.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <curl/curl.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/redis.h"

enum { EXIT_USAGE = 2, FLAGS_MAX = 4, FLAG_FIRST = 256 };

static atomic_bool stop_flag;
static int stop_fd = -1;

static void on_stop(int signal_number)
{
    uint64_t one = 1;
    int saved = errno;

    (void)signal_number;
    atomic_store(&stop_flag, true);
    ssize_t n = write(stop_fd, &one, sizeof(one));
    (void)n;
    errno = saved;
}

void program_watch_signals(void)
{
    struct sigaction act = {.sa_handler = on_stop};

    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigemptyset(&act.sa_mask);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
}

const atomic_bool *program_stop_flag(void)
{
    return &stop_flag;
}

int program_stop_fd(void)
{
    return stop_fd;
}

void program_init_libraries(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT)) {
        fputs("libsodium or libcurl could not be set up\n", stderr);
        exit(EXIT_FAILURE);
    }
}

static void show_help(const struct program *p)
{
    printf("%s - %s\n\n"
           "usage: %s [options]\n"
           "  --config FILE        read key = value lines from FILE\n"
           "  --check-config       say whether the configuration is sound, and leave\n"
           "  --show-config        print the configuration in force (secrets hidden)\n"
           "  --config-reference   print every option with its meaning (Markdown)\n"
           "  --version, --help\n",
           p->table->program, p->about, p->table->program);
    for (size_t i = 0; p->flags && p->flags[i]; i++) {
        const struct config_option *o = config_option_find(p->table, p->flags[i]);
        printf("  --%s %s\n                       %s\n", p->flags[i],
               o && o->choices ? o->choices : "VALUE", o ? o->help : "");
    }
    printf("\nexample: %s\n", p->example);
}

/* The command line wins as the environment does. */
static void set_flag(const struct program *p, int flag, const char *value)
{
    char name[CONFIG_ENV_MAX];

    config_env_name(p->flags[flag], name);
    setenv(name, value, 1);
}

struct args {
    const char *file;
    bool check, show, reference, version, help;
};

static bool parse_args(const struct program *p, int argc, char **argv, struct args *a)
{
    enum { FIXED = 6 };
    struct option options[FIXED + FLAGS_MAX + 1] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'},
        {"show-config", no_argument, NULL, 's'},
        {"config-reference", no_argument, NULL, 'r'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
    };

    for (int i = 0; i < FLAGS_MAX && p->flags && p->flags[i]; i++)
        options[FIXED + i] =
            (struct option){p->flags[i], required_argument, NULL, FLAG_FIRST + i};
    for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (c == 'c')
            a->file = optarg;
        if (c >= FLAG_FIRST)
            set_flag(p, c - FLAG_FIRST, optarg);
        a->check |= c == 'k';
        a->show |= c == 's';
        a->reference |= c == 'r';
        a->version |= c == 'v';
        a->help |= c == 'h';
        if (c == '?')
            return false;
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s' (--help shows the options)\n",
                p->table->program, argv[optind]);
        return false;
    }
    return true;
}

bool program_start(const struct program *p, int argc, char **argv, void *cfg,
                   int *exit_code)
{
    struct args a = {0};
    struct errtext e = {0};
    struct redis_address redis;
    enum log_level level = LOG_INFO;

    log_set_program(p->table->program);
    program_init_libraries();
    *exit_code = EXIT_USAGE;
    if (!parse_args(p, argc, argv, &a))
        return false;
    *exit_code = 0;
    if (a.help || a.version || a.reference) {
        if (a.help)
            show_help(p);
        else if (a.version)
            printf("%s %s\n", p->table->program, FURROW_VERSION);
        else
            config_reference(p->table, stdout);
        return false;
    }
    int err = config_load(p->table, a.file, cfg, &e);
    if (!err && log_level_parse(p->common->log_level, &level))
        log_set_level(level);
    if (!err)
        err = clock_init(p->common->clock, &e);
    if (!err && p->common->redis_url[0])
        err = redis_address_parse(p->common->redis_url, &redis, &e);
    if (err) {
        fprintf(stderr, "%s: %s\n", p->table->program, e.text);
        *exit_code = EXIT_USAGE;
        return false;
    }
    if (a.show)
        config_show(p->table, cfg, stdout);
    if (a.check)
        printf("configuration is sound\n");
    return !a.show && !a.check;
}
