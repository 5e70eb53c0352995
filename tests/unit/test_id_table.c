/* dialer/id_table against a plain array. */
#include "unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include "dialer/id_table.h"

enum { N = 5000 };

static void finds_what_was_added_and_nothing_that_was_removed(void **state)
{
    struct id_table t = {0};
    struct uuid *ids = calloc(N, sizeof(*ids));

    (void)state;
    assert_null(id_table_find(&t, &ids[0]));
    for (int i = 0; i < N; i++) {
        ids[i] = uuid_v7(1000);
        assert_true(id_table_add(&t, &ids[i], &ids[i]));
    }
    assert_false(id_table_add(&t, &ids[7], &ids[8]));
    assert_ptr_equal(id_table_find(&t, &ids[7]), &ids[7]);
    for (int i = 0; i < N; i += 2)
        id_table_remove(&t, &ids[i]);
    id_table_remove(&t, &ids[0]);
    assert_int_equal(t.count, N / 2);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(id_table_find(&t, &ids[i]), i % 2 ? &ids[i] : NULL);
    /* A long life of adding and removing does not fill it up. */
    for (int i = 0; i < 50 * N; i++) {
        struct uuid id = uuid_v7(2000);
        assert_true(id_table_add(&t, &id, &t));
        id_table_remove(&t, &id);
    }
    assert_int_equal(t.count, N / 2);
    assert_true(t.cap <= 8 * N);
    id_table_free(&t);
    free(ids);
}

static void is_walked_once_each_while_entries_go(void **state)
{
    struct id_table t = {0};
    struct uuid ids[100];
    struct uuid *id = NULL;
    int seen = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        ids[i] = uuid_v7(1000);
        assert_true(id_table_add(&t, &ids[i], &ids[i]));
    }
    for (size_t at = 0; (id = id_table_next(&t, &at));) {
        seen++;
        id_table_remove(&t, id);
    }
    assert_int_equal(seen, 100);
    assert_int_equal(t.count, 0);
    id_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_and_nothing_that_was_removed),
        cmocka_unit_test(is_walked_once_each_while_entries_go),
    };

    return cmocka_run_group_tests_name("id_table", tests, NULL, NULL);
}
