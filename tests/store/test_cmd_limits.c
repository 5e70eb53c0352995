/* `furrow limit`, `furrow trunk set` and `furrow node` as an operator runs them, and what
 * a dialer then reads. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pg.h"
#include "base/uuid.h"
#include "campaigns/limit_store.h"
#include "campaigns/slot_store.h"
#include "campaigns/trunk_store.h"
#include "store/furrow_run.h"
#include "store/pgtest.h"

enum { TENANT = 1 };

static struct pg *db;

static void a_limit_holds_until_it_is_taken_away(void **state)
{
    struct limit_row row = {0};

    (void)state;
    text_has(RUN(0, "limit", "list"), "no limits but those of trunks and campaigns");
    RUN(0, "limit", "set", "+251115550100", "--cps", "0.5", "--max-calls", "10");
    RUN(0, "limit", "set", "tenant", "--max-calls", "40");
    RUN(0, "limit", "set", "tenant", "--max-calls", "30");
    assert_int_equal(limit_load(db, TENANT, "+251115550100", &row), 0);
    assert_true(row.cps == 0.5 && row.max_concurrent == 10 && row.id > 0);
    assert_int_equal(limit_load(db, TENANT, "", &row), 0);
    assert_true(row.cps == 0 && row.max_concurrent == 30);
    text_has(RUN(0, "limit", "list"), "at once: 30");
    text_has(RUN(0, "limit", "list", "--json"), "\"of\": \"+251115550100\"");
    RUN(0, "limit", "remove", "tenant");
    assert_int_equal(limit_load(db, TENANT, "", &row), 0);
    assert_int_equal(row.id, 0);
    text_has(RUN(1, "limit", "remove", "tenant"), "no such limit is set");
}

static void a_limit_that_says_nothing_is_refused(void **state)
{
    (void)state;
    text_has(RUN(2, "limit", "set", "tenant"), "say how much");
    text_has(RUN(2, "limit", "set", "tenant", "--cps", "-1"), "calls per second");
    text_has(RUN(2, "limit", "set", "tenant", "--cps", "nan"), "calls per second");
    text_has(RUN(2, "limit", "set", "tenant", "--max-calls", "0"), "calls at once");
    text_has(RUN(2, "limit", "set", "--cps", "1"), "say what is limited");
    text_has(RUN(2, "limit", "set", "0115550100", "--cps", "1"),
             "has no country code, and no campaign shows it so");
    text_has(RUN(2, "limit", "set", "sales", "--cps", "1"), "has no country code");
    text_has(RUN(2, "limit", "set", "+251 11 555 0100", "--cps", "1"), ": +251115550100");
    text_has(RUN(2, "limit", "set", "+9", "--cps", "1"), "is no number");
    assert_null(strstr(RUN(0, "limit", "list"), "0115550100 "));
}

static void a_trunk_is_changed_and_the_rest_of_it_stays(void **state)
{
    struct trunk_row t = {0};
    struct errtext e = {0};

    (void)state;
    RUN(0, "trunk", "add", "main", "--kind", "simulated", "--cps", "5", "--max-channels",
        "60", "--settings", "{\"seed\": 7}");
    text_has(RUN(0, "trunk", "set", "main", "--cps", "2"),
             "2 calls a second, 60 at once");
    assert_int_equal(trunk_find(db, TENANT, "main", &t, &e), 0);
    assert_true(t.cps == 2 && t.max_channels == 60);
    text_has(t.settings, "7");
    text_has(RUN(1, "trunk", "set", "main", "--cps", "0"), "above 0");
    text_has(RUN(1, "trunk", "set", "main", "--settings", "{\"answer\": 2}"), "settings");
    text_has(RUN(1, "trunk", "set", "main", "--settings", "{\"anwser\": 0.5}"),
             "'anwser' is no setting of a simulated trunk");
    text_has(RUN(0, "trunk", "set", "main", "--settings", "{\"answer\": 0.5}"), "answer");
    assert_int_equal(trunk_find(db, TENANT, "main", &t, &e), 0);
    text_has(t.settings, "\"seed\"");
    text_has(RUN(0, "trunk", "set", "main", "--settings", "{\"answer\": null}"), "gone");
    text_has(RUN(1, "trunk", "add", "sip", "--kind", "ari", "--cps", "1",
                 "--max-channels", "1", "--endpoint", "PJSIP/{number}@t", "--settings",
                 "{\"codec\": \"alaw\"}"),
             "a trunk of kind 'ari' has none");
    text_has(RUN(2, "trunk", "set", "main"), "say what is to change");
    text_has(RUN(2, "trunk", "set", "main", "--kind", "ari"), "stays of its kind");
    text_has(RUN(1, "trunk", "set", "maim", "--cps", "1"), "main");
    assert_int_equal(trunk_find(db, TENANT, "main", &t, &e), 0);
    assert_true(t.cps == 2);
}

/* ---- dialers beside each other ---- */

enum { NODES = 3 };
static struct uuid holders[NODES];

/* What node i hears when it says this. */
static struct slot_news say(int i, const char *held, bool ready, int weight, int priority)
{
    const struct slot_words words = {
        .held = held, .ready = ready, .weight = weight, .priority = priority};
    struct slot_news news = {0};

    assert_int_equal(slot_say(db, "dialer", i, &holders[i], &words, &news), 0);
    return news;
}

static void dialers_share_by_weight_and_a_spare_waits(void **state)
{
    const struct slot_words words = {.held = "", .ready = true, .weight = 1};
    struct slot_news news;
    int slot = 0;

    (void)state;
    for (int i = 0; i < NODES; i++) {
        holders[i] = uuid_v7(1000 + i);
        assert_int_equal(slot_take(db, "dialer", -1, &holders[i], "host", 1, &slot), 0);
        assert_int_equal(slot, i);
    }
    /* Of one weight: whoever is quicker. */
    assert_true(say(0, "", true, 2, 0).share == 0.5); /* the others have said nothing */
    say(1, "", true, 2, 0);
    say(2, "", true, 2, 1);
    assert_true(say(0, "", true, 2, 0).share == 1);
    assert_true(say(0, "", true, 6, 0).share == 0.75);
    assert_true(say(1, "", true, 2, 0).share == 0.25);
    /* The third waits while one of the two is at work, by whatever it may fail. */
    assert_true(say(2, "", true, 1, 1).spare);
    assert_false(say(0, "", true, 6, 0).spare);
    RUN(0, "node", "drain", "0");
    assert_true(say(0, "", true, 6, 0).drained);
    assert_true(say(1, "", true, 2, 0).share == 1);
    assert_true(say(2, "", true, 1, 1).spare);
    say(1, "", false, 2, 0);
    assert_false(say(2, "", true, 1, 1).spare);
    const char *list = RUN(0, "node", "list");
    text_has(list, "drained by hand; weight 6, priority 0");
    text_has(list, "its Asterisk is not connected; weight 2, priority 0");
    text_has(list, "weight 1, priority 1");
    RUN(0, "node", "resume", "0");
    assert_true(say(2, "", true, 1, 1).spare);
    say(0, "max_live_calls", true, 6, 0);
    assert_false(say(2, "", true, 1, 1).spare);
    say(0, "", true, 6, 0);
    pgtest_run(db, 0, "UPDATE node_slots SET lease_until = now() WHERE slot = 0");
    assert_false(say(2, "", true, 1, 1).spare);
    /* Somebody else has the slot. */
    assert_int_equal(slot_say(db, "dialer", 0, &holders[1], &words, &news), EACCES);
    text_has(RUN(0, "node", "list", "--json"), "\"weight\": 6");
}

/* ---- takeovers whose answer is lost ---- */

static void a_slot_whose_holder_did_not_hear_of_it_is_known_again(void **state)
{
    const struct uuid dead = uuid_v7(2000), heir = uuid_v7(2001);
    int slot = -1, again = -1, lapsed[4];
    size_t n = 0;

    (void)state;
    assert_int_equal(slot_take(db, "server", -1, &dead, "host", 1, &slot), 0);
    assert_int_equal(slot_take(db, "server", -1, &dead, "host", 1, &again), 0);
    assert_int_equal(again, slot);
    pgtest_run(db, 0, "UPDATE node_slots SET lease_until = now() WHERE kind = 'server'");
    assert_int_equal(slot_take(db, "server", slot, &heir, "host", 2, &again), 0);
    assert_int_equal(slot_list_lapsed(db, "server", &dead, lapsed, 4, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(slot_list_lapsed(db, "server", &heir, lapsed, 4, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(lapsed[0], slot);
    /* Whoever is asked next finds it, and the heir has lost it. */
    assert_int_equal(slot_lapse(db, "server", &heir), 0);
    assert_int_equal(slot_list_lapsed(db, "server", &dead, lapsed, 4, &n), 0);
    assert_int_equal(n, 1);
    /* All that one has. */
    assert_int_equal(slot_give(db, "server", -1, &dead), 0);
    assert_int_equal(slot_list_lapsed(db, "server", &dead, lapsed, 4, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(slot_give(db, "server", -1, &heir), 0);
    assert_int_equal(slot_list_lapsed(db, "server", &heir, lapsed, 4, &n), 0);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_holds_until_it_is_taken_away),
        cmocka_unit_test(a_limit_that_says_nothing_is_refused),
        cmocka_unit_test(a_trunk_is_changed_and_the_rest_of_it_stays),
        cmocka_unit_test(dialers_share_by_weight_and_a_spare_waits),
        cmocka_unit_test(a_slot_whose_holder_did_not_hear_of_it_is_known_again),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(db);
    return failed;
}
