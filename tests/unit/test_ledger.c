/* The ledger's pure parts: states, dispositions, permits. */
#include "unit/cm.h"

#include "base/str.h"
#include "campaigns/attempt.h"
#include "campaigns/disposition.h"
#include "campaigns/permit.h"

static void only_the_moves_of_the_protocol_are_legal(void **state)
{
    static const char *const legal[] = {
        "intent released", "intent withdrawn",   "released ringing", "released answered",
        "released ended",  "released withdrawn", "released unknown", "ringing answered",
        "ringing ended",   "ringing unknown",    "answered ended"};
    size_t found = 0;

    (void)state;
    for (int from = 0; from < ATTEMPT_STATES; from++) {
        for (int to = 0; to < ATTEMPT_STATES; to++) {
            CLEANUP(buf_free) struct buf move = {0};
            bool listed = false;
            buf_printf(&move, "%s %s", attempt_state_name((enum attempt_state)from),
                       attempt_state_name((enum attempt_state)to));
            for (size_t i = 0; i < ARRAY_LEN(legal); i++)
                listed |= str_is(legal[i], move.data);
            assert_int_equal(
                attempt_may_move((enum attempt_state)from, (enum attempt_state)to),
                listed);
            found += listed;
        }
    }
    assert_int_equal(found, ARRAY_LEN(legal));
}

static void what_is_over_never_moves_again(void **state)
{
    (void)state;
    for (int from = 0; from < ATTEMPT_STATES; from++) {
        if (attempt_is_open((enum attempt_state)from))
            continue;
        for (int to = 0; to < ATTEMPT_STATES; to++)
            assert_false(
                attempt_may_move((enum attempt_state)from, (enum attempt_state)to));
    }
    assert_true(attempt_is_called(ATTEMPT_UNKNOWN));
    assert_false(attempt_is_called(ATTEMPT_WITHDRAWN));
}

static void dispositions_follow_the_order_up_then_us_then_cause(void **state)
{
    static const struct {
        struct disposition_facts facts;
        enum disposition want;
    } cases[] = {
        {{.was_up = true, .cause = 16}, DISPOSITION_COMPLETED},
        {{.was_up = true, .we_hung_up = true, .cause = 17}, DISPOSITION_COMPLETED},
        {{.ring_timeout = true, .we_hung_up = true, .cause = 16}, DISPOSITION_NO_ANSWER},
        {{.we_hung_up = true, .cause = 17}, DISPOSITION_CANCELED},
        {{.cause = 17, .tech_cause = 486}, DISPOSITION_BUSY},
        {{.cause = 19, .tech_cause = 480}, DISPOSITION_NO_ANSWER},
        {{.cause = 21, .tech_cause = 603}, DISPOSITION_REJECTED},
        {{.cause = 21, .tech_cause = 403}, DISPOSITION_CONFIG},
        {{.cause = 1, .tech_cause = 404}, DISPOSITION_BAD_NUMBER},
        {{.cause = 34, .tech_cause = 503}, DISPOSITION_CONGESTION},
        /* Too many calls, whatever cause the switch makes of it. */
        {{.cause = 127, .tech_cause = 429}, DISPOSITION_CONGESTION},
        {{.cause = 31, .tech_cause = 503}, DISPOSITION_CONGESTION},
        {{.was_up = true, .cause = 16, .tech_cause = 503}, DISPOSITION_COMPLETED},
        {{.cause = 127, .tech_cause = 487}, DISPOSITION_FAILED},
        {{.cause = 0, .dial_status = "BUSY"}, DISPOSITION_BUSY},
        {{.cause = 17, .dial_status = "NOANSWER"}, DISPOSITION_BUSY},
        {{.cause = 0}, DISPOSITION_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(disposition_from(&cases[i].facts), cases[i].want);
}

static void a_permit_opens_one_door_once_and_only_for_two_seconds(void **state)
{
    const struct permit_facts facts = {.decision = "of a test", .phone = 251911234567};
    struct permit *p = permit_mint(&facts, 1000);

    (void)state;
    assert_true(permit_is_live(p, 2999, 0));
    assert_false(permit_is_live(p, 3000, 0));
    assert_false(permit_is_live(p, 999, 0)); /* a clock that ran back proves nothing */
    assert_true(permit_use(p, 1001, 0));
    assert_false(permit_use(p, 1001, 0));
    permit_free(p);
    p = permit_mint(&facts, 1000);
    assert_false(permit_use(p, 3000, 0));
    assert_false(permit_use(p, 1001, 0)); /* a failed use spends it too */
    permit_free(p);
}

static void a_permit_closes_with_the_window(void **state)
{
    const struct permit_facts facts = {
        .decision = "of a test", .phone = 251911234567, .open_until_ms = 5000};
    struct permit *p = permit_mint(&facts, 0);

    (void)state;
    assert_true(permit_is_live(p, 1, 4999));
    assert_false(permit_use(p, 1, 5000));
    permit_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_moves_of_the_protocol_are_legal),
        cmocka_unit_test(what_is_over_never_moves_again),
        cmocka_unit_test(dispositions_follow_the_order_up_then_us_then_cause),
        cmocka_unit_test(a_permit_opens_one_door_once_and_only_for_two_seconds),
        cmocka_unit_test(a_permit_closes_with_the_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
