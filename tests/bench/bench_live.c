/*
 * bench_live [CALLS] [SPANS] - so many calls (10,000) alive in one furrow-dialer over
 * the simulated trunk, each with 2 KiB of variables and a key every five seconds: what
 * they take of memory and processor, and how long a call waits from the key, as it was
 * due, to the prompt that answers it. The prompt is a question, so it need not wait for
 * its step's commit; how long that takes, fsync on, is printed beside it. A checkpoint
 * begins every CHECKPOINT_S, as a server's would every five minutes. Prints JSON lines.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "bench/dialing.h"
#include "store/pgtest.h"

enum {
    CALLS = 10000,
    SPANS = 3, /* of half a minute, as the dialer says what it took */
    CPS = 150, /* as they are built up */
    VARS = 16,
    VAR_BYTES = 128,
    LOG_FILES = 64,
    SPARE = 50, /* contacts beyond the calls */
    LOOK_MS = 500,
    START_MS = 60000,
    STILL_MS = 10000, /* from the last answer to the measurement */
    CHECKPOINT_S = 90,
};

#define LOG_AT      "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"
#define SYNCS       "SELECT wal_sync FROM pg_stat_wal"
#define CHECKPOINTS "SELECT checkpoints_timed + checkpoints_req FROM pg_stat_bgwriter"

/* A prompt takes 1.5 s; to the key 3.5 more, but not for each the same, else all that
 * once waited together would press together ever after. */
static const char settings[] = "{\"seed\": 1, \"answer\": 1, \"ring_s\": [1, 1], "
                               "\"think_s\": [2.5, 4.5], \"keys\": 10000}";

static char *flow_text(void)
{
    struct buf vars = {0}, value = {0};

    for (int i = 0; i < VARS; i++) {
        value.len = 0;
        for (int k = 0; k < VAR_BYTES; k++)
            buf_printf(&value, "%c", 'a' + (i * 7 + k * k * 5 + k) % 26);
        buf_printf(&vars, "\"v%02d\": \"%s\", ", i, value.data);
    }
    char *text = xasprintf(
        "{\"furrow\": 1, \"name\": \"bench\", \"language\": \"en\", \"entry\": \"fill\", "
        "\"nodes\": {\"fill\": {\"kind\": \"set\", \"vars\": {%s\"n\": 0}, \"exits\": "
        "{\"done\": \"ask\"}}, \"ask\": {\"kind\": \"collect\", \"prompt\": {\"en\": "
        "\"Press a key.\"}, \"max\": 1, \"timeout_s\": 60, \"into\": \"key\", \"exits\": "
        "{\"any\": \"count\", \"invalid\": \"ask\", \"no_input\": \"ask\"}}, \"count\": "
        "{\"kind\": \"set\", \"vars\": {\"n\": \"{{vars.n + 1}}\"}, \"exits\": "
        "{\"done\": "
        "\"ask\"}}}}",
        vars.data);
    buf_free(&vars);
    buf_free(&value);
    return text;
}

/* ---- what processes take ---- */

static long field_kib(pid_t pid, const char *name)
{
    char path[64], line[256];
    long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtol(line + strlen(name) + 1, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

/* Processor seconds of a process; *parent may be NULL. */
static double cpu_s(pid_t pid, pid_t *parent)
{
    char path[64], text[1024] = "";
    long ticks[4] = {0};
    int ppid = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    const char *after = strrchr(text, ')');
    if (!after ||
        sscanf(after + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
               &ppid, &ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 5)
        return 0;
    if (parent)
        *parent = ppid;
    return (double)(ticks[0] + ticks[1] + (parent ? 0 : ticks[2] + ticks[3])) /
           (double)sysconf(_SC_CLK_TCK);
}

/* The server's processes together, those that have ended included. */
static double postgres_cpu_s(struct pg *pg)
{
    pid_t server = 0, parent = 0;
    double sum = 0;

    (void)cpu_s((pid_t)pgtest_i64(pg, 1, "SELECT pg_backend_pid()"), &server);
    sum = cpu_s(server, NULL);
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        int64_t pid;
        if (!str_to_i64(e->d_name, &pid))
            continue;
        double one = cpu_s((pid_t)pid, &parent);
        sum += parent == server ? one : 0;
    }
    if (d)
        closedir(d);
    return sum;
}

/* ---- the dialer's own words ---- */

static bool lives(pid_t dialer)
{
    return waitpid(dialer, NULL, WNOHANG) == 0;
}

struct waits {
    int spans;
    /* The worst span's, but for actions. */
    long long actions, p50_us, p99_us, max_us, kept_p50_us, kept_p99_us;
};

/* Of the spans of its log after that line. */
static size_t read_waits(const char *path, size_t skip, struct waits *w)
{
    char line[1024];
    size_t n = 0;
    FILE *f = fopen(path, "r");

    *w = (struct waits){0};
    while (f && fgets(line, sizeof(line), f)) {
        const char *at = strstr(line, "actions=");
        long long a, p50, p99, most, kept50, kept99;
        if (!at || sscanf(at,
                          "actions=%lld span_ms=%*d action_p50_us=%lld "
                          "action_p99_us=%lld action_max_us=%lld commit_p50_us=%lld "
                          "commit_p99_us=%lld",
                          &a, &p50, &p99, &most, &kept50, &kept99) != 6)
            continue;
        if (n++ < skip)
            continue;
        w->spans++;
        w->actions += a;
        w->p50_us = p50 > w->p50_us ? p50 : w->p50_us;
        w->p99_us = p99 > w->p99_us ? p99 : w->p99_us;
        w->max_us = most > w->max_us ? most : w->max_us;
        w->kept_p50_us = kept50 > w->kept_p50_us ? kept50 : w->kept_p50_us;
        w->kept_p99_us = kept99 > w->kept_p99_us ? kept99 : w->kept_p99_us;
    }
    if (f)
        fclose(f);
    return n;
}

static int64_t alive(struct pg *pg)
{
    return pgtest_i64(pg, 1, "SELECT count(*) FROM attempts WHERE state = 'answered'");
}

static int64_t wait_for(struct pg *pg, pid_t dialer, int calls)
{
    int64_t limit = mono_ms() + START_MS + (int64_t)calls * 4000 / CPS, n = 0;

    while ((n = alive(pg)) < calls && lives(dialer) && mono_ms() < limit)
        poll(NULL, 0, LOOK_MS);
    poll(NULL, 0, STILL_MS);
    return n;
}

static int measure(struct pg *pg, pid_t dialer, const char *log, int spans)
{
    struct waits waits = {0};
    size_t skip = read_waits(log, SIZE_MAX, &waits);

    while (read_waits(log, skip, &waits) == skip && lives(dialer))
        poll(NULL, 0, LOOK_MS); /* its spans begin here */
    skip++;
    double cpu = cpu_s(dialer, NULL), server_cpu = postgres_cpu_s(pg);
    int64_t began = mono_ms();
    int64_t steps = pgtest_i64(pg, 1, "SELECT sum(seq) FROM ivr_sessions");
    int64_t log_bytes = pgtest_i64(pg, 1, LOG_AT), syncs = pgtest_i64(pg, 1, SYNCS);
    int64_t checkpoints = pgtest_i64(pg, 1, CHECKPOINTS);
    while ((void)read_waits(log, skip, &waits), waits.spans < spans && lives(dialer))
        poll(NULL, 0, LOOK_MS);
    double s = (double)(mono_ms() - began) / 1000;
    steps = pgtest_i64(pg, 1, "SELECT sum(seq) FROM ivr_sessions") - steps;
    log_bytes = pgtest_i64(pg, 1, LOG_AT) - log_bytes;
    syncs = pgtest_i64(pg, 1, SYNCS) - syncs;
    checkpoints = pgtest_i64(pg, 1, CHECKPOINTS) - checkpoints;
    cpu = cpu_s(dialer, NULL) - cpu;
    server_cpu = postgres_cpu_s(pg) - server_cpu;
    printf(
        "{\"bench\":\"live\",\"what\":\"steps\",\"calls\":%lld,\"state_bytes\":%lld,"
        "\"seconds\":%.1f,\"steps_per_s\":%.0f,\"spans\":%d,\"event_to_action_p50_ms\":"
        "%.2f,\"event_to_action_p99_ms\":%.2f,\"event_to_action_max_ms\":%.1f,"
        "\"step_to_commit_p50_ms\":%.2f,\"step_to_commit_p99_ms\":%.2f,"
        "\"dialer_cpu_percent\":%.1f,\"postgres_cpu_percent\":%.1f,"
        "\"log_bytes_per_step\":%.0f,\"syncs_per_step\":%.2f,\"checkpoints\":%lld}\n",
        (long long)alive(pg),
        (long long)pgtest_i64(pg, 1, "SELECT avg(length(state)) FROM ivr_sessions"), s,
        (double)steps / s, waits.spans, (double)waits.p50_us / 1000,
        (double)waits.p99_us / 1000, (double)waits.max_us / 1000,
        (double)waits.kept_p50_us / 1000, (double)waits.kept_p99_us / 1000, cpu * 100 / s,
        server_cpu * 100 / s, (double)log_bytes / (double)steps,
        (double)syncs / (double)steps, (long long)checkpoints);
    return waits.spans == spans ? 0 : 1;
}

/* The write-ahead log's files are there, as on a server that has run for a while: a new
 * one is 16 MB of zeros and a wait for the disk. */
static void make_log_files(void)
{
    struct pg *super = pgtest_open_super();
    char every[80];

    snprintf(every, sizeof(every), "ALTER SYSTEM SET checkpoint_timeout = '%ds'",
             CHECKPOINT_S);
    if (pg_script(super, "ALTER SYSTEM SET min_wal_size = '2GB'") ||
        pg_script(super, every) || pg_script(super, "SELECT pg_reload_conf()"))
        fprintf(stderr, "bench: %s\n", pg_error(super));
    for (int i = 0; i < LOG_FILES; i++)
        pgtest_run(super, 0,
                   "SELECT pg_switch_wal() FROM (SELECT pg_logical_emit_message(false, "
                   "'bench', 'a file')) m");
    if (pg_script(super, "CHECKPOINT"))
        fprintf(stderr, "bench: %s\n", pg_error(super));
    pg_close(super);
}

int main(int argc, char **argv)
{
    int64_t calls = CALLS, spans = SPANS;
    CLEANUP(free_cleanup) char *flow = flow_text(), *log = NULL;

    if ((argc > 1 && !str_to_i64(argv[1], &calls)) || calls < 1 || calls > 100000 ||
        (argc > 2 && !str_to_i64(argv[2], &spans)) || spans < 1 || spans > 100) {
        fprintf(stderr, "usage: bench_live [CALLS] [SPANS], of 30 s\n");
        return 2;
    }
    setenv("FURROW_MAX_LIVE_CALLS", "100000", 1);
    struct pg *pg = dialing_begin(&(struct dialing){.contacts = (int)calls,
                                                    .max_channels = (int)calls + SPARE,
                                                    .cps = CPS,
                                                    .settings = settings,
                                                    .flow_text = flow});
    make_log_files();
    log = xasprintf("%s/dialer.log", pgtest_dir());
    setenv("FURROW_LOG_LEVEL", "info", 1);
    pid_t dialer = dialing_start(log);
    int64_t limit = mono_ms() + START_MS;
    while (dialing_sent(pg) == 0 && lives(dialer) && mono_ms() < limit)
        poll(NULL, 0, 10);
    long empty = field_kib(dialer, "VmRSS");
    int64_t live = wait_for(pg, dialer, (int)calls);
    long full = field_kib(dialer, "VmRSS");
    int code = measure(pg, dialer, log, (int)spans);
    long last = field_kib(dialer, "VmRSS");
    printf(
        "{\"bench\":\"live\",\"what\":\"memory\",\"calls\":%lld,\"rss_before_mb\":%.1f,"
        "\"rss_mb\":%.1f,\"rss_after_mb\":%.1f,\"peak_mb\":%.1f,\"kib_per_call\":%.1f}\n",
        (long long)live, (double)empty / 1024, (double)full / 1024, (double)last / 1024,
        (double)field_kib(dialer, "VmHWM") / 1024, (double)(last - empty) / (double)live);
    kill(dialer, SIGKILL); /* ten thousand polite ends are not what is measured */
    waitpid(dialer, NULL, 0);
    pg_close(pg);
    return live < calls ? 1 : code;
}
