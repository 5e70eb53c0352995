/* dialer/pacing against a real Redis of its own, which it floods, flushes and kills. */
#include "unit/cm.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/redis.h"
#include "base/str.h"
#include "dialer/pacing.h"

enum { BOUND_MS = 20000, TAKES_MAX = 400 };

extern const char pacing_take_lua[];

static char dir[] = "/tmp/furrow-pacing-XXXXXX";
static char url[128];
static pid_t server;
static uv_loop_t loop;

/* ---- the server ---- */

static void start_redis(void)
{
    char sock[96];
    struct redis *r = NULL;

    snprintf(sock, sizeof(sock), "%s/r.sock", dir);
    snprintf(url, sizeof(url), "unix://%s", sock);
    server = fork();
    if (server == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", sock,
               "--save", "", "--appendonly", "no", "--dir", dir, (char *)NULL);
        _exit(127);
    }
    int64_t end = mono_ms() + BOUND_MS;
    while (redis_open(&r, url, &(struct errtext){0})) {
        int status = 0;
        if (waitpid(server, &status, WNOHANG) == server) {
            fputs("SKIP: redis-server cannot be started\n", stderr);
            exit(getenv("CI") ? 1 : 77);
        }
        assert_true(mono_ms() < end);
    }
    redis_close(r);
}

static void kill_redis(void)
{
    char sock[96];

    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    snprintf(sock, sizeof(sock), "%s/r.sock", dir);
    unlink(sock);
}

static void redis_do(const char *command)
{
    struct redis *r = NULL;

    assert_int_equal(redis_open(&r, url, &(struct errtext){0}), 0);
    assert_int_equal(redis_cmd(r, NULL, command), 0);
    redis_close(r);
}

static int64_t redis_count(const char *command)
{
    struct redis *r = NULL;
    CLEANUP(redis_reply_free) redisReply *reply = NULL;

    assert_int_equal(redis_open(&r, url, &(struct errtext){0}), 0);
    assert_int_equal(redis_cmd(r, &reply, command), 0);
    redis_close(r);
    return reply->integer;
}

/* ---- a dialer that wants calls all the time ---- */

struct taker {
    struct taker *next;
    struct pacing *pacing;
    struct pacing_ask ask; /* of the next one */
    uv_timer_t timer;
    int goes, waits, fulls, aways, rebuilds, helds;
    int64_t at_ms[TAKES_MAX];
    bool answer_rebuilds, stop, pending, closed;
    struct pacing_ask open[4]; /* what Postgres would say */
    size_t open_count;
};

static struct taker *takers; /* those of the test that runs */

static void take(struct taker *t);

static void on_timer(uv_timer_t *timer)
{
    take(timer->data);
}

static void on_take(enum pacing_result result, int64_t retry_ms, void *arg)
{
    struct taker *t = arg;

    t->pending = false;
    t->goes += result == PACING_GO;
    t->waits += result == PACING_WAIT;
    t->fulls += result == PACING_FULL;
    t->aways += result == PACING_AWAY;
    t->helds += result == PACING_HELD;
    if (result == PACING_GO) {
        t->at_ms[t->goes - 1] = mono_ms();
        t->ask.attempt = uuid_v7(clock_real_ms());
    }
    if (t->stop || t->goes == TAKES_MAX)
        return;
    if (result == PACING_GO)
        take(t);
    else
        uv_timer_start(&t->timer, on_timer, (uint64_t)(retry_ms > 0 ? retry_ms : 20), 0);
}

static void take(struct taker *t)
{
    if (t->stop)
        return;
    t->pending = true;
    pacing_take(t->pacing, &t->ask, on_take, t);
}

static void on_rebuild(void *arg)
{
    struct taker *t = arg;

    t->rebuilds++;
    if (t->answer_rebuilds)
        pacing_rebuilt(t->pacing, t->open, t->open_count);
}

static struct taker *new_taker(int64_t trunk, double cps, int max)
{
    struct taker *t = calloc(1, sizeof(*t));

    t->answer_rebuilds = true;
    t->ask = (struct pacing_ask){
        .attempt = uuid_v7(clock_real_ms()),
        .at = {[PACING_TRUNK] = {trunk, cps, max}, [PACING_CAMPAIGN] = {trunk, 0, 0}}};
    assert_int_equal(pacing_new(&t->pacing, &loop, url, "abcd0123", on_rebuild, t, NULL),
                     0);
    uv_timer_init(&loop, &t->timer);
    t->timer.data = t;
    t->next = takers;
    takers = t;
    return t;
}

static void on_closed(uv_handle_t *h)
{
    ((struct taker *)h->data)->closed = true;
}

static void free_taker(struct taker *t)
{
    for (struct taker **at = &takers; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    t->stop = true;
    uv_timer_stop(&t->timer);
    pacing_close(t->pacing);
    uv_close((uv_handle_t *)&t->timer, on_closed); /* the last to close */
    while (!t->closed)
        uv_run(&loop, UV_RUN_NOWAIT);
    free(t);
}

/* A test that failed has left its takers, which would answer the next test's rebuilds. */
static int free_takers(void **state)
{
    (void)state;
    while (takers)
        free_taker(takers);
    return 0;
}

#define RUN_UNTIL(condition)                                                             \
    do {                                                                                 \
        int64_t end_ = mono_ms() + BOUND_MS;                                             \
        while (!(condition) && mono_ms() < end_)                                         \
            uv_run(&loop, UV_RUN_ONCE);                                                  \
        assert_true(condition);                                                          \
    } while (0)

static void run_for(int ms)
{
    int64_t end = mono_ms() + ms;

    RUN_UNTIL(mono_ms() >= end);
}

static void tokens_are_evenly_spaced(void **state)
{
    struct taker *t = new_taker(1, 50, 0);
    double sum = 0, squares = 0;
    enum { N = 60 };

    (void)state;
    take(t);
    RUN_UNTIL(t->goes >= N);
    for (int i = 6; i < N; i++) {
        double gap = (double)(t->at_ms[i] - t->at_ms[i - 1]);
        sum += gap;
        squares += gap * gap;
    }
    double n = N - 6, mean = sum / n;
    /* 20 ms apart: the rate holds in the long run and there are no bursts. */
    assert_in_range((int)mean, 18, 23);
    assert_true(sqrt(squares / n - mean * mean) < 15);
    free_taker(t);
}

/* A turn passes by a moment always: what it is late for is the next call's turn, and
 * where nobody else has one it is not lost. */
static void a_fast_limit_beside_a_slow_one_costs_no_turns(void **state)
{
    struct taker *t = new_taker(77, 50, 0);
    enum { N = 60, FAST = 5000 };

    (void)state;
    t->ask.at[PACING_ALL] = (struct pacing_bucket){1, FAST, 0};
    take(t);
    RUN_UNTIL(t->goes >= N);
    assert_in_range((t->at_ms[N - 1] - t->at_ms[5]) / (N - 6), 18, 22);
    free_taker(t);
}

/* One take, its answer; turn: in, the one that passed or ""; out, the one given. */
static int64_t take_at(const char *attempt, int now_ms, char turn[64])
{
    struct redis *r = NULL;
    CLEANUP(redis_reply_free) redisReply *reply = NULL;

    assert_int_equal(redis_open(&r, url, &(struct errtext){0}), 0);
    assert_int_equal(redis_cmd(r, &reply,
                               "EVAL %s 6 late:boot late:index late:held late:health "
                               "late:tat late:slots run %s %d 20 %s 1000 0",
                               pacing_take_lua, attempt, now_ms, turn),
                     0);
    redis_close(r);
    assert_int_equal(reply->elements, 4);
    str_cut(turn, 64, reply->element[3]->str);
    return reply->element[0]->integer;
}

static void a_turn_that_passed_goes_back_unless_another_has_had_one_since(void **state)
{
    char a[64] = "", b[64] = "", lost[64];

    (void)state;
    redis_do("EVAL redis.call('SET','late:boot','run'..string.char(32)..'0') 0");
    assert_int_equal(take_at("a", 10000, a), 0);
    assert_string_equal(a, "9980.000 10980.000");
    /* Alone: it goes at once, and the next is a second after it. */
    assert_int_equal(take_at("a", 10900, a), 0);
    assert_string_equal(a, "10880.000 11880.000");
    assert_int_equal(take_at("b", 11880, b), 0);
    assert_string_equal(b, "11880.000 12880.000");
    /* Not alone: what it had is b's past now. */
    str_cut(lost, sizeof(lost), a);
    assert_int_equal(take_at("a", 12000, lost), 1);
    str_cut(lost, sizeof(lost), a);
    assert_int_equal(take_at("a", 12880, lost), 0);
    assert_string_equal(lost, "12880.000 13880.000");
    redis_do("DEL late:boot late:index late:held late:health late:tat late:slots");
}

static void who_tries_the_breaker_and_is_late_is_still_the_one(void **state)
{
    char a[64] = "", b[64] = "";

    (void)state;
    redis_do("EVAL redis.call('SET','late:boot','run'..string.char(32)..'0') 0");
    redis_do("HSET late:health open 1");
    assert_int_equal(take_at("a", 10000, a), 0);
    assert_int_equal(take_at("a", 10900, a), 0);
    assert_int_equal(take_at("b", 20000, b), 4);
    redis_do("DEL late:boot late:index late:held late:health late:tat late:slots");
}

static void two_dialers_share_one_budget(void **state)
{
    struct taker *a = new_taker(2, 40, 0), *b = new_taker(2, 40, 0);

    (void)state;
    RUN_UNTIL(pacing_is_ready(a->pacing) && pacing_is_ready(b->pacing));
    take(a);
    take(b);
    RUN_UNTIL(a->goes + b->goes > 0); /* a boot's second is over */
    int before = a->goes + b->goes;
    run_for(2000);
    int both = a->goes + b->goes - before;
    assert_in_range(both, 70, 84); /* 80 of one budget, not 160 */
    assert_true(a->goes > 0);
    assert_true(b->goes > 0);
    a->stop = b->stop = true;
    RUN_UNTIL(!a->pending && !b->pending);
    free_taker(a);
    free_taker(b);
}

static void slots_are_held_until_given_back_and_giving_twice_frees_one(void **state)
{
    struct taker *t = new_taker(3, 0, 2);

    (void)state;
    struct pacing_ask first = t->ask;
    take(t);
    RUN_UNTIL(t->fulls >= 2);
    assert_int_equal(t->goes, 2);
    pacing_give(t->pacing, &first.attempt);
    pacing_give(t->pacing, &first.attempt);
    RUN_UNTIL(t->goes == 3);
    int fulls = t->fulls;
    RUN_UNTIL(t->fulls >= fulls + 3);
    assert_int_equal(t->goes, 3);
    free_taker(t);
}

static void slots_whose_attempt_is_over_are_reclaimed_and_no_others(void **state)
{
    struct taker *t = new_taker(9, 0, 2);
    const char *held = "ZCARD furrow:abcd0123:pace:t:9:slots";

    (void)state;
    struct pacing_ask first = t->ask;
    take(t);
    RUN_UNTIL(t->fulls >= 1);
    t->stop = true;
    RUN_UNTIL(!t->pending);
    pacing_reclaim(t->pacing, &first.attempt, 1, 60000); /* both are young */
    run_for(100);
    assert_int_equal(redis_count(held), 2);
    pacing_reclaim(t->pacing, &first.attempt, 1, 0);
    RUN_UNTIL(redis_count(held) == 1);
    run_for(100);
    pacing_give(t->pacing, &first.attempt);
    RUN_UNTIL(redis_count(held) == 0);
    free_taker(t);
}

static void asking_again_for_the_same_attempt_takes_nothing_twice(void **state)
{
    struct taker *t = new_taker(4, 1, 1);

    (void)state;
    struct pacing_ask same = t->ask;
    RUN_UNTIL(pacing_is_ready(t->pacing));
    take(t);
    RUN_UNTIL(t->goes == 1);
    t->stop = true;
    RUN_UNTIL(!t->pending);
    t->pending = true;
    pacing_take(t->pacing, &same, on_take, t);
    RUN_UNTIL(!t->pending);
    assert_int_equal(t->goes, 2);
    assert_int_equal(redis_count("ZCARD furrow:abcd0123:pace:t:4:slots"), 1);
    free_taker(t);
}

static void after_a_flush_nothing_goes_out_until_the_slots_are_rebuilt(void **state)
{
    struct taker *t = new_taker(5, 100, 0);

    (void)state;
    take(t);
    RUN_UNTIL(t->goes >= 5);
    t->answer_rebuilds = false;
    t->open[0] = t->ask;
    t->open_count = 1;
    redis_do("FLUSHALL");
    int rebuilds = t->rebuilds;
    RUN_UNTIL(t->rebuilds > rebuilds);
    int before = t->goes;
    run_for(1500);
    assert_int_equal(t->goes, before); /* nobody has answered the rebuild yet */
    assert_false(pacing_is_ready(t->pacing));
    t->answer_rebuilds = true;
    int64_t rebuilt_at = mono_ms();
    pacing_rebuilt(t->pacing, t->open, t->open_count);
    RUN_UNTIL(t->goes > before);
    assert_true(t->at_ms[before] - rebuilt_at >= 990);
    free_taker(t);
}

static void a_rebuild_puts_open_attempts_back_into_their_slots(void **state)
{
    struct taker *t = new_taker(6, 0, 2);

    (void)state;
    for (int i = 0; i < 2; i++) {
        t->open[i] = t->ask;
        t->open[i].attempt = uuid_v7(clock_real_ms());
    }
    t->open_count = 2;
    redis_do("FLUSHALL");
    take(t);
    RUN_UNTIL(t->fulls >= 1);
    assert_int_equal(t->goes, 0);
    pacing_give(t->pacing, &t->open[1].attempt);
    RUN_UNTIL(t->goes == 1);
    free_taker(t);
}

/* Released and not sent: to the dialer that rebuilds, another's look like calls. */
static void a_rebuild_gives_no_token_to_what_is_not_sent_yet(void **state)
{
    struct taker *t = new_taker(10, 5, 8);
    struct pacing_ask unsent[3];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unsent); i++) {
        unsent[i] = t->ask;
        unsent[i].attempt = uuid_v7(clock_real_ms());
        t->open[i] = unsent[i];
    }
    t->open_count = ARRAY_LEN(unsent);
    redis_do("FLUSHALL");
    int rebuilds = t->rebuilds;
    RUN_UNTIL(t->rebuilds > rebuilds && pacing_is_ready(t->pacing));
    assert_int_equal(redis_count("ZCARD furrow:abcd0123:pace:t:10:slots"), 3);
    t->stop = true;        /* asks by hand */
    while (t->goes == 0) { /* until the rebuild's second is over */
        t->pending = true;
        pacing_take(t->pacing, &unsent[0], on_take, t);
        RUN_UNTIL(!t->pending);
        run_for(20);
    }
    for (size_t i = 1; i < ARRAY_LEN(unsent); i++)
        pacing_take(t->pacing, &unsent[i], on_take, t);
    int waits = t->waits;
    RUN_UNTIL(t->waits == waits + 2);
    assert_int_equal(t->goes, 1);
    /* The one that went holds its slot, the others none. */
    assert_int_equal(redis_count("ZCARD furrow:abcd0123:pace:t:10:slots"), 1);
    pacing_give(t->pacing, &unsent[0].attempt);
    RUN_UNTIL(redis_count("ZCARD furrow:abcd0123:pace:t:10:slots") == 0);
    free_taker(t);
}

static void move_dump(const char *from, const char *to)
{
    char old[96], new[96];

    snprintf(old, sizeof(old), "%s/%s", dir, from);
    snprintf(new, sizeof(new), "%s/%s", dir, to);
    assert_int_equal(rename(old, new), 0);
}

/* Not empty but old: its slots are those of yesterday's calls, its word that they are
 * right is yesterday's too. */
static void a_redis_restored_from_yesterday_is_rebuilt_before_the_next_token(void **state)
{
    struct taker *t = new_taker(11, 0, 2);
    const char *held = "ZCARD furrow:abcd0123:pace:t:11:slots";

    (void)state;
    RUN_UNTIL(pacing_is_ready(t->pacing));
    struct pacing_ask yesterday = t->ask;
    t->pending = true;
    pacing_take(t->pacing, &t->ask, on_take, t);
    t->stop = true;
    RUN_UNTIL(!t->pending && t->goes == 1);
    redis_do("SAVE");
    move_dump("dump.rdb", "yesterday.rdb");
    /* Today that call is over, and as many are up as may be. */
    pacing_give(t->pacing, &yesterday.attempt);
    RUN_UNTIL(redis_count(held) == 0);
    t->stop = false;
    t->open[0] = t->ask;
    take(t);
    RUN_UNTIL(t->goes == 2);
    t->open[1] = t->ask;
    RUN_UNTIL(t->fulls >= 1);
    assert_int_equal(t->goes, 3);
    t->stop = true;
    RUN_UNTIL(!t->pending);
    kill_redis();
    RUN_UNTIL(!pacing_is_ready(t->pacing));
    move_dump("yesterday.rdb", "dump.rdb");
    t->open_count = 2;
    t->answer_rebuilds = false;
    start_redis();
    assert_int_equal(redis_count("EXISTS furrow:abcd0123:pace:boot"), 1);
    assert_int_equal(redis_count(held), 1);
    int rebuilds = t->rebuilds, fulls = t->fulls;
    t->stop = false;
    take(t);
    RUN_UNTIL(t->rebuilds > rebuilds);
    run_for(300);
    assert_int_equal(t->goes, 3);
    t->answer_rebuilds = true;
    RUN_UNTIL(t->fulls >= fulls + 2);
    assert_int_equal(t->goes, 3);
    assert_int_equal(redis_count(held), 2); /* the truth, and not yesterday's */
    pacing_give(t->pacing, &t->open[0].attempt);
    RUN_UNTIL(t->goes == 4);
    free_taker(t);
    move_dump("dump.rdb", "yesterday.rdb");
    redis_do("FLUSHALL");
}

static void a_redis_that_was_a_replica_meanwhile_is_rebuilt(void **state)
{
    struct taker *t = new_taker(12, 50, 0);

    (void)state;
    take(t);
    RUN_UNTIL(t->goes >= 1);
    int rebuilds = t->rebuilds, aways = t->aways;
    redis_do("REPLICAOF 127.0.0.1 1");
    RUN_UNTIL(t->aways > aways);
    /* The same process with the same word of its own, but it may hold another's data. */
    redis_do("REPLICAOF NO ONE");
    int before = t->goes;
    RUN_UNTIL(t->goes > before);
    assert_true(t->rebuilds > rebuilds);
    free_taker(t);
}

static void a_dead_redis_means_no_calls_and_a_new_one_is_rebuilt(void **state)
{
    struct taker *t = new_taker(7, 100, 1);

    (void)state;
    RUN_UNTIL(pacing_is_ready(t->pacing));
    struct pacing_ask held = t->ask;
    take(t);
    RUN_UNTIL(t->goes == 1);
    kill_redis();
    int aways = t->aways, rebuilds = t->rebuilds;
    RUN_UNTIL(t->aways > aways + 1);
    assert_false(pacing_is_ready(t->pacing));
    assert_int_equal(t->goes, 1);
    pacing_give(t->pacing,
                &held.attempt); /* the call ends meanwhile; Postgres may not know */
    t->open[0] = held;
    t->open_count = 1;
    start_redis();
    RUN_UNTIL(t->rebuilds > rebuilds);
    RUN_UNTIL(t->goes >= 2); /* the give was said again after the rebuild */
    free_taker(t);
}

static void a_redis_that_hangs_is_away(void **state)
{
    struct taker *t = new_taker(8, 20, 0);

    (void)state;
    take(t);
    RUN_UNTIL(t->goes >= 2);
    int aways = t->aways;
    kill(server, SIGSTOP);
    RUN_UNTIL(t->aways > aways);
    assert_false(pacing_is_ready(t->pacing));
    int before = t->goes;
    kill(server, SIGCONT);
    RUN_UNTIL(t->goes > before);
    free_taker(t);
}

/* Each kind alone holds two dialers back: their other buckets are not the same. */
static void every_kind_of_limit_holds_for_all_dialers_together(void **state)
{
    (void)state;
    for (int kind = 0; kind < PACING_KINDS; kind++) {
        struct taker *a = new_taker(100 + 2 * kind, 0, 0);
        struct taker *b = new_taker(101 + 2 * kind, 0, 0);
        a->ask.at[kind] = b->ask.at[kind] = (struct pacing_bucket){900 + kind, 0, 3};
        struct uuid first = a->ask.attempt;
        take(a);
        take(b);
        RUN_UNTIL(a->fulls > 1 && b->fulls > 1);
        assert_int_equal(a->goes + b->goes, 3);
        if (a->at_ms[0]) { /* a's first call ends: one more goes out, whoever's */
            pacing_give(a->pacing, &first);
            RUN_UNTIL(a->goes + b->goes == 4);
        }
        a->stop = b->stop = true;
        RUN_UNTIL(!a->pending && !b->pending);
        free_taker(a);
        free_taker(b);
    }
}

/* Also after a pause, and whoever asks late: the instants are those of the tokens. */
static void no_second_has_more_than_the_rate_and_one(void **state)
{
    enum { RATE = 50, N = 150 };
    struct taker *t = new_taker(20, RATE, 0);

    (void)state;
    RUN_UNTIL(pacing_is_ready(t->pacing));
    take(t);
    RUN_UNTIL(t->goes >= 1);
    t->stop = true;
    RUN_UNTIL(!t->pending);
    run_for(300); /* nobody asks */
    t->stop = false;
    take(t);
    RUN_UNTIL(t->goes >= N);
    /* The longest run of RATE + 1 gaps that is shorter than a second by more than what a
     * busy machine may shift one answer by would be RATE + 2 calls in a second. */
    for (int i = 0; i + RATE + 1 < N; i++)
        assert_true(t->at_ms[i + RATE + 1] - t->at_ms[i] >= 980);
    free_taker(t);
}

static void congestion_halves_the_rate_and_it_climbs_back(void **state)
{
    struct taker *t = new_taker(21, 100, 0);

    (void)state;
    take(t);
    RUN_UNTIL(t->goes >= 3);
    pacing_told(t->pacing, 21, PACING_CONGESTED);
    pacing_told(t->pacing, 21, PACING_CONGESTED); /* of the same burst */
    RUN_UNTIL(pacing_percent(t->pacing, 21) < 100);
    int percent = pacing_percent(t->pacing, 21), before = t->goes;
    assert_in_range(percent, 49, 60);
    run_for(1000);
    assert_in_range(t->goes - before, 30, 62); /* 100 at full speed */
    RUN_UNTIL(pacing_percent(t->pacing, 21) > percent);
    redis_do("HSET furrow:abcd0123:pace:t:21:health at 0"); /* long ago */
    RUN_UNTIL(pacing_percent(t->pacing, 21) == 100);
    free_taker(t);
}

static void
ten_refusals_open_the_breaker_for_every_dialer_and_a_call_closes_it(void **state)
{
    struct taker *a = new_taker(22, 50, 0), *b = new_taker(22, 50, 0);

    (void)state;
    take(a);
    take(b);
    RUN_UNTIL(a->goes > 0 && b->goes > 0);
    for (int i = 0; i < 9; i++)
        pacing_told(a->pacing, 22, PACING_REFUSED);
    int before = b->goes;
    RUN_UNTIL(b->goes > before + 5);
    assert_int_equal(a->helds + b->helds, 0);
    pacing_told(a->pacing, 22, PACING_REFUSED);
    b->stop = true;
    RUN_UNTIL(a->helds > 0); /* it waits for its half minute now */
    RUN_UNTIL(!b->pending);
    /* One ask at a time: a repeated one for the same attempt is told GO again. */
    uv_timer_stop(&b->timer);
    b->stop = false;
    int held = b->helds;
    take(b);
    RUN_UNTIL(b->helds > held);
    /* The half minute is over: one call tries it, and no other before it is known. */
    redis_do("HSET furrow:abcd0123:pace:t:22:health open 1");
    before = b->goes;
    held = b->helds;
    take(b);
    RUN_UNTIL(b->helds > held);
    assert_int_equal(b->goes, before + 1);
    pacing_told(a->pacing, 22, PACING_TOOK_CALL);
    /* Told over another connection than the next ask, which may not overtake it. */
    RUN_UNTIL(redis_count("HSTRLEN furrow:abcd0123:pace:t:22:health open") < 2);
    uv_timer_stop(&b->timer);
    take(b);
    RUN_UNTIL(b->goes > before + 3);
    free_taker(a);
    free_taker(b);
}

static int stop_all(void **state)
{
    (void)state;
    kill_redis();
    rmdir(dir);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

#define PACING_TEST(name) cmocka_unit_test_teardown(name, free_takers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PACING_TEST(tokens_are_evenly_spaced),
        PACING_TEST(a_fast_limit_beside_a_slow_one_costs_no_turns),
        PACING_TEST(a_turn_that_passed_goes_back_unless_another_has_had_one_since),
        PACING_TEST(who_tries_the_breaker_and_is_late_is_still_the_one),
        PACING_TEST(two_dialers_share_one_budget),
        PACING_TEST(slots_are_held_until_given_back_and_giving_twice_frees_one),
        PACING_TEST(slots_whose_attempt_is_over_are_reclaimed_and_no_others),
        PACING_TEST(asking_again_for_the_same_attempt_takes_nothing_twice),
        PACING_TEST(every_kind_of_limit_holds_for_all_dialers_together),
        PACING_TEST(no_second_has_more_than_the_rate_and_one),
        PACING_TEST(congestion_halves_the_rate_and_it_climbs_back),
        PACING_TEST(ten_refusals_open_the_breaker_for_every_dialer_and_a_call_closes_it),
        PACING_TEST(after_a_flush_nothing_goes_out_until_the_slots_are_rebuilt),
        PACING_TEST(a_rebuild_puts_open_attempts_back_into_their_slots),
        PACING_TEST(a_rebuild_gives_no_token_to_what_is_not_sent_yet),
        PACING_TEST(a_redis_restored_from_yesterday_is_rebuilt_before_the_next_token),
        PACING_TEST(a_redis_that_was_a_replica_meanwhile_is_rebuilt),
        PACING_TEST(a_dead_redis_means_no_calls_and_a_new_one_is_rebuilt),
        PACING_TEST(a_redis_that_hangs_is_away),
    };

    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    if (!mkdtemp(dir) || clock_init(NULL, NULL) || uv_loop_init(&loop))
        return 1;
    start_redis();
    return cmocka_run_group_tests_name("pacing", tests, NULL, stop_all);
}
