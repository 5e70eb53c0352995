/* Answers leave after a flush that began after them, many with one. */
#include "unit/cm.h"

#include <errno.h>
#include <stdbool.h>

#include "server/http_flush.h"
#include "unit/http_loop.h"

static struct http_flush *flush;
static sem_t begun, go;
static atomic_int flushes;
static int fails_at; /* that flush fails; 0: none */

/* app is not used: one flush at a time. */
static int to_disk(void *app)
{
    int n = ++flushes;

    (void)app;
    sem_post(&begun);
    sem_wait(&go);
    return n == fails_at ? EIO : 0;
}

static bool add(struct http_flushed *item)
{
    return http_flush_add(flush, item, (struct MHD_Connection *)item);
}

static int set_up(void **state)
{
    (void)state;
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    flushes = fails_at = asleep = woken = 0;
    return http_flush_new(&flush, to_disk, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    http_flush_free(flush);
    return asleep != 0;
}

static void what_comes_during_a_flush_waits_for_the_next_one(void **state)
{
    struct http_flushed first, second, third;

    (void)state;
    assert_true(add(&first));
    assert_true(comes(&begun));
    assert_true(add(&second) && add(&third));
    assert_int_equal(woken, 0);
    sem_post(&go);
    assert_true(comes(&begun)); /* the second one has begun: the first is through */
    assert_int_equal(woken, 1);
    assert_int_equal(asleep, 2);
    sem_post(&go);
    http_flush_stop(flush);
    assert_int_equal(flushes, 2); /* one for both */
    assert_int_equal(first.err + second.err + third.err, 0);
}

static void a_flush_that_fails_is_told_to_its_own(void **state)
{
    struct http_flushed first, second;

    (void)state;
    fails_at = 1;
    assert_true(add(&first));
    assert_true(comes(&begun));
    assert_true(add(&second));
    sem_post(&go);
    assert_true(comes(&begun));
    sem_post(&go);
    http_flush_stop(flush);
    assert_int_equal(first.err, EIO);
    assert_int_equal(second.err, 0);
}

static void the_end_flushes_for_those_who_wait_and_takes_no_more(void **state)
{
    struct http_flushed waiting, late;

    (void)state;
    sem_post(&go); /* whenever it comes */
    assert_true(add(&waiting));
    http_flush_stop(flush);
    assert_int_equal(flushes, 1);
    assert_int_equal(woken, 1);
    assert_false(add(&late));
    assert_int_equal(asleep, 0); /* who is refused is not put to sleep */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_during_a_flush_waits_for_the_next_one),
        TEST(a_flush_that_fails_is_told_to_its_own),
        TEST(the_end_flushes_for_those_who_wait_and_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
