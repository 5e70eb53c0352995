/* Campaigns on a real database: life cycle, populating, planned starts, completion,
 * reports; what two processes do at once. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_check_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/report_store.h"
#include "store/pgtest.h"

static struct pg *pg;
static int64_t now_ms; /* 2026-11-24T06:00:00Z, a Tuesday */

enum { SQL_MAX = 2000 };

static void run(const char *fmt, ...)
{
    char sql[SQL_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    pgtest_run(pg, 1, sql);
}

static int64_t number(const char *fmt, ...)
{
    char sql[SQL_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    return pgtest_i64(pg, 1, sql);
}

/* A list of n people in Addis Ababa; adds to it when there is one. */
static int64_t people(const char *list, int n)
{
    run("INSERT INTO lists (tenant_id, name, created_at) VALUES (1, '%s', "
        "furrow_ts(%" PRId64 ")) ON CONFLICT DO NOTHING",
        list, now_ms);
    run("INSERT INTO zone_groups (tenant_id, region, zones) VALUES (1, 'ET', "
        "'{Africa/Addis_Ababa}') ON CONFLICT DO NOTHING");
    int64_t id = number("SELECT id FROM lists WHERE name = '%s'", list);
    run("INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region) "
        "SELECT 1, %" PRId64
        ", 251911000000 + (SELECT count(*) FROM contacts) + i, 1, z.id, "
        "'ET' FROM generate_series(1, %d) i, zone_groups z WHERE z.region = 'ET'",
        id, n);
    return id;
}

static void document(char *text, size_t size, const char *name, const char *list,
                     const char *more)
{
    snprintf(text, size,
             "{\"name\": \"%s\", \"list\": \"%s\", \"flow\": \"coffee\", \"trunk\": "
             "\"main\"%s}",
             name, list, more);
}

static int64_t create(const char *name, const char *list, const char *more)
{
    static struct campaign_issues issues;
    struct campaign_row row = {0};
    char text[1000];

    document(text, sizeof(text), name, list, more);
    int err = campaign_create(pg, 1, text, strlen(text), now_ms, &row, &issues);
    if (err)
        fail_msg("%s: %s", strerror(err), issues.at[0].text);
    assert_int_equal(row.state, CAMPAIGN_DRAFT);
    return row.id;
}

static enum campaign_state state_of(int64_t id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    enum campaign_state state = CAMPAIGN_STATES;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(pg_run(pg, &res, "SELECT state FROM campaigns WHERE id = $1", &a),
                     0);
    assert_int_equal(pg_commit(pg), 0);
    assert_true(campaign_state_parse(pg_text(res, 0, 0), &state));
    return state;
}

static int command(int64_t id, enum campaign_command c, struct errtext *e)
{
    *e = (struct errtext){0};
    return campaign_command(pg, 1, id, c, "because", now_ms, NULL, e);
}

static void start(int64_t id)
{
    struct errtext e;

    if (command(id, CAMPAIGN_START, &e))
        fail_msg("%s", e.text);
}

static size_t populate(int64_t id, size_t max)
{
    size_t added = 0;
    bool loading = true;

    assert_int_equal(campaign_populate(pg, 1, id, max, now_ms, &added, &loading), 0);
    assert_false(loading);
    return added;
}

/* ---- create ---- */

static void a_draft_keeps_its_text_and_pins_the_newest_revision(void **state)
{
    CLEANUP(free_cleanup) char *text = NULL;
    const struct campaign_doc *doc = NULL, *again = NULL;
    struct campaign_row row = {0};
    struct errtext e = {0};

    (void)state;
    people("basics", 3);
    int64_t id = create("basics", "basics", ",\n\n  \"priority\": 5");
    assert_int_equal(campaign_find(pg, 1, "basics", &row, &e), 0);
    assert_int_equal(row.id, id);
    assert_int_equal(row.created_at_ms, now_ms);
    assert_int_equal(row.started_at_ms, 0);
    assert_int_equal(row.flow_revision_id, number("SELECT max(id) FROM flow_revisions"));
    assert_int_equal(campaign_text(pg, 1, id, &text), 0);
    assert_non_null(strstr(text, ",\n\n  \"priority\": 5"));
    assert_int_equal(campaign_doc_get(pg, 1, id, &doc), 0);
    assert_int_equal(doc->priority, 5);
    assert_int_equal(campaign_doc_get(pg, 1, id, &again), 0);
    assert_ptr_equal(doc, again); /* kept with the connection */
    assert_int_equal(campaign_doc_get(pg, 2, id, &again), ENOENT); /* not for others */
    assert_int_equal(campaign_doc_get(pg, 1, 999999, &again), ENOENT);
}

static void everything_that_is_missing_is_said_at_its_place(void **state)
{
    static const char text[] = "{\"name\": \"x\",\n\"list\": \"basicz\",\n\"flow\": "
                               "\"cofee\",\n\"trunk\": \"other\"}";
    static struct campaign_issues issues;
    struct campaign_row row = {0};

    (void)state;
    assert_int_equal(
        campaign_create(pg, 1, text, sizeof(text) - 1, now_ms, &row, &issues), EINVAL);
    assert_int_equal(issues.found, 3);
    assert_string_equal(issues.at[0].text, "no list 'basicz'; did you mean 'basics'?");
    assert_int_equal(issues.at[0].line, 2);
    assert_int_equal(issues.at[0].column, 9);
    assert_string_equal(issues.at[1].text, "no flow 'cofee'; did you mean 'coffee'?");
    assert_int_equal(issues.at[1].line, 3);
    assert_string_equal(issues.at[2].pointer, "/trunk");
    assert_int_equal(number("SELECT count(*) FROM campaigns WHERE name = 'x'"), 0);
}

static void a_taken_name_is_refused(void **state)
{
    static const char text[] = "{\"name\": \"basics\", \"list\": \"basics\", \"flow\": "
                               "\"coffee\", \"trunk\": \"main\"}";
    static struct campaign_issues issues;
    struct campaign_row row = {0};

    (void)state;
    assert_int_equal(
        campaign_create(pg, 1, text, sizeof(text) - 1, now_ms, &row, &issues), EEXIST);
    assert_string_equal(issues.at[0].text, "there is a campaign 'basics' already");
    /* Another tenant has its own names, and none of our lists. */
    assert_int_equal(
        campaign_create(pg, 2, text, sizeof(text) - 1, now_ms, &row, &issues), EINVAL);
    assert_int_equal(issues.found, 3);
}

static void a_name_that_does_not_exist_gets_the_nearest(void **state)
{
    struct campaign_row row = {0};
    struct errtext e = {0};

    (void)state;
    assert_int_equal(campaign_find(pg, 1, "basic", &row, &e), ENOENT);
    assert_string_equal(e.text, "no campaign 'basic'; did you mean 'basics'?");
}

static void campaigns_are_listed_by_priority(void **state)
{
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    CLEANUP(free_cleanup) struct campaign_row *running = NULL;
    size_t n = 0;

    (void)state;
    create("low", "basics", ", \"priority\": -1");
    create("high", "basics", ", \"priority\": 9");
    assert_int_equal(campaign_list(pg, 1, CAMPAIGN_STATES, &all, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(all[0].name, "high");
    assert_string_equal(all[1].name, "basics");
    assert_string_equal(all[2].name, "low");
    assert_int_equal(campaign_list(pg, 1, CAMPAIGN_RUNNING, &running, &n), 0);
    assert_int_equal(n, 0);
}

/* ---- life cycle ---- */

/* Every state and every command, legal and not, against the pure table. */
static void every_command_in_every_state_does_what_the_table_says(void **state)
{
    int64_t id = create("cycle", "basics", "");

    (void)state;
    for (int from = 0; from < CAMPAIGN_STATES; from++) {
        for (int c = 0; c < CAMPAIGN_COMMANDS; c++) {
            enum campaign_state want = (enum campaign_state)from;
            struct errtext e;

            run("UPDATE campaigns SET state = '%s' WHERE id = %" PRId64,
                campaign_state_name((enum campaign_state)from), id);
            bool legal = lifecycle_move((enum campaign_state)from,
                                        (enum campaign_command)c, &want);
            int err = command(id, (enum campaign_command)c, &e);
            assert_int_equal(err, legal ? 0 : EPERM);
            assert_int_equal(state_of(id), want);
            assert_int_equal(strstr(e.text, "campaign can be") != NULL, !legal);
        }
    }
}

static void a_move_notes_when_and_why(void **state)
{
    int64_t id = create("notes", "basics", "");
    struct campaign_row row = {0};
    struct errtext e = {0};

    (void)state;
    assert_int_equal(campaign_command(pg, 1, id, CAMPAIGN_START, NULL, now_ms, &row, &e),
                     0);
    assert_int_equal(row.started_at_ms, now_ms);
    assert_int_equal(campaign_command(pg, 1, id, CAMPAIGN_FAULT, "trunk 'main' is gone",
                                      now_ms + 5, &row, &e),
                     0);
    assert_string_equal(row.stop_reason, "trunk 'main' is gone");
    assert_int_equal(row.started_at_ms, now_ms);
    assert_int_equal(
        campaign_command(pg, 1, id, CAMPAIGN_RESUME, NULL, now_ms + 9, &row, &e), 0);
    assert_string_equal(row.stop_reason, "");
    assert_int_equal(row.started_at_ms, now_ms); /* it went on, it did not begin anew */
    assert_int_equal(
        campaign_command(pg, 1, id, CAMPAIGN_STOP, NULL, now_ms + 11, &row, &e), 0);
    assert_int_equal(row.ended_at_ms, now_ms + 11);
    assert_int_equal(
        campaign_command(pg, 1, id, CAMPAIGN_START, NULL, now_ms + 12, &row, &e), 0);
    assert_int_equal(row.ended_at_ms, 0);
    assert_int_equal(row.started_at_ms, now_ms + 12);
    assert_int_equal(campaign_command(pg, 2, id, CAMPAIGN_STOP, NULL, now_ms, &row, &e),
                     ENOENT);
    assert_int_equal(command(id, CAMPAIGN_STOP, &e), 0);
}

static void publish(const char *name, const char *entry, const char *nodes)
{
    CLEANUP(free_cleanup)
    char *text = xasprintf("{\"furrow\": 1, \"name\": \"%s\", \"language\": \"en\", "
                           "\"entry\": \"%s\", \"nodes\": {%s}}",
                           name, entry, nodes);
    struct flow_row flow;
    bool fresh = false;

    assert_int_equal(flow_publish(pg, 1, name, text, now_ms, &flow, &fresh), 0);
    assert_true(fresh);
}

/* A revision holds its sub-flows; one of before there were pins takes the newest, also of
 * a campaign that runs. */
static void a_sub_flow_that_falls_silent_holds_its_campaign(void **state)
{
    static const char word[] =
        "\"s\": {\"kind\": \"say\", \"prompt\": {\"en\": \"Sorry.\"}, "
        "\"exits\": {\"done\": \"end\", \"failed\": \"end\"}}";
    static const char none[] =
        "\"s\": {\"kind\": \"set\", \"set\": {\"x\": 1}, \"exits\": "
        "{\"done\": \"end\"}}";
    static const char text[] =
        "{\"name\": \"desk\", \"list\": \"desk\", \"flow\": \"desk\", \"trunk\": "
        "\"main\", "
        "\"mode\": {\"kind\": \"progressive\", \"queue\": \"sales\"}}";
    static struct campaign_issues issues;
    struct campaign_row row;
    struct errtext e = {0};

    (void)state;
    people("desk", 2);
    publish("regret", "s", word);
    publish("desk", "q",
            "\"q\": {\"kind\": \"queue\", \"queue\": \"sales\", \"exits\": {\"served\": "
            "\"end\", \"timeout\": \"r\", \"full\": \"r\", \"failed\": \"r\"}}, \"r\": "
            "{\"kind\": \"subflow\", \"flow\": \"regret\", \"exits\": {\"done\": "
            "\"end\", \"failed\": \"end\"}}");
    assert_int_equal(campaign_create(pg, 1, text, strlen(text), now_ms, &row, &issues),
                     0);
    start(row.id);
    assert_int_equal(campaign_check(pg, 1, row.id, now_ms), 0);
    assert_int_equal(state_of(row.id), CAMPAIGN_RUNNING);

    publish("regret", "s", none);
    assert_int_equal(campaign_check(pg, 1, row.id, now_ms), 0);
    assert_int_equal(state_of(row.id), CAMPAIGN_RUNNING);

    pgtest_run(pg, 1,
               "UPDATE flow_revisions r SET subflows = NULL FROM flows f WHERE f.id = "
               "r.flow_id AND f.name = 'desk'");
    publish("regret", "s", word);
    publish("regret", "s", none);
    assert_int_equal(campaign_check(pg, 1, row.id, now_ms), 0);
    assert_int_equal(state_of(row.id), CAMPAIGN_PAUSED);
    assert_int_equal(campaign_find(pg, 1, "desk", &row, &e), 0);
    assert_non_null(strstr(row.stop_reason, "node 'q'"));
    assert_int_equal(number("SELECT count(*) FROM campaign_events WHERE campaign_id = "
                            "%" PRId64 " AND text LIKE 'paused: flow ''desk''%%'",
                            row.id),
                     1);
    assert_int_equal(command(row.id, CAMPAIGN_RESUME, &e), EPERM);
    assert_non_null(strstr(e.text, "by the exit 'full' the call ends without a word"));

    publish("regret", "s", word);
    assert_int_equal(command(row.id, CAMPAIGN_RESUME, &e), 0);
    assert_int_equal(campaign_check(pg, 1, row.id, now_ms), 0);
    assert_int_equal(state_of(row.id), CAMPAIGN_RUNNING);
    assert_int_equal(command(row.id, CAMPAIGN_STOP, &e), 0);
}

/* ---- two at once ---- */

struct at_once {
    int64_t id;
    pthread_barrier_t *barrier;
    size_t sum;
    int err;
};

static void at_once(void *(*work)(void *), struct at_once two[2], int64_t id)
{
    pthread_barrier_t barrier;
    pthread_t threads[2];

    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++) {
        two[i] = (struct at_once){.id = id, .barrier = &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &two[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}

static void *populate_in_batches(void *arg)
{
    struct at_once *t = arg;
    struct pg *own = pgtest_open();
    size_t added = 100;
    bool loading = false;

    pthread_barrier_wait(t->barrier);
    while (!t->err && added == 100) {
        t->err = campaign_populate(own, 1, t->id, 100, now_ms, &added, &loading);
        t->sum += added;
    }
    pg_close(own);
    return NULL;
}

static void two_processes_fill_a_campaign_with_each_contact_once(void **state)
{
    struct at_once two[2];

    (void)state;
    people("big", 5230);
    int64_t id = create("big", "big", "");
    at_once(populate_in_batches, two, id);
    assert_int_equal(two[0].err, 0);
    assert_int_equal(two[1].err, 0);
    assert_int_equal(two[0].sum + two[1].sum, 5230);
    assert_int_equal(
        number("SELECT count(*) FROM campaign_contacts k JOIN contacts c ON "
               "c.id = k.contact_id AND c.phone = k.phone AND c.zone_group = "
               "k.zone_group WHERE k.campaign_id = %" PRId64
               " AND k.state = 'pending' AND k.next_attempt_at = "
               "furrow_ts(%" PRId64 ")",
               id, now_ms),
        5230);
    assert_int_equal(populate(id, 100), 0);
}

static void what_comes_into_the_list_later_is_added(void **state)
{
    (void)state;
    people("grows", 250);
    int64_t id = create("grows", "grows", "");
    assert_int_equal(populate(id, 100), 100);
    assert_int_equal(populate(id, 100), 100);
    assert_int_equal(populate(id, 100), 50);
    people("another", 10); /* their ids lie between */
    assert_int_equal(populate(id, 100), 0);
    people("grows", 7);
    assert_int_equal(populate(id, 100), 7);
    assert_int_equal(
        number("SELECT last_contact_id FROM campaigns WHERE id = %" PRId64, id),
        number("SELECT max(id) FROM contacts"));
}

/* An import's rows have lower ids than what commits before it. */
static void a_list_that_is_loading_loses_nobody(void **state)
{
    struct pg *import = pgtest_open();
    size_t added = 0, completed = 0;
    bool loading = false;
    char sql[SQL_MAX];

    (void)state;
    int64_t list = people("loads", 1);
    int64_t id = create("loads", "loads", "");
    start(id);
    assert_int_equal(pg_begin(import, 1), 0);
    snprintf(sql, sizeof(sql),
             "SELECT pg_advisory_xact_lock(x'4655524D'::int, %" PRId64 ")", list);
    assert_int_equal(pg_run(import, NULL, sql, NULL), 0);
    snprintf(sql, sizeof(sql),
             "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
             "region) SELECT 1, %" PRId64 ", 251922000000 + i, 1, max(z.id), 'ET' FROM "
             "generate_series(1, 20) i, zone_groups z GROUP BY i",
             list);
    assert_int_equal(pg_run(import, NULL, sql, NULL), 0);
    people("loads", 1); /* a callback's contact, with a higher id, is seen first */
    assert_int_equal(campaign_populate(pg, 1, id, 100, now_ms, &added, &loading), 0);
    assert_int_equal(added, 2);
    assert_true(loading);
    run("UPDATE campaign_contacts SET state = 'final', final = 'completed' WHERE "
        "campaign_id = %" PRId64,
        id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms, &completed), 0);
    assert_int_equal(state_of(id), CAMPAIGN_RUNNING); /* more is on its way */
    assert_int_equal(pg_commit(import), 0);
    pg_close(import);
    assert_int_equal(populate(id, 100), 20);
    struct errtext e;
    assert_int_equal(command(id, CAMPAIGN_STOP, &e), 0);
}

/* ---- completion ---- */

static void a_campaign_is_done_when_its_contacts_are_populated_and_final(void **state)
{
    size_t completed = 0;
    struct campaign_row row = {0};
    struct errtext e = {0};

    (void)state;
    people("ends", 3);
    int64_t id = create("ends", "ends", "");
    start(id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms, &completed), 0);
    assert_int_equal(state_of(id), CAMPAIGN_RUNNING); /* nobody is populated yet */
    assert_int_equal(populate(id, 100), 3);
    run("UPDATE campaign_contacts SET state = 'final', final = 'completed' WHERE "
        "campaign_id = %" PRId64 " AND contact_id <> (SELECT max(contact_id) FROM "
        "campaign_contacts WHERE campaign_id = %" PRId64 ")",
        id, id);
    run("UPDATE campaign_contacts SET state = 'calling' WHERE campaign_id = %" PRId64
        " AND state = 'pending'",
        id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms, &completed), 0);
    assert_int_equal(completed, 0);
    run("UPDATE campaign_contacts SET state = 'final', final = 'busy' WHERE campaign_id "
        "= "
        "%" PRId64 " AND state = 'calling'",
        id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms + 7, &completed), 0);
    assert_int_equal(completed, 1);
    assert_int_equal(campaign_find(pg, 1, "ends", &row, &e), 0);
    assert_int_equal(row.state, CAMPAIGN_DONE);
    assert_int_equal(row.ended_at_ms, now_ms + 7);
}

/* Two callbacks that commit out of order: the mark has passed one of them. */
static void a_contact_the_mark_has_passed_is_found_before_the_end(void **state)
{
    size_t completed = 0;

    (void)state;
    people("slips", 5);
    int64_t id = create("slips", "slips", "");
    start(id);
    assert_int_equal(populate(id, 100), 5);
    run("DELETE FROM campaign_contacts WHERE campaign_id = %" PRId64 " AND contact_id = "
        "(SELECT min(contact_id) + 1 FROM campaign_contacts WHERE campaign_id = %" PRId64
        ")",
        id, id);
    run("UPDATE campaign_contacts SET state = 'final', final = 'busy' WHERE campaign_id "
        "= "
        "%" PRId64,
        id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms, &completed), 0);
    assert_int_equal(completed, 0);
    /* One at a time, so that whole batches of known ones lie before it. */
    assert_int_equal(populate(id, 1), 1);
    assert_int_equal(populate(id, 1), 0);
    run("UPDATE campaign_contacts SET state = 'final', final = 'busy' WHERE campaign_id "
        "= "
        "%" PRId64,
        id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms, &completed), 0);
    assert_int_equal(state_of(id), CAMPAIGN_DONE);
}

static void keep_open_waits_and_an_end_ends_it_even_when_paused(void **state)
{
    size_t completed = 0;
    struct errtext e;

    (void)state;
    people("open", 1);
    int64_t id = create("open", "open",
                        ", \"keep_open\": true, \"end\": "
                        "\"2026-11-24T08:00:00Z\"");
    int64_t pending = create("timed", "open", ", \"end\": \"2026-11-24T08:00:00Z\"");
    start(id);
    start(pending);
    assert_int_equal(populate(id, 10), 1);
    assert_int_equal(populate(pending, 10), 1);
    run("UPDATE campaign_contacts SET state = 'final', final = 'busy' WHERE campaign_id "
        "= "
        "%" PRId64,
        id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms, &completed), 0);
    assert_int_equal(completed, 0);
    assert_int_equal(command(pending, CAMPAIGN_PAUSE, &e), 0);
    assert_int_equal(
        campaign_complete_due(pg, 1, now_ms + 2 * 3600 * 1000 - 1, &completed), 0);
    assert_int_equal(completed, 0);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms + 2 * 3600 * 1000, &completed),
                     0);
    assert_int_equal(completed, 2);
    assert_int_equal(state_of(pending), CAMPAIGN_DONE);
}

/* ---- planned starts ---- */

static void *fire(void *arg)
{
    struct at_once *t = arg;
    struct pg *own = pgtest_open();

    pthread_barrier_wait(t->barrier);
    t->err = campaign_fire_due(own, 1, now_ms, &t->sum);
    pg_close(own);
    return NULL;
}

static void a_planned_start_fires_once_whoever_sees_it_first(void **state)
{
    struct at_once two[2];
    size_t fired = 0;

    (void)state;
    people("planned", 2);
    int64_t id = create("planned", "planned", ", \"start\": \"2026-11-24T06:00:00Z\"");
    assert_int_equal(campaign_fire_due(pg, 1, now_ms - 1, &fired), 0);
    assert_int_equal(fired, 0);
    at_once(fire, two, id);
    assert_int_equal(two[0].err, 0);
    assert_int_equal(two[1].err, 0);
    assert_int_equal(two[0].sum + two[1].sum, 1);
    assert_int_equal(state_of(id), CAMPAIGN_RUNNING);
    assert_int_equal(number("SELECT count(*) FROM campaign_fires WHERE campaign_id = "
                            "%" PRId64,
                            id),
                     1);
    /* A person who stops it is not overruled. */
    struct errtext e;
    assert_int_equal(command(id, CAMPAIGN_STOP, &e), 0);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 1000, &fired), 0);
    assert_int_equal(fired, 0);
    assert_int_equal(state_of(id), CAMPAIGN_STOPPED);
}

static void of_several_missed_starts_the_latest_fires(void **state)
{
    int64_t day = (int64_t)86400 * 1000;
    size_t fired = 0;

    (void)state;
    int64_t id = create("daily", "planned",
                        ", \"schedule\": {\"cron\": \"0 9 * * *\", "
                        "\"timezone\": \"Africa/Addis_Ababa\"}");
    assert_int_equal(campaign_fire_due(pg, 1, now_ms, &fired), 0);
    assert_int_equal(fired, 0); /* nine o'clock is its creation; it counts from then on */
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 3 * day + 1, &fired), 0);
    assert_int_equal(fired, 1);
    assert_int_equal(number("SELECT furrow_ms(planned_at) FROM campaign_fires WHERE "
                            "campaign_id = %" PRId64,
                            id),
                     now_ms + 3 * day);
    /* It runs when the next one comes: noted, and it goes on. */
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 4 * day, &fired), 0);
    assert_int_equal(fired, 0);
    assert_int_equal(number("SELECT count(*) FROM campaign_fires WHERE campaign_id = "
                            "%" PRId64,
                            id),
                     2);
    struct errtext e;
    assert_int_equal(command(id, CAMPAIGN_PAUSE, &e), 0);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 5 * day, &fired), 0);
    assert_int_equal(state_of(id), CAMPAIGN_PAUSED);
    assert_int_equal(command(id, CAMPAIGN_STOP, &e), 0);
}

static void change(int64_t id, const char *name, const char *more, int64_t at_ms)
{
    struct campaign_row row = {.tenant_id = 1, .id = id};
    struct campaign_issues issues;
    char text[1000];

    document(text, sizeof(text), name, "planned", more);
    assert_int_equal(campaign_change(pg, &row, text, strlen(text), at_ms, &issues), 0);
}

/* Nine in the morning was no planned start before three in the afternoon. */
static void what_a_changed_plan_would_have_had_before_does_not_start(void **state)
{
    static const char nine[] = ", \"schedule\": {\"cron\": \"0 9 * * *\", "
                               "\"timezone\": \"Africa/Addis_Ababa\"}";
    static const char noon[] = ", \"schedule\": {\"cron\": \"0 12 * * *\", "
                               "\"timezone\": \"Africa/Addis_Ababa\"}";
    int64_t hour = (int64_t)3600 * 1000, day = 24 * hour;
    size_t fired = 0, completed = 0;

    (void)state;
    int64_t id = create("replanned", "planned", "");
    change(id, "replanned", nine, now_ms + 3 * day + 6 * hour);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 3 * day + 6 * hour + 1, &fired),
                     0);
    assert_int_equal(state_of(id), CAMPAIGN_DRAFT);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 4 * day, &fired), 0);
    assert_int_equal(state_of(id), CAMPAIGN_RUNNING);
    assert_int_equal(populate(id, 10), 2);
    run("UPDATE campaign_contacts SET state = 'final', final = 'completed' WHERE "
        "campaign_id = %" PRId64,
        id);
    assert_int_equal(campaign_complete_due(pg, 1, now_ms + 4 * day, &completed), 0);
    assert_int_equal(state_of(id), CAMPAIGN_DONE);
    /* Another rule leaves the plan as it was; another plan begins with itself. */
    change(id, "replanned", ", \"priority\": 3", now_ms + 4 * day + hour);
    change(id, "replanned", noon, now_ms + 4 * day + 6 * hour);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 4 * day + 6 * hour + 1, &fired),
                     0);
    assert_int_equal(state_of(id), CAMPAIGN_DONE);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + 5 * day + 3 * hour, &fired), 0);
    assert_int_equal(state_of(id), CAMPAIGN_RUNNING);
    run("UPDATE campaigns SET state = 'stopped' WHERE id = %" PRId64, id);
}

/* Who changes the pace does not lose the start that was missed. */
static void a_missed_start_survives_a_change_of_something_else(void **state)
{
    char nine[300];
    int64_t hour = (int64_t)3600 * 1000, day = 24 * hour;
    size_t fired = 0;

    (void)state;
    str_cut(nine, sizeof(nine),
            ", \"schedule\": {\"cron\": \"0 9 * * *\", "
            "\"timezone\": \"Africa/Addis_Ababa\"}");
    int64_t id = create("missed", "planned", nine);
    str_cut(nine + strlen(nine), sizeof(nine) - strlen(nine), ", \"priority\": 3");
    change(id, "missed", nine, now_ms + day + hour);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + day + 2 * hour, &fired), 0);
    assert_int_equal(state_of(id), CAMPAIGN_RUNNING);
    run("UPDATE campaigns SET state = 'stopped' WHERE id = %" PRId64, id);
}

static void everyone_again_resets_finals_and_new_does_not(void **state)
{
    static const char schedule[] = ", \"schedule\": {\"cron\": \"0 9 * * *\", "
                                   "\"timezone\": \"Africa/Addis_Ababa\"}";
    int64_t day = (int64_t)86400 * 1000, ids[2];
    char more[300];
    size_t fired = 0, completed = 0;

    (void)state;
    snprintf(more, sizeof(more), "%s, \"each_run\": \"everyone\"", schedule);
    ids[0] = create("again", "planned", more);
    ids[1] = create("only-new", "planned", schedule);
    for (int i = 0; i < 2; i++) {
        start(ids[i]);
        assert_int_equal(populate(ids[i], 10), 2);
        run("UPDATE campaign_contacts SET state = 'final', final = 'completed', attempts "
            "= "
            "3, last_disposition = 'completed', first_refusal = 403 WHERE campaign_id = "
            "%" PRId64,
            ids[i]);
    }
    assert_int_equal(campaign_complete_due(pg, 1, now_ms, &completed), 0);
    assert_int_equal(completed, 2);
    assert_int_equal(campaign_fire_due(pg, 1, now_ms + day, &fired), 0);
    assert_int_equal(fired, 2);
    assert_int_equal(number("SELECT count(*) FROM campaign_contacts WHERE campaign_id = "
                            "%" PRId64
                            " AND state = 'pending' AND attempts = 0 AND final "
                            "IS NULL AND next_attempt_at = furrow_ts(%" PRId64 ")",
                            ids[0], now_ms + day),
                     2);
    assert_int_equal(number("SELECT count(*) FROM campaign_contacts WHERE campaign_id = "
                            "%" PRId64 " AND state = 'final' AND attempts = 3",
                            ids[1]),
                     2);
}

static void a_document_nobody_can_read_does_not_stop_the_others(void **state)
{
    size_t fired = 0, completed = 0;
    struct pg *fresh = pgtest_open();

    (void)state;
    int64_t bad = create("damaged", "planned", "");
    int64_t good = create("sound", "planned", ", \"start\": \"2026-11-24T06:00:00Z\"");
    run("UPDATE campaigns SET document_text = '{\"v\": 9}', document = '{\"priority\": "
        "99}' "
        "WHERE id = %" PRId64,
        bad);
    assert_int_equal(campaign_fire_due(fresh, 1, now_ms, &fired), 0);
    assert_int_equal(fired, 1);
    assert_int_equal(state_of(good), CAMPAIGN_RUNNING);
    run("UPDATE campaigns SET state = 'running' WHERE id = %" PRId64, bad);
    assert_int_equal(campaign_complete_due(fresh, 1, now_ms, &completed), 0);
    assert_int_equal(state_of(bad), CAMPAIGN_RUNNING);
    pg_close(fresh);
    run("UPDATE campaigns SET state = 'stopped', document = '{}' WHERE id IN (%" PRId64
        ", %" PRId64 ")",
        bad, good);
}

/* ---- zones, report ---- */

static void zones_say_who_waits_and_until_when(void **state)
{
    CLEANUP(free_cleanup) struct campaign_zone *zones = NULL;
    size_t n = 0;

    (void)state;
    int64_t list = people("zones", 3);
    run("INSERT INTO zone_groups (tenant_id, region, zones) VALUES (1, 'US', "
        "'{America/Chicago,America/New_York}')");
    run("INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region) "
        "SELECT 1, %" PRId64 ", 12025550100, 2, id, 'US' FROM zone_groups WHERE region = "
        "'US'",
        list);
    int64_t id = create("zones", "zones", "");
    assert_int_equal(populate(id, 10), 4);
    run("UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64 ") WHERE "
        "campaign_id = %" PRId64 " AND contact_id = (SELECT min(contact_id) FROM "
        "campaign_contacts WHERE campaign_id = %" PRId64 ")",
        now_ms + 60000, id, id);
    assert_int_equal(campaign_zones(pg, 1, id, now_ms, &zones, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(zones[0].region, "ET");
    assert_string_equal(zones[0].zones, "Africa/Addis_Ababa");
    assert_int_equal(zones[0].due, 2);
    assert_int_equal(zones[0].waiting, 1);
    assert_int_equal(zones[0].next_attempt_ms, now_ms + 60000);
    assert_string_equal(zones[1].zones, "America/Chicago,America/New_York");
    assert_int_equal(zones[1].due, 1);
    assert_int_equal(zones[1].next_attempt_ms, 0);
}

static int64_t sum(const struct report_group *g)
{
    int64_t n = 0;

    for (size_t i = 0; i < g->n; i++)
        n += g->rows[i].count;
    return n;
}

/* Attempt k of the campaign's k-th contact. */
static void attempt(int64_t campaign, int k, const char *attempt_state,
                    const char *disposition, int nth)
{
    run("INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, "
        "slot, number, state, intent_at, released_at, disposition) SELECT "
        "gen_random_uuid(), 1, campaign_id, contact_id, phone, 1, 0, %d, '%s', "
        "furrow_ts(%" PRId64 "), CASE WHEN '%s' <> 'intent' THEN furrow_ts(%" PRId64
        ") END, nullif('%s', '') FROM campaign_contacts WHERE campaign_id = %" PRId64
        " ORDER BY contact_id LIMIT 1 OFFSET %d",
        nth, attempt_state, now_ms, attempt_state, now_ms - 1000 * k, disposition,
        campaign, k);
}

static void a_report_counts_every_row_once_and_its_sums_hold(void **state)
{
    CLEANUP(free_cleanup) struct report *r = malloc(sizeof(*r));

    (void)state;
    people("report", 10);
    int64_t id = create("report", "report", ""), other = create("noise", "report", "");
    assert_int_equal(populate(id, 100), 10);
    assert_int_equal(populate(other, 100), 10);
    attempt(other, 0, "ended", "busy", 1);
    attempt(id, 0, "ended", "completed", 1);
    attempt(id, 1, "ended", "busy", 1);
    attempt(id, 1, "ended", "no_answer", 2);
    attempt(id, 2, "ended", "bad_number", 1);
    attempt(id, 3, "unknown", "unknown", 1);
    attempt(id, 4, "ringing", "", 1);
    attempt(id, 7, "ended", "machine", 1);
    attempt(id, 8, "ended", "message", 1);
    attempt(id, 9, "ended", "message", 1);
    attempt(id, 70, "answered", "", 1); /* no such contact: nothing */
    attempt(id, 5, "withdrawn", "", 1);
    attempt(id, 6, "intent", "", 1);
    run("UPDATE campaign_contacts k SET state = x.s, final = x.f, first_refusal = x.r, "
        "last_refusal = x.r FROM (SELECT contact_id, row_number() OVER (ORDER BY "
        "contact_id) AS i FROM campaign_contacts WHERE campaign_id = %" PRId64
        ") o JOIN (VALUES (1, 'final', 'completed', NULL), (3, 'final', 'bad_number', "
        "NULL), (5, 'calling', NULL, NULL), (8, 'final', 'DNC_INTERNAL', 201), (9, "
        "'pending', NULL, 403), (10, 'pending', NULL, 403)) x(i, s, f, r) ON x.i = o.i "
        "WHERE k.campaign_id = %" PRId64 " AND k.contact_id = o.contact_id",
        id, id);
    run("INSERT INTO calls (id, tenant_id, direction, campaign_id, phone, "
        "flow_revision_id, slot, started_at, ended_at, outcome) SELECT a.id, 1, 'out', "
        "a.campaign_id, a.phone, 1, 0, a.intent_at, a.intent_at, 'opted_out' FROM "
        "attempts "
        "a WHERE campaign_id = %" PRId64 " AND disposition = 'completed'",
        id);
    run("INSERT INTO dnc_entries (tenant_id, phone, source, call_id, added_at) SELECT 1, "
        "phone, 'keypress', id, started_at FROM calls WHERE campaign_id = %" PRId64,
        id);
    run("INSERT INTO recordings (id, tenant_id, call_id, name, source, location, node, "
        "pipeline, state, created_at, updated_at) SELECT gen_random_uuid(), 1, id, 'r' "
        "|| "
        "i, 'simulated', 'x', 'n', 'command', CASE i WHEN 1 THEN 'done' ELSE 'failed' "
        "END, "
        "started_at, started_at FROM calls, generate_series(1, 2) i WHERE campaign_id = "
        "%" PRId64,
        id);
    run("INSERT INTO transcripts (id, tenant_id, recording_id, text, source, intent, "
        "created_at) SELECT gen_random_uuid(), 1, id, 't', 'asr', CASE name WHEN 'r1' "
        "THEN "
        "'record_commission' ELSE 'none' END, created_at FROM recordings");
    run("INSERT INTO commands (id, tenant_id, source, source_key, recording_id, call_id, "
        "event, state, said_at, changed_at) SELECT gen_random_uuid(), 1, 'voice', name, "
        "id, call_id, 'commission', CASE name WHEN 'r1' THEN 'done' ELSE 'refused' END, "
        "created_at, created_at FROM recordings");
    run("INSERT INTO messages (id, tenant_id, dedupe_key, phone, kind, body, state, "
        "recording_id, created_at) SELECT gen_random_uuid(), 1, 'm' || name, 1, "
        "'receipt', "
        "'b', CASE name WHEN 'r1' THEN 'sent' ELSE 'refused' END, id, created_at FROM "
        "recordings");
    run("INSERT INTO jobs (id, tenant_id, kind, unique_key, state, finished_at) SELECT "
        "gen_random_uuid(), 1, 'asr', id::text, 'done', now() FROM recordings UNION ALL "
        "SELECT gen_random_uuid(), 1, 'sms', id::text, 'queued', NULL FROM messages "
        "UNION "
        "ALL SELECT gen_random_uuid(), 1, 'sms', 'of somebody else', 'queued', NULL");

    assert_int_equal(report_load(pg, 1, id, now_ms, r), 0);
    assert_int_equal(r->contacts, 10);
    assert_int_equal(r->pending, 6);
    assert_int_equal(r->calling, 1);
    assert_int_equal(r->final, 3);
    assert_int_equal(r->contacts, r->pending + r->calling + sum(&r->finals));
    assert_int_equal(r->refused, 3);
    assert_string_equal(r->refusals.rows[0].name, "OUTSIDE_WINDOW");
    assert_int_equal(r->refusals.rows[0].count, 2);
    assert_string_equal(r->refusals.rows[1].name, "DNC_INTERNAL");
    assert_int_equal(sum(&r->waiting), 2);
    assert_int_equal(r->attempted, 9);
    assert_int_equal(r->attempted_contacts, 8);
    assert_int_equal(r->attempted, sum(&r->dispositions) + r->open);
    assert_int_equal(r->attempted, r->answered + r->machine + r->message + r->busy +
                                       r->no_answer + r->failed + r->open);
    assert_int_equal(r->answered, 1);
    assert_int_equal(r->machine, 1);
    assert_int_equal(r->message, 2); /* a voicemail that was left is no failure */
    assert_int_equal(r->failed, 2);
    assert_int_equal(r->open, 1);
    assert_int_equal(r->live_calls, 1);
    assert_int_equal(r->retried, 1);
    assert_int_equal(r->withdrawn, 1);
    assert_int_equal(r->started_last_min, 9);
    assert_int_equal(r->first_attempt_ms, now_ms - 9000);
    assert_int_equal(r->last_attempt_ms, now_ms);
    assert_string_equal(r->outcomes.rows[0].name, "opted_out");
    assert_int_equal(r->opt_outs, 1);
    assert_int_equal(r->recordings, 2);
    assert_int_equal(sum(&r->recording_states), 2);
    assert_int_equal(r->transcribed, 2);
    assert_int_equal(r->understood, 1);
    assert_int_equal(r->batches, 1);
    assert_int_equal(sum(&r->intents), 2);
    assert_int_equal(r->sms, 2);
    assert_int_equal(r->sms_sent, 1);
    assert_int_equal(r->sms_failed, 1);
    assert_int_equal(sum(&r->jobs), 4);
    assert_string_equal(r->jobs.rows[0].name, "asr done");
    assert_int_equal(report_load(pg, 2, id, now_ms, r), 0);
    assert_int_equal(r->contacts, 0); /* another tenant sees nothing of it */
}

static int set_up(void **state)
{
    (void)state;
    pg = pgtest_open();
    if (clock_parse("2026-11-24T06:00:00Z", &now_ms))
        return 1;
    run("INSERT INTO trunks (tenant_id, name, kind, cps, max_channels, created_at) "
        "VALUES "
        "(1, 'main', 'simulated', 1, 1, furrow_ts(%" PRId64 "))",
        now_ms);
    run("INSERT INTO flows (tenant_id, name, created_at) VALUES (1, 'coffee', "
        "furrow_ts(%" PRId64 "))",
        now_ms);
    run("INSERT INTO flow_revisions (tenant_id, flow_id, revision, sha256, source, "
        "published_at) SELECT 1, id, i, 'h' || i, '{}', created_at FROM flows, "
        "generate_series(1, 2) i");
    struct pg *super = pgtest_open_super();
    pgtest_run(super, 0, "INSERT INTO tenants (name) VALUES ('other')");
    pg_close(super);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_close(pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draft_keeps_its_text_and_pins_the_newest_revision),
        cmocka_unit_test(everything_that_is_missing_is_said_at_its_place),
        cmocka_unit_test(a_taken_name_is_refused),
        cmocka_unit_test(a_name_that_does_not_exist_gets_the_nearest),
        cmocka_unit_test(campaigns_are_listed_by_priority),
        cmocka_unit_test(every_command_in_every_state_does_what_the_table_says),
        cmocka_unit_test(a_move_notes_when_and_why),
        cmocka_unit_test(a_sub_flow_that_falls_silent_holds_its_campaign),
        cmocka_unit_test(two_processes_fill_a_campaign_with_each_contact_once),
        cmocka_unit_test(what_comes_into_the_list_later_is_added),
        cmocka_unit_test(a_list_that_is_loading_loses_nobody),
        cmocka_unit_test(a_campaign_is_done_when_its_contacts_are_populated_and_final),
        cmocka_unit_test(a_contact_the_mark_has_passed_is_found_before_the_end),
        cmocka_unit_test(keep_open_waits_and_an_end_ends_it_even_when_paused),
        cmocka_unit_test(a_planned_start_fires_once_whoever_sees_it_first),
        cmocka_unit_test(of_several_missed_starts_the_latest_fires),
        cmocka_unit_test(what_a_changed_plan_would_have_had_before_does_not_start),
        cmocka_unit_test(a_missed_start_survives_a_change_of_something_else),
        cmocka_unit_test(everyone_again_resets_finals_and_new_does_not),
        cmocka_unit_test(a_document_nobody_can_read_does_not_stop_the_others),
        cmocka_unit_test(zones_say_who_waits_and_until_when),
        cmocka_unit_test(a_report_counts_every_row_once_and_its_sums_hold),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
