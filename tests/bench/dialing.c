/* A campaign of people of the simulated carrier, and dialers at work on it: see
 * dialing.h. */
#include "bench/dialing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/trunk_store.h"
#include "store/pgtest.h"

#define CLOCK "2026-11-24T06:00:00Z@1"

static const char document[] =
    "{\"name\": \"bench\", \"list\": \"bench\", \"flow\": \"bench\", \"trunk\": "
    "\"sim\", "
    "\"windows\": {\"mon-sat\": [\"08:00-20:00\"]}, \"regions\": [\"ET\"]}";

static void must(int err, const char *what)
{
    if (err) {
        fprintf(stderr, "bench: %s: error %d\n", what, err);
        exit(1);
    }
}

static pid_t run(const char *const *argv, const char *log_path)
{
    char path[512];
    union {
        const char *const *in;
        char **out;
    } args = {.in = argv};

    snprintf(path, sizeof(path), "%s/bin/%s", BUILD_DIR, argv[0]);
    pid_t pid = fork();
    if (pid == 0) {
        int log =
            log_path ? open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : 2;
        dup2(log, 2);
        dup2(2, 1); /* stdout is the bench's own */
        execv(path, args.out);
        _exit(127);
    }
    return pid;
}

static void set_up(struct pg *pg, const struct dialing *how)
{
    CLEANUP(free_cleanup) char *flow_text = NULL;
    struct campaign_issues issues = {0};
    struct errtext e = {0};
    struct trunk_row trunk = {.name = "sim",
                              .kind = "simulated",
                              .cps = how->cps,
                              .max_channels =
                                  how->max_channels ? how->max_channels : 2000,
                              .settings = "{\"seed\": 1, \"bad_number\": 1}"};
    struct campaign_row row;
    struct flow_row flow;
    char path[512];
    bool fresh = false;
    size_t len = 0;
    int status = 0;

    if (how->settings)
        must(str_copy(trunk.settings, sizeof(trunk.settings), how->settings), "settings");
    snprintf(path, sizeof(path), "%s/contacts.csv", pgtest_dir());
    FILE *f = fopen(path, "w");
    must(f ? 0 : 1, path);
    fputs("phone\n", f);
    for (int i = 0; i < how->contacts; i++)
        fprintf(f, "+2519%08d\n", 10000000 + i);
    fclose(f);
    waitpid(run((const char *[]){"furrow", "contacts", "import", path, "--list", "bench",
                                 "--region", "ET", NULL},
                NULL),
            &status, 0);
    must(status, "import");
    must(files_read(SOURCE_DIR "/deploy/demo/coffee.json", 1 << 20, &flow_text, &len),
         "flow");
    must(flow_publish(pg, 1, "bench", how->flow_text ? how->flow_text : flow_text,
                      clock_now_ms(), &flow, &fresh),
         "flow");
    must(trunk_add(pg, 1, &trunk, clock_now_ms(), &e), e.text);
    must(
        campaign_create(pg, 1, document, strlen(document), clock_now_ms(), &row, &issues),
        issues.at[0].text);
    must(campaign_command(pg, 1, row.id, CAMPAIGN_START, NULL, clock_now_ms(), &row, &e),
         e.text);
}

struct pg *dialing_begin(const struct dialing *how)
{
    struct errtext e = {0};

    setenv("FURROW_CLOCK", CLOCK, 1);
    setenv("FURROW_LOG_LEVEL", "warn", 1);
    log_set_level(LOG_WARN);
    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    struct pg *pg = pgtest_open();
    must(clock_init(CLOCK, &e) || clock_share(pg, &e), e.text);
    set_up(pg, how);
    return pg;
}

pid_t dialing_start(const char *log_path)
{
    return run((const char *[]){"furrow-dialer", NULL}, log_path);
}

int64_t dialing_sent(struct pg *pg)
{
    return pgtest_i64(pg, 1,
                      "SELECT count(*) FROM attempts WHERE ringing_at IS NOT NULL");
}
