/*
 * furrow jobs: send and volatile, and the volatile rows of stats. These jobs are in
 * Redis; Postgres is only asked which installation and tenant this is.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "cli/jobs_volatile.h"
#include "workers/volatile_queue.h"
#include "workers/worker.h"

enum { SHOWN = 20, DELAY_MAX_S = 365 * 86400 };

struct place {
    struct volatile_options options;
    struct volatile_queue *queue;
    char installation[INSTALLATION_ID_MAX];
};

static void place_close(struct place *p)
{
    volatile_queue_close(p->queue);
}

/* The database is open; false when Redis does not answer: *e has why. */
static bool place_open(struct cli *cli, struct place *p, struct errtext *e)
{
    p->options = (struct volatile_options){.redis_url = cli->config.common.redis_url,
                                           .holder = "",
                                           .kinds = worker_volatile_kinds,
                                           .kind_count = WORKER_VOLATILE_KINDS};
    p->options.installation = p->installation;
    if (pg_installation(cli->pg, p->installation)) {
        errtext_set(e, EPROTO, 0, 0, "installation id: %s", pg_error(cli->pg));
        return false;
    }
    if (volatile_queue_open(&p->queue, &p->options, e))
        return false;
    if (!volatile_is_away(p->queue))
        return true;
    const char *why = volatile_queue_error(p->queue);
    errtext_set(e, ECONNRESET, 0, 0,
                "Redis does not answer (%s): start it, or set REDIS_URL",
                strncmp(why, "Redis: ", 7) == 0 ? why + 7 : why);
    return false;
}

static int find_kind(const char *name)
{
    for (int k = 0; k < WORKER_VOLATILE_KINDS; k++)
        if (str_is(worker_volatile_kinds[k]->name, name))
            return k;
    return -1;
}

static int unknown_kind(const char *name)
{
    struct buf b = {0};

    for (int k = 0; k < WORKER_VOLATILE_KINDS; k++)
        buf_printf(&b, " %s", worker_volatile_kinds[k]->name);
    int code = cli_usage("'%s' is no volatile kind; there are:%s", name, b.data);
    buf_free(&b);
    return code;
}

/* ---- send ---- */

struct send_args {
    const char *kind, *key;
    json_t *payload;
    int64_t delay_s, key_s;
    bool json;
};

static const struct option send_options[] = {
    {"payload", required_argument, NULL, 'p'}, {"delay-s", required_argument, NULL, 'd'},
    {"key", required_argument, NULL, 'k'},     {"key-s", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},          {0},
};

static int parse_seconds(const char *option, const char *text, int64_t *out)
{
    if (str_to_i64(text, out) && *out >= 0 && *out <= DELAY_MAX_S)
        return CLI_OK;
    return cli_usage("--%s is a number of seconds, not '%s'", option, text);
}

static int parse_payload(const char *text, json_t **out)
{
    json_error_t e;

    json_decref(*out);
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (!*out)
        return cli_usage("--payload, character %d: %s", e.position, e.text);
    return json_is_object(*out) ? CLI_OK : cli_usage("--payload is a JSON object: {…}");
}

static int parse_send(struct send_args *a, int argc, char **argv)
{
    *a = (struct send_args){0};
    for (int c; (c = getopt_long(argc, argv, "", send_options, NULL)) != -1;) {
        if (c == '?' || (c == 'p' && parse_payload(optarg, &a->payload)) ||
            (c == 'd' && parse_seconds("delay-s", optarg, &a->delay_s)) ||
            (c == 's' && parse_seconds("key-s", optarg, &a->key_s)))
            return CLI_USAGE;
        if (c == 'k')
            a->key = optarg;
        a->json |= c == 'j';
    }
    if (argc - optind != 1)
        return cli_usage(
            "say which kind, as in: furrow jobs send notice --payload '{…}'");
    if (a->key && (!a->key[0] || strlen(a->key) >= VOLATILE_KEY_MAX))
        return cli_usage("--key has 1 to %d bytes", VOLATILE_KEY_MAX - 1);
    a->kind = argv[optind];
    return CLI_OK;
}

static int send_it(struct cli *cli, const struct send_args *a, int kind)
{
    CLEANUP(place_close) struct place place = {0};
    struct errtext e = {0};
    const struct volatile_job job = {.kind = worker_volatile_kinds[kind],
                                     .tenant_id = cli->tenant_id,
                                     .payload = a->payload,
                                     .delay_ms = a->delay_s * 1000,
                                     .key = a->key,
                                     .key_ms = a->key_s * 1000};
    int sent = 0;

    if (!place_open(cli, &place, &e))
        return cli_fail("%s", e.text);
    if (volatile_send(place.queue, &job, 1, &sent))
        return cli_fail("not known whether it was sent: %s",
                        volatile_queue_error(place.queue));
    if (a->json)
        return cli_print_json(json_pack("{s:b}", "sent", sent == 1));
    puts(sent ? "sent" : "not sent: one of this key waits or runs");
    return CLI_OK;
}

int jobs_send(struct cli *cli, int argc, char **argv)
{
    struct send_args a;
    int code = parse_send(&a, argc, argv);
    int kind = code ? -1 : find_kind(a.kind);

    if (!code && kind < 0)
        code = unknown_kind(a.kind);
    if (!code)
        code = cli_open_pg(cli);
    if (!code)
        code = send_it(cli, &a, kind);
    json_decref(a.payload);
    return code;
}

/* ---- volatile ---- */

static json_t *depth_json(struct volatile_queue *q, int kind)
{
    struct volatile_depth d = {0};

    if (volatile_depth(q, kind, &d))
        return NULL;
    const struct volatile_tally *t = &d.tally;
    json_t *row = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "storage", "volatile",
                            "queued", (json_int_t)d.waiting + (json_int_t)d.later, "due",
                            (json_int_t)d.waiting, "later", (json_int_t)d.later,
                            "running", (json_int_t)d.taken, "buried",
                            (json_int_t)d.buried, "oldest_s", (json_int_t)d.oldest_s);
    json_t *more = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:s}", "done", (json_int_t)t->done, "failed",
        (json_int_t)(t->retried + t->buried), "ended",
        (json_int_t)(t->done + t->retried + t->buried), "wait_ms", (json_int_t)t->wait_ms,
        "run_ms", (json_int_t)t->run_ms, "hold", d.paused ? "paused" : "");
    json_object_update_new(row, more);
    return row;
}

void jobs_volatile_stats(struct cli *cli, json_t *kinds)
{
    CLEANUP(place_close) struct place place = {0};
    struct errtext e = {0};

    if (!place_open(cli, &place, &e)) {
        fprintf(stderr, "furrow: volatile kinds are not shown: %s\n", e.text);
        return;
    }
    for (int k = 0; k < WORKER_VOLATILE_KINDS; k++) {
        json_t *depth = depth_json(place.queue, k);
        if (depth)
            json_object_set_new(kinds, worker_volatile_kinds[k]->name, depth);
    }
}

int jobs_volatile_hold(struct cli *cli, const char *kind, bool on)
{
    CLEANUP(place_close) struct place place = {0};
    struct errtext e = {0};
    int k = find_kind(kind);

    if (!place_open(cli, &place, &e))
        return cli_fail("%s", e.text);
    if (volatile_pause(place.queue, k, on))
        return cli_fail("%s: %s", kind, volatile_queue_error(place.queue));
    return CLI_OK;
}

bool jobs_is_volatile(const char *kind)
{
    return find_kind(kind) >= 0;
}

static int show_buried(struct volatile_queue *q, int kind, bool json)
{
    json_t *rows = NULL, *row;
    size_t i;

    if (volatile_buried(q, kind, SHOWN, &rows))
        return cli_fail("%s", volatile_queue_error(q));
    if (json) {
        json_t *depth = depth_json(q, kind);
        return cli_print_json(json_pack("{s:o*, s:o}", "depth", depth, "buried", rows));
    }
    json_array_foreach(rows, i, row)
    {
        char *payload =
            json_dumps(json_object_get(json_object_get(row, "job"), "payload"), 0);
        printf("%s  %s  %s\n", cli_text(row, "at"), cli_text(row, "why"),
               payload ? payload : "");
        free(payload);
    }
    if (json_array_size(rows) == 0)
        puts("none is buried");
    if (json_array_size(rows) == SHOWN)
        fprintf(stderr, "the newest %d are shown\n", SHOWN);
    json_decref(rows);
    return CLI_OK;
}

static int change_buried(struct volatile_queue *q, int kind, bool forget)
{
    int64_t n = 0;

    if (volatile_unbury(q, kind, forget, &n))
        return cli_fail("after %" PRId64 ": %s", n, volatile_queue_error(q));
    printf("%" PRId64 " job%s %s\n", n, n == 1 ? "" : "s",
           forget ? "forgotten" : "sent again");
    return CLI_OK;
}

int jobs_volatile(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"retry", no_argument, NULL, 'r'},
                                            {"forget", no_argument, NULL, 'f'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    CLEANUP(place_close) struct place place = {0};
    bool retry = false, forget = false, json = false;
    struct errtext e = {0};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?')
            return CLI_USAGE;
        retry |= c == 'r';
        forget |= c == 'f';
        json |= c == 'j';
    }
    if (argc - optind != 1 || (retry && forget))
        return cli_usage("say which kind, with --retry, --forget or neither");
    int kind = find_kind(argv[optind]);
    if (kind < 0)
        return unknown_kind(argv[optind]);
    if (cli_open_pg(cli))
        return CLI_FAILED;
    if (!place_open(cli, &place, &e))
        return cli_fail("%s", e.text);
    return retry || forget ? change_buried(place.queue, kind, forget)
                           : show_buried(place.queue, kind, json);
}
