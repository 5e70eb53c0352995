/* Who is served when not all can be: order, limits, patience, and the end. */
#include "unit/cm.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "server/http_gate.h"
#include "unit/http_loop.h"

enum { TASKS = 6, LONG_MS = 60000, SHORT_MS = 50 };

static struct http_gate *gate;
static struct http_place places[TASKS];
/* What the handlers did; each waits for go. */
static sem_t begun, go, shed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char order[TASKS + 1];
static size_t served;

static void serve(struct http_place *task, bool is_shed)
{
    pthread_mutex_lock(&lock);
    if (!is_shed)
        order[served++] = (char)('a' + (task - places));
    pthread_mutex_unlock(&lock);
    sem_post(is_shed ? &shed : &begun);
    if (!is_shed)
        sem_wait(&go);
}

static struct http_limits wide(void)
{
    struct http_limits limits;

    for (int c = 0; c < HTTP_CLASSES; c++)
        limits.of[c] = (struct http_limit){
            .running_max = 8, .waiting_max = 8, .patience_ms = LONG_MS};
    return limits;
}

static void begin(int threads, struct http_limits limits)
{
    assert_int_equal(http_gate_new(&gate, threads, &limits, serve), 0);
}

/* Task n, which is named by its letter. */
static bool enter(char name, enum http_class class)
{
    return http_gate_enter(gate, &places[name - 'a'], (struct MHD_Connection *)&places,
                           class, false);
}

static struct http_load load(void)
{
    struct http_load l;

    http_gate_load(gate, &l);
    return l;
}

static int set_up(void **state)
{
    (void)state;
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&shed, 0, 0);
    memset(order, 0, sizeof(order));
    served = 0;
    asleep = woken = 0;
    return 0;
}

/* Whoever slept was woken, once. */
static int tear_down(void **state)
{
    (void)state;
    http_gate_stop(gate);
    http_gate_free(gate);
    gate = NULL;
    return asleep != 0;
}

static void let_go(int n)
{
    for (int i = 0; i < n; i++)
        sem_post(&go);
}

static void the_more_urgent_comes_first(void **state)
{
    (void)state;
    begin(1, wide());
    assert_true(enter('a', HTTP_REST));
    assert_true(comes(&begun));
    assert_true(enter('b', HTTP_REST) && enter('c', HTTP_REST));
    assert_true(enter('d', HTTP_CALLBACK) && enter('e', HTTP_VOICE));
    assert_int_equal(load().of[HTTP_REST].waiting, 2);
    assert_int_equal(load().of[HTTP_REST].running, 1);
    let_go(5);
    for (int i = 0; i < 4; i++)
        assert_true(comes(&begun));
    assert_string_equal(order, "aedbc");
}

static void a_class_at_its_limit_leaves_threads_to_others(void **state)
{
    struct http_limits limits = wide();

    (void)state;
    limits.of[HTTP_REST].running_max = 1;
    begin(2, limits);
    assert_true(enter('a', HTTP_REST));
    assert_true(comes(&begun));
    assert_true(enter('b', HTTP_REST) && enter('c', HTTP_VOICE));
    assert_true(comes(&begun));
    assert_string_equal(order, "ac");
    assert_int_equal(load().of[HTTP_REST].waiting, 1);
    let_go(3);
    assert_true(comes(&begun));
    assert_string_equal(order, "acb");
}

static void a_full_line_has_no_place(void **state)
{
    struct http_limits limits = wide();

    (void)state;
    limits.of[HTTP_REST].waiting_max = 1;
    begin(1, limits);
    assert_int_equal(load().of[HTTP_REST].shed_ago_ms, -1);
    assert_true(enter('a', HTTP_REST));
    assert_true(comes(&begun));
    assert_false(http_gate_refuses(gate, HTTP_REST));
    assert_true(enter('b', HTTP_REST));
    assert_true(http_gate_refuses(gate, HTTP_REST));
    assert_false(enter('c', HTTP_REST));
    assert_int_equal(asleep, 2); /* who is refused is answered at once */
    assert_false(http_gate_refuses(gate, HTTP_VOICE));
    assert_int_equal(load().of[HTTP_REST].shed, 2);
    assert_int_equal(load().of[HTTP_VOICE].shed, 0);
    assert_in_range(load().of[HTTP_REST].shed_ago_ms, 0, LONG_MS);
    let_go(2);
    assert_true(comes(&begun));
    assert_string_equal(order, "ab");
}

static void who_has_waited_too_long_is_shed(void **state)
{
    struct http_limits limits = wide();

    (void)state;
    limits.of[HTTP_CALLBACK].patience_ms = SHORT_MS;
    begin(1, limits);
    assert_true(enter('a', HTTP_REST));
    assert_true(comes(&begun));
    assert_true(enter('b', HTTP_CALLBACK) && enter('c', HTTP_REST));
    assert_true(comes(&shed));
    assert_int_equal(load().of[HTTP_CALLBACK].shed, 1);
    assert_int_equal(load().of[HTTP_CALLBACK].waiting, 0);
    assert_int_equal(load().of[HTTP_REST].shed, 0);
    let_go(2);
    assert_true(comes(&begun));
    assert_string_equal(order, "ac");
}

static void a_class_is_shut_out_while_a_more_urgent_one_waits_long(void **state)
{
    struct http_limits limits = wide();

    (void)state;
    limits.of[HTTP_REST].patience_ms = SHORT_MS;
    begin(1, limits);
    assert_true(enter('a', HTTP_VOICE));
    assert_true(comes(&begun));
    assert_false(http_gate_refuses(gate, HTTP_REST)); /* voice runs, and none waits */
    assert_true(enter('b', HTTP_VOICE));
    while (load().of[HTTP_VOICE].oldest_ms < SHORT_MS)
        ;
    assert_true(http_gate_refuses(gate, HTTP_REST));
    assert_false(enter('c', HTTP_REST));
    assert_false(http_gate_refuses(gate, HTTP_CALLBACK)); /* it has more patience */
    assert_false(http_gate_refuses(gate, HTTP_VOICE));
    let_go(2);
    assert_true(comes(&begun));
    while (load().of[HTTP_VOICE].served < 2)
        ;
    assert_false(http_gate_refuses(gate, HTTP_REST));
}

static void *stop(void *arg)
{
    http_gate_stop(gate);
    return arg;
}

static void the_end_sheds_who_waits_and_waits_for_who_is_served(void **state)
{
    pthread_t thread;

    (void)state;
    begin(1, wide());
    assert_true(enter('a', HTTP_REST));
    assert_true(comes(&begun));
    assert_true(enter('b', HTTP_REST));
    assert_int_equal(pthread_create(&thread, NULL, stop, NULL), 0);
    while (!http_gate_refuses(gate, HTTP_VOICE)) /* until it stops */
        ;
    assert_false(enter('c', HTTP_VOICE));
    let_go(2); /* a's thread may still take b before the watch does */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(woken, 2);
    struct http_load l = load();
    assert_int_equal(l.of[HTTP_REST].served + l.of[HTTP_REST].shed, 2);
    assert_int_equal(l.of[HTTP_REST].running + l.of[HTTP_REST].waiting, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_more_urgent_comes_first),
        TEST(a_class_at_its_limit_leaves_threads_to_others),
        TEST(a_full_line_has_no_place),
        TEST(who_has_waited_too_long_is_shed),
        TEST(a_class_is_shut_out_while_a_more_urgent_one_waits_long),
        TEST(the_end_sheds_who_waits_and_waits_for_who_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
