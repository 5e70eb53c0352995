/*
 * Live calls: a real loop, a real Postgres, the real engine, and a phone that does what
 * its script says: answers, never answers, hangs up in mid-prompt, presses keys early.
 */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "campaigns/table_store.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/live_call.h"
#include "dialer/prompts.h"
#include "dialer/web.h"
#include "store/pgtest.h"

enum {
    TENANT = 1,
    BOUND_MS = 30000,
    ACTS_MAX = 16,
    QUEUE_MAX = 64,
    RECORD_WAIT_MS = 10000
};

static uv_loop_t loop;
static struct dialer dialer;
static struct pg *pg;

/* ---- the phone ---- */

enum op {
    OP_NONE,
    OP_PLAY,
    OP_PLAY_STOP,
    OP_RECORD,
    OP_RECORD_STOP,
    OP_DIAL,
    OP_HANG_UP
};
enum deed {
    DO_NOTHING,
    DO_PLAYED,
    DO_FAIL,
    DO_KEYS,
    DO_HANG_UP,
    DO_RECORDED,
    DO_DIALLED
};

/* At the nth call (1…, 0 each) of op; without an act an op is answered as hoped. */
struct act {
    enum op on;
    int nth;
    enum deed deed;
    const char *keys;
    enum ivr_recorded recorded;
    enum ivr_dialled dialled;
};

struct phone {
    struct uuid call;
    const struct act *acts;
    int counts[OP_HANG_UP + 1];
    int moh_on, moh_off, moh_now;
    char name[160], reason[32], dialled[32], media[8][512];
    uint32_t play_id;
    bool playing, gone;
    struct live_event queue[QUEUE_MAX];
    size_t head, tail;
    uv_timer_t timer;
    int ended;
    struct live_result result;
    char outcome[32];
};

static struct phone phone;

static void say(uv_timer_t *timer)
{
    (void)timer;
    while (phone.head < phone.tail) {
        const struct live_event ev = phone.queue[phone.head++ % QUEUE_MAX];
        if (ev.kind == LIVE_HUNG_UP)
            phone.gone = true;
        live_event(dialer.lives, &phone.call, &ev);
    }
}

static void later(struct live_event ev)
{
    assert_true(phone.tail - phone.head < QUEUE_MAX);
    phone.queue[phone.tail++ % QUEUE_MAX] = ev;
    uv_timer_start(&phone.timer, say, 1, 0);
}

static void played(bool failed)
{
    if (phone.playing)
        later((struct live_event){
            .kind = LIVE_PLAYED, .played = {.play_id = phone.play_id, .failed = failed}});
    phone.playing = false;
}

static void recorded(enum ivr_recorded result, const char *reason)
{
    static char name[160];

    str_cut(name, sizeof(name), phone.name);
    later((struct live_event){
        .kind = LIVE_RECORDED,
        .recorded = {
            .name = name, .result = result, .duration_ms = 3210, .reason = reason}});
}

static void carry_out(const struct act *a)
{
    switch (a->deed) {
    case DO_NOTHING:
        break;
    case DO_PLAYED:
        played(false);
        break;
    case DO_FAIL:
        played(true);
        break;
    case DO_KEYS:
        for (const char *k = a->keys; *k; k++)
            later((struct live_event){.kind = LIVE_KEY, .key = *k});
        break;
    case DO_HANG_UP:
        later((struct live_event){.kind = LIVE_HUNG_UP, .hung_up = {.cause = 16}});
        if (a->recorded == IVR_RECORDED_OK && phone.counts[OP_RECORD] > 0)
            recorded(IVR_RECORDED_OK, "hangup");
        break;
    case DO_RECORDED:
        recorded(a->recorded, a->recorded == IVR_RECORDED_FAILED  ? "disk full"
                              : a->recorded == IVR_RECORDED_EMPTY ? "silence"
                                                                  : "key");
        break;
    case DO_DIALLED:
        later((struct live_event){.kind = LIVE_DIALLED,
                                  .dialled = {.result = a->dialled, .cause = 17}});
        break;
    }
}

/* True: the script had something for it. */
static bool scripted(enum op op)
{
    bool any = false;

    phone.counts[op]++;
    for (const struct act *a = phone.acts; a && a->on != OP_NONE; a++)
        if (a->on == op && (a->nth == 0 || a->nth == phone.counts[op])) {
            carry_out(a);
            any = true;
        }
    return any;
}

static void op_channel(void *arg, const struct uuid *call, char *out, size_t size)
{
    char id[UUID_TEXT_MAX];

    (void)arg;
    snprintf(out, size, "fwtest-%s", uuid_text(call, id));
}

static void op_play(void *arg, const struct uuid *call, uint32_t play_id,
                    const char *const *media, size_t n)
{
    (void)arg;
    (void)call;
    assert_false(phone.gone);
    assert_true(n > 0);
    phone.play_id = play_id;
    phone.playing = true;
    str_cut(phone.media[phone.counts[OP_PLAY] % 8], sizeof(phone.media[0]), media[0]);
    if (!scripted(OP_PLAY))
        played(false);
}

static void op_play_stop(void *arg, const struct uuid *call, uint32_t play_id)
{
    (void)arg;
    (void)call;
    assert_int_equal(play_id, phone.play_id);
    if (!scripted(OP_PLAY_STOP))
        played(false);
}

static void op_location(void *arg, const struct uuid *call, const char *name, char *out,
                        size_t size)
{
    (void)arg;
    (void)call;
    (void)name;
    snprintf(out, size, "http://127.0.0.1:1/ari");
}

static void op_record(void *arg, const struct uuid *call, const char *name,
                      const struct ivr_record *record)
{
    (void)arg;
    (void)call;
    assert_false(phone.gone);
    assert_true(record->max_ms > 0);
    str_cut(phone.name, sizeof(phone.name), name);
    if (!scripted(OP_RECORD))
        recorded(IVR_RECORDED_OK, "key");
}

static void op_record_stop(void *arg, const struct uuid *call, const char *name)
{
    (void)arg;
    (void)call;
    assert_string_equal(name, phone.name);
    if (!scripted(OP_RECORD_STOP))
        recorded(IVR_RECORDED_OK, "stopped");
}

static void op_moh(void *arg, const struct uuid *call, bool on)
{
    (void)arg;
    (void)call;
    phone.moh_on += on;
    phone.moh_off += !on;
    phone.moh_now = on;
}

static void op_dial(void *arg, const struct uuid *call, const struct live_dial *dial)
{
    (void)arg;
    (void)call;
    assert_true(dial->ring_ms > 0 && dial->max_ms > 0);
    str_cut(phone.dialled, sizeof(phone.dialled), dial->extension);
    if (scripted(OP_DIAL))
        return;
    later((struct live_event){.kind = LIVE_BRIDGED});
    later((struct live_event){
        .kind = LIVE_DIALLED,
        .dialled = {.result = IVR_DIALLED_COMPLETED, .talked_ms = 9000}});
}

static void op_hang_up(void *arg, const struct uuid *call, const char *reason)
{
    (void)arg;
    (void)call;
    str_cut(phone.reason, sizeof(phone.reason), reason);
    if (!scripted(OP_HANG_UP))
        later((struct live_event){.kind = LIVE_HUNG_UP, .hung_up = {.cause = 16}});
}

#define OPS(kind)                                                                        \
    {                                                                                    \
        .backend = (kind), .source = "ari", .format = "wav16", .channel = op_channel,    \
        .play = op_play, .play_stop = op_play_stop, .recording_location = op_location,   \
        .record = op_record, .record_stop = op_record_stop, .moh = op_moh,               \
        .dial = op_dial, .hang_up = op_hang_up,                                          \
    }
static const struct live_phone_ops sim_ops = OPS("sim");
static const struct live_phone_ops ari_ops = OPS("ari");

/* ---- running a call ---- */

static void ended(struct dialer *d, const struct live_result *result)
{
    assert_ptr_equal(d, &dialer);
    assert_memory_equal(&result->call, &phone.call, sizeof(phone.call));
    assert_false(live_is_running(dialer.lives, &phone.call));
    phone.ended++;
    phone.result = *result;
    str_cut(phone.outcome, sizeof(phone.outcome), result->outcome);
}

static void out_of_time(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "no end after %d ms: plays=%d records=%d hang_ups=%d ended=%d\n",
            BOUND_MS, phone.counts[OP_PLAY], phone.counts[OP_RECORD],
            phone.counts[OP_HANG_UP], phone.ended);
    exit(1);
}

static void closed(uv_handle_t *handle)
{
    handle->data = NULL;
}

static bool call_is_over(void)
{
    return phone.ended > 0 && db_waiting(dialer.db) == 0 && phone.head == phone.tail;
}

/* Runs the loop until done() says so. */
static void run_until(bool (*done)(void))
{
    uv_timer_t bound = {.data = &bound};

    uv_timer_init(&loop, &bound);
    uv_timer_start(&bound, out_of_time, BOUND_MS, 0);
    while (!done())
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&bound, closed);
    while (bound.data)
        uv_run(&loop, UV_RUN_ONCE);
}

/* Flows of this file stand here with ' for ". */
static int64_t publish(const char *flow)
{
    CLEANUP(free_cleanup) char *text = xstrdup(flow);
    struct flow_row row;
    bool fresh;

    for (char *c = text; strncmp(flow, "{'", 2) == 0 && *c; c++)
        *c = *c == '\'' ? '"' : *c;
    static int n;
    char name[32];
    snprintf(name, sizeof(name), "flow%d", ++n);
    assert_int_equal(flow_publish(pg, TENANT, name, text, clock_now_ms(), &row, &fresh),
                     0);
    return row.revision_id;
}

static int begin_of(int64_t revision, const struct act *acts,
                    const struct live_phone_ops *ops)
{
    uv_timer_t timer = phone.timer;

    memset(&phone, 0, sizeof(phone));
    phone.timer = timer;
    phone.acts = acts;
    phone.call = uuid_v7(clock_now_ms());
    return live_start(dialer.lives, &(struct live_start){.id = phone.call,
                                                         .tenant_id = TENANT,
                                                         .inbound = true,
                                                         .phone = 251911234567,
                                                         .extension = "2000",
                                                         .flow_revision_id = revision,
                                                         .ops = ops,
                                                         .phone_arg = &phone,
                                                         .ended = ended});
}

static int begin(const char *flow, const struct act *acts,
                 const struct live_phone_ops *ops)
{
    return begin_of(publish(flow), acts, ops);
}

static void whole_call(const char *flow, const struct act *acts)
{
    assert_int_equal(begin(flow, acts, &sim_ops), 0);
    run_until(call_is_over);
    assert_int_equal(phone.ended, 1);
}

static int64_t count(const char *what)
{
    char sql[512], id[UUID_TEXT_MAX];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s AND '%s' = call_id::text", what,
             uuid_text(&phone.call, id));
    return pgtest_i64(pg, TENANT, sql);
}

static void expect_outcome(const char *outcome)
{
    char sql[512], id[UUID_TEXT_MAX];

    assert_string_equal(phone.outcome, outcome);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM calls WHERE id = '%s' AND outcome = '%s' AND "
             "ended_at IS NOT NULL",
             uuid_text(&phone.call, id), outcome);
    assert_int_equal(pgtest_i64(pg, TENANT, sql), 1);
}

static void expect_recording(const char *state)
{
    char what[128];

    snprintf(what, sizeof(what), "recordings WHERE state = '%s'", state);
    assert_int_equal(count(what), 1);
}

/* ---- flows ---- */

#define HEAD "{'furrow': 1, 'name': 'test', 'language': 'en', 'languages': ['en', 'am'], "
#define MENU                                                                             \
    HEAD "'global_keys': {'9': 'opt_out'}, 'entry': 'hear', 'nodes': {"                  \
         "'hear': {'kind': 'say', 'prompt': {'en': 'This call is recorded.', "           \
         "'am': 'X'}, 'exits': {'done': 'menu', 'failed': 'lost'}},"                     \
         "'menu': {'kind': 'collect', 'prompt': {'en': 'One or two?', 'am': 'Y'}, "      \
         "'into': 'choice', 'timeout_s': 1, 'attempts': 1, 'exits': {'1': 'speak', "     \
         "'2': 'bye', 'invalid': 'bye', 'no_input': 'bye'}},"                            \
         "'speak': {'kind': 'record', 'prompt': {'en': 'Speak.', 'am': 'Z'}, "           \
         "'finish': 'any', 'pipeline': 'command', 'exits': {'recorded': 'bye', "         \
         "'empty': 'nothing', 'failed': 'lost'}},"                                       \
         "'bye': {'kind': 'hangup', 'prompt': {'en': 'Bye.', 'am': 'B'}},"               \
         "'nothing': {'kind': 'hangup', 'outcome': 'nothing'},"                          \
         "'lost': {'kind': 'hangup', 'outcome': 'lost'}}}"

static const struct act one_at_the_menu[] = {
    {.on = OP_PLAY, .nth = 2, .deed = DO_PLAYED},
    {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
    {0}};

static void a_whole_call_leaves_its_rows(void **state)
{
    (void)state;
    whole_call(MENU, one_at_the_menu);
    expect_outcome("completed");
    assert_int_equal(phone.result.cause, 16);
    assert_false(phone.result.opted_out);
    assert_string_equal(phone.reason, "normal");
    assert_int_equal(phone.counts[OP_PLAY], 4);
    assert_int_equal(phone.counts[OP_RECORD], 1);
    assert_int_equal(phone.counts[OP_HANG_UP], 1);
    expect_recording("finished");
    assert_int_equal(count("recordings WHERE duration_ms > 0 AND node = 'speak' AND "
                           "pipeline = 'command' AND location LIKE 'http%'"),
                     1);
    assert_int_equal(count("call_events WHERE kind = 'started'"), 1);
    assert_int_equal(count("call_events WHERE kind = 'ended'"), 1);
    assert_int_equal(count("call_events WHERE kind = 'left' AND node = 'speak' AND "
                           "data->>'name' = 'recorded'"),
                     1);
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 3"), 1);
    char sql[256], id[UUID_TEXT_MAX];
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM calls WHERE id = '%s' AND "
             "results->'choice'->>'value' = '1'",
             uuid_text(&phone.call, id));
    assert_int_equal(pgtest_i64(pg, TENANT, sql), 1);
}

static void a_hang_up_in_mid_prompt_ends_the_call(void **state)
{
    static const struct act acts[] = {{.on = OP_PLAY, .nth = 2, .deed = DO_HANG_UP}, {0}};

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("hung_up");
    assert_int_equal(phone.counts[OP_PLAY], 2);
    assert_int_equal(phone.counts[OP_HANG_UP], 0);
    assert_int_equal(count("call_events WHERE kind = 'ended'"), 1);
}

static void a_prompt_that_is_never_answered_fails_after_a_while(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_NOTHING},
        {.on = OP_PLAY_STOP, .deed = DO_NOTHING},
        {0},
    };

    (void)state;
    int64_t began = mono_ms();
    whole_call(MENU, acts);
    expect_outcome("lost");
    assert_true(mono_ms() - began >= 3000);
    assert_int_equal(phone.counts[OP_PLAY_STOP], 1);
}

static void a_prompt_that_fails_takes_its_exit(void **state)
{
    static const struct act acts[] = {{.on = OP_PLAY, .nth = 1, .deed = DO_FAIL}, {0}};

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("lost");
    assert_int_equal(phone.counts[OP_PLAY], 1);
}

static void early_keys_stop_what_may_be_stopped_and_nothing_else(void **state)
{
    /* The first prompt must be heard: the key waits for the menu, whose prompt it skips.
     */
    static const struct act early[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "2"},
        {.on = OP_PLAY, .nth = 1, .deed = DO_PLAYED},
        {0},
    };
    static const struct act in_the_menu[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "2"},
        {0},
    };

    (void)state;
    whole_call(MENU, early);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY_STOP], 0);
    assert_int_equal(phone.counts[OP_PLAY], 2); /* hear, bye */

    whole_call(MENU, in_the_menu);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY_STOP], 1);
    assert_int_equal(phone.counts[OP_PLAY], 3); /* hear, menu, bye */
}

static void silence_takes_the_way_of_no_input(void **state)
{
    (void)state;
    int64_t began = mono_ms();
    whole_call(MENU, NULL);
    expect_outcome("completed");
    assert_true(mono_ms() - began >= 1000);
    assert_int_equal(count("call_events WHERE kind = 'left' AND data->>'name' = "
                           "'no_input'"),
                     1);
}

static void step_clock(int64_t ms)
{
    char text[33] = "";

    snprintf(text, sizeof(text), "%-32lld", (long long)ms);
    FILE *f = fopen(getenv("FURROW_CLOCK_OFFSET_FILE"), "r+");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, 32, f), 32);
    assert_int_equal(fclose(f), 0);
}

static bool asks(void)
{
    const struct live_call *c = live_find(dialer.lives, &phone.call);

    return c && c->keys.armed;
}

/* Set right by an hour while somebody is asked: nobody waits for an hour. */
static void a_stepped_clock_holds_no_caller(void **state)
{
    static const int64_t steps_ms[] = {-3600000, 3600000};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        step_clock(0);
        assert_int_equal(begin(MENU, NULL, &sim_ops), 0);
        run_until(asks);
        int64_t began = mono_ms();
        step_clock(steps_ms[i]);
        run_until(call_is_over);
        assert_true(mono_ms() - began >= 900);
        expect_outcome("completed");
        assert_int_equal(count("call_events WHERE kind = 'left' AND data->>'name' = "
                               "'no_input'"),
                         1);
    }
    step_clock(0);
}

static void an_opt_out_is_a_row_before_the_call_has_ended(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "9"},
        {0},
    };

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("opted_out");
    assert_true(phone.result.opted_out);
    assert_true(pgtest_i64(pg, TENANT,
                           "SELECT count(*) FROM dnc_entries WHERE phone = "
                           "251911234567") > 0);
}

/* ---- recordings ---- */

static void a_hang_up_in_mid_record_keeps_what_was_said(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .nth = 1, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_OK},
        {0},
    };

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("completed"); /* `recorded` leads to the goodbye */
    expect_recording("finished");
    assert_int_equal(count("call_events WHERE kind = 'left' AND node = 'speak' AND "
                           "data->>'name' = 'recorded'"),
                     1);
    assert_int_equal(phone.counts[OP_HANG_UP], 0);
}

/* ---- a call that drops ---- */

#define CUT                                                                              \
    HEAD "'go_on': {'prompt': {'en': 'Go on?', 'am': 'G'}, 'key': '5'}, "                \
         "'entry': 'hear', 'nodes': {"                                                   \
         "'hear': {'kind': 'collect', 'prompt': {'en': 'How many?', 'am': 'Y'}, "        \
         "'into': 'bags', 'exits': {'any': 'speak', 'invalid': 'bye', 'no_input': "      \
         "'bye'}, 'max': 1},"                                                            \
         "'speak': {'kind': 'record', 'prompt': {'en': 'Speak.', 'am': 'Z'}, 'into': "   \
         "'said', 'exits': {'recorded': 'send', 'empty': 'bye', 'failed': 'bye'}},"      \
         "'send': {'kind': 'submit', 'recording': '{{vars.said}}', 'exits': {'done': "   \
         "'keyed', 'failed': 'bye'}},"                                                   \
         "'keyed': {'kind': 'submit', 'intent': 'record_commission', 'entities': "       \
         "{'quantity': '{{number(vars.bags)}}', 'unit': 'bags'}, 'exits': {'done': "     \
         "'bye', 'failed': 'bye'}},"                                                     \
         "'bye': {'kind': 'hangup', 'prompt': {'en': 'Bye.', 'am': 'B'}}}}"

static void calls_again(int64_t revision, const struct act *acts)
{
    assert_int_equal(begin_of(revision, acts, &sim_ops), 0);
    run_until(call_is_over);
    assert_int_equal(phone.ended, 1);
}

static int64_t kept(void)
{
    return pgtest_i64(pg, TENANT, "SELECT count(*) FROM kept_calls");
}

#define GO_ON "call_events WHERE kind = 'result' AND data->>'name' = 'go_on'"

static void a_call_that_drops_is_gone_on_with_once(void **state)
{
    static const struct act drops[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "7"},
        {.on = OP_PLAY, .nth = 2, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_FAILED},
        {0}};
    static const struct act goes_on[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "5"}, {0}};
    static const struct act again[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "3"}, {0}};
    const int64_t revision = publish(CUT);

    (void)state;
    calls_again(revision, drops);
    assert_int_equal(kept(), 1);
    calls_again(revision, goes_on);
    assert_int_equal(kept(), 0);
    assert_int_equal(count(GO_ON " AND data->>'category' = 'yes'"), 1);
    assert_int_equal(count("call_events WHERE kind = 'entered' AND node = 'hear'"), 0);
    expect_outcome("completed");
    /* What was keyed in before the line dropped is known still. */
    assert_int_equal(count("recordings WHERE source = 'keys' AND state = 'transcribed'"),
                     1);
    assert_int_equal(
        pgtest_i64(pg, TENANT,
                   "SELECT count(*) FROM transcripts t JOIN jobs j ON "
                   "j.unique_key = t.recording_id::text AND j.kind = 'batch' "
                   "WHERE t.source = 'keys' AND t.intent = "
                   "'record_commission' AND t.entities = '{\"quantity\": 7, "
                   "\"unit\": \"bags\"}' AND t.text = 'record_commission "
                   "quantity 7, unit bags'"),
        1);
    assert_int_equal(count("recordings WHERE pipeline = 'command' AND state = "
                           "'finished'"),
                     1);
    calls_again(revision, again);
    assert_int_equal(count(GO_ON), 0);
    assert_int_equal(count("call_events WHERE kind = 'entered' AND node = 'hear'"), 1);
}

static void what_is_kept_of_a_call_is_for_nobody_else_and_for_an_hour(void **state)
{
    static const struct act drops[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "7"},
        {.on = OP_PLAY, .nth = 2, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_FAILED},
        {0}};
    const int64_t revision = publish(CUT);

    (void)state;
    calls_again(revision, drops);
    pgtest_run(pg, TENANT, "UPDATE kept_calls SET phone = phone + 1");
    calls_again(revision, drops);
    assert_int_equal(count(GO_ON), 0);
    assert_int_equal(kept(), 2);
    pgtest_run(pg, TENANT, "UPDATE kept_calls SET at = at - interval '61 minutes'");
    calls_again(revision, (const struct act[]){{0}});
    assert_int_equal(count(GO_ON), 0);
    pgtest_run(pg, TENANT, "DELETE FROM kept_calls");
}

static void a_cut_recording_that_is_never_told_stays_live_for_recovery(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .nth = 1, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_FAILED},
        {0},
    };

    (void)state;
    int64_t began = mono_ms();
    whole_call(MENU, acts);
    assert_true(mono_ms() - began >= 5000);
    expect_recording("live");
    expect_outcome("lost");
}

static void empty_and_failed_recordings_say_so(void **state)
{
    static const struct act empty[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .deed = DO_RECORDED, .recorded = IVR_RECORDED_EMPTY},
        {0},
    };
    static const struct act failed[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .deed = DO_RECORDED, .recorded = IVR_RECORDED_FAILED},
        {0},
    };

    (void)state;
    whole_call(MENU, empty);
    expect_outcome("nothing");
    expect_recording("empty");
    whole_call(MENU, failed);
    expect_outcome("lost");
    expect_recording("failed");
    assert_int_equal(count("recordings WHERE error = 'disk full'"), 1);
}

static void the_key_that_ends_a_recording_is_no_answer_to_what_follows(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'speak', 'nodes': {"
             "'speak': {'kind': 'record', 'finish': 'any', 'exits': {'recorded': 'menu', "
             "'empty': 'menu', 'failed': 'menu'}},"
             "'menu': {'kind': 'collect', 'prompt': {'en': 'One?', 'am': 'Y'}, "
             "'timeout_s': 1, 'attempts': 1, 'exits': {'1': 'one', 'invalid': 'end', "
             "'no_input': 'end'}},"
             "'one': {'kind': 'hangup', 'outcome': 'took_the_key'}}}";
    static const struct act acts[] = {
        {.on = OP_RECORD, .deed = DO_RECORDED, .recorded = IVR_RECORDED_OK},
        {.on = OP_RECORD, .deed = DO_KEYS, .keys = "1"},
        {0},
    };

    (void)state;
    whole_call(flow, acts);
    expect_outcome("completed");
}

/* ---- other nodes ---- */

static void a_text_message_is_a_row(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'sms', 'nodes': {'sms': {'kind': 'sms', 'text': {'en': "
             "'Five bags.', 'am': 'Z'}, 'exits': {'queued': 'end', 'refused': 'end'}}}}";

    (void)state;
    whole_call(flow, NULL);
    expect_outcome("completed");
    assert_int_equal(count("messages WHERE body = 'Five bags.' AND phone = 251911234567"),
                     1);
}

static void only_extensions_are_dialled(void **state)
{
    static const char inside[] =
        HEAD "'entry': 't', 'nodes': {'t': {'kind': 'transfer', 'to': 'ext:2001', "
             "'exits': {'completed': 'yes', 'busy': 'busy', 'no_answer': 'end', "
             "'failed': 'no'}},"
             "'yes': {'kind': 'hangup', 'outcome': 'talked'},"
             "'busy': {'kind': 'hangup', 'outcome': 'was_busy'},"
             "'no': {'kind': 'hangup', 'outcome': 'refused'}}}";
    static const char outside[] =
        HEAD "'entry': 't', 'nodes': {'t': {'kind': 'transfer', 'to': '+251911000000', "
             "'exits': {'completed': 'end', 'busy': 'end', 'no_answer': 'end', "
             "'failed': 'no'}}, 'no': {'kind': 'hangup', 'outcome': 'refused'}}}";
    static const struct act busy[] = {
        {.on = OP_DIAL, .deed = DO_DIALLED, .dialled = IVR_DIALLED_BUSY},
        {0},
    };

    (void)state;
    whole_call(inside, NULL);
    expect_outcome("talked");
    assert_string_equal(phone.dialled, "2001");
    assert_int_equal(phone.moh_on, 1);
    assert_int_equal(phone.moh_off, 1);
    whole_call(inside, busy);
    expect_outcome("was_busy");
    whole_call(outside, NULL);
    expect_outcome("refused");
    assert_int_equal(phone.counts[OP_DIAL], 0);
    assert_int_equal(count("call_events WHERE kind = 'warning' AND data->>'name' = "
                           "'transfer_refused'"),
                     1);
}

/* ---- queues ---- */

#define QUEUE                                                                            \
    HEAD                                                                                 \
        "'entry': 'q', 'nodes': {'q': {'kind': 'queue', 'queue': 'help', 'max_wait_s': " \
        "5, 'exit_key': '*', 'exits': {'served': 'yes', 'timeout': 'late', 'full': "     \
        "'nobody', 'left_by_key': 'key', 'failed': 'no'}},"                              \
        "'yes': {'kind': 'hangup', 'outcome': 'talked'},"                                \
        "'late': {'kind': 'hangup', 'outcome': 'late'},"                                 \
        "'nobody': {'kind': 'hangup', 'outcome': 'nobody'},"                             \
        "'key': {'kind': 'hangup', 'outcome': 'key'},"                                   \
        "'no': {'kind': 'hangup', 'outcome': 'refused'}}}"

/* In one statement: at no instant is nobody logged in, on which who waits would leave. */
static void set_agent(const char *state)
{
    char sql[600];

    snprintf(
        sql, sizeof(sql),
        "INSERT INTO agents (tenant_id, name, extension, queue, state, call_id, since, "
        "created_at) VALUES (1, 'abeba', '2007', 'help', '%s', CASE WHEN '%s' = "
        "'on_call' THEN gen_random_uuid() END, now(), now()) ON CONFLICT (tenant_id, "
        "name) DO UPDATE SET state = excluded.state, call_id = excluded.call_id, since = "
        "now(), after_call = '', wrap_until = NULL, note = ''",
        state, state);
    pgtest_run(pg, TENANT, sql);
}

static bool agent_is(const char *state)
{
    char sql[100];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM agents WHERE state = '%s'", state);
    return pgtest_i64(pg, TENANT, sql) == 1;
}

static bool it_waits(void)
{
    return phone.moh_now && pgtest_i64(pg, TENANT, "SELECT count(*) FROM agent_waiters");
}

static void an_agent_of_the_queue_takes_the_call(void **state)
{
    (void)state;
    set_agent("ready");
    whole_call(QUEUE, NULL);
    expect_outcome("talked");
    assert_string_equal(phone.dialled, "2007");
    assert_int_equal(phone.moh_on, 1);
    assert_int_equal(phone.moh_off, 1);
    assert_true(agent_is("ready"));
    assert_int_equal(
        count("call_events WHERE kind = 'left' AND data->>'value' = 'abeba'"), 1);
}

static void an_agent_who_does_not_answer_is_paused(void **state)
{
    static const struct act busy[] = {
        {.on = OP_DIAL, .deed = DO_DIALLED, .dialled = IVR_DIALLED_NO_ANSWER},
        {0},
    };

    (void)state;
    set_agent("ready");
    whole_call(QUEUE, busy);
    expect_outcome("nobody"); /* is there any more */
    assert_true(agent_is("paused"));
    whole_call(QUEUE, NULL);
    expect_outcome("nobody");
    assert_int_equal(phone.counts[OP_DIAL], 0);
}

static void who_waits_hears_music_and_may_leave_by_a_key(void **state)
{
    const struct live_event other = {.kind = LIVE_KEY, .key = '1'};
    const struct live_event star = {.kind = LIVE_KEY, .key = '*'};

    (void)state;
    set_agent("on_call");
    assert_int_equal(begin(QUEUE, NULL, &sim_ops), 0);
    run_until(it_waits);
    live_event(dialer.lives, &phone.call, &other);
    assert_true(phone.moh_now);
    live_event(dialer.lives, &phone.call, &star);
    run_until(call_is_over);
    expect_outcome("key");
    assert_int_equal(pgtest_i64(pg, TENANT, "SELECT count(*) FROM agent_waiters"), 0);
    assert_true(agent_is("on_call")); /* another's call goes on */
}

static void who_waits_is_taken_when_an_agent_is_free(void **state)
{
    (void)state;
    set_agent("on_call");
    assert_int_equal(begin(QUEUE, NULL, &sim_ops), 0);
    run_until(it_waits);
    set_agent("ready");
    run_until(call_is_over);
    expect_outcome("talked");
}

static bool it_was_told(void)
{
    return phone.counts[OP_PLAY] == 1 && !phone.playing && phone.moh_on == 2 &&
           phone.head == phone.tail;
}

static void who_waits_is_told_place_and_time_and_goes_on_waiting(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'q', 'nodes': {'q': {'kind': 'queue', 'queue': 'help', "
             "'max_wait_s': 60, 'announce_every_s': 5, 'into': 'place', 'wait_into': "
             "'minutes', 'announce': {'en': 'Number {{vars.place}}, {{vars.minutes}} "
             "minutes.', 'am': 'Z'}, 'exits': {'served': 'yes', "
             "'timeout': 'no', 'full': 'no', 'left_by_key': 'no', 'failed': 'no'}},"
             "'yes': {'kind': 'hangup', 'outcome': 'talked'},"
             "'no': {'kind': 'hangup', 'outcome': 'refused'}}}";

    (void)state;
    set_agent("on_call");
    pgtest_run(pg, TENANT, "UPDATE agents SET talks = 3, talk_ms = 61000");
    assert_int_equal(begin(flow, NULL, &sim_ops), 0);
    run_until(it_was_told);
    assert_non_null(strstr(phone.media[0], "Number 1, 2 minutes."));
    set_agent("ready");
    run_until(call_is_over);
    expect_outcome("talked");
}

static void a_hang_up_in_the_queue_frees_its_place_and_the_agent(void **state)
{
    const struct live_event gone = {.kind = LIVE_HUNG_UP, .hung_up = {.cause = 16}};
    static const struct act gone_at_ring[] = {{.on = OP_DIAL, .deed = DO_HANG_UP}, {0}};

    (void)state;
    set_agent("on_call");
    assert_int_equal(begin(QUEUE, NULL, &sim_ops), 0);
    run_until(it_waits);
    live_event(dialer.lives, &phone.call, &gone);
    run_until(call_is_over);
    expect_outcome("hung_up");
    assert_int_equal(pgtest_i64(pg, TENANT, "SELECT count(*) FROM agent_waiters"), 0);
    set_agent("ready");
    whole_call(QUEUE, gone_at_ring);
    expect_outcome("hung_up");
    assert_true(agent_is("ready"));
}

/* A web server of one answer, on the same loop. */
static struct {
    uv_tcp_t listener, peer;
    char request[4096];
    size_t len;
    int port, closed;
} web_peer;

static void peer_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    (void)handle;
    (void)wanted;
    *buf = uv_buf_init(web_peer.request + web_peer.len,
                       (unsigned)(sizeof(web_peer.request) - 1 - web_peer.len));
}

static void peer_closed(uv_handle_t *handle)
{
    (void)handle;
    web_peer.closed++;
}

static void peer_wrote(uv_write_t *req, int status)
{
    assert_int_equal(status, 0);
    uv_close((uv_handle_t *)req->handle, peer_closed);
    free(req);
}

static void peer_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    static char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                           "Content-Length: 12\r\nConnection: close\r\n\r\n"
                           "{\"price\": 7}";

    (void)buf;
    if (n <= 0)
        return;
    web_peer.len += (size_t)n;
    web_peer.request[web_peer.len] = '\0';
    if (!strstr(web_peer.request, "\r\n\r\n"))
        return;
    uv_read_stop(stream);
    uv_buf_t out = uv_buf_init(answer, sizeof(answer) - 1);
    uv_write(xcalloc(1, sizeof(uv_write_t)), stream, &out, 1, peer_wrote);
}

static void peer_connected(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    uv_tcp_init(&loop, &web_peer.peer);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&web_peer.peer), 0);
    uv_read_start((uv_stream_t *)&web_peer.peer, peer_room, peer_read);
}

static void peer_listen(void)
{
    struct sockaddr_in at;
    int size = sizeof(at);

    memset(&web_peer, 0, sizeof(web_peer));
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(&loop, &web_peer.listener);
    assert_int_equal(uv_tcp_bind(&web_peer.listener, (const struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&web_peer.listener, 4, peer_connected), 0);
    uv_tcp_getsockname(&web_peer.listener, (struct sockaddr *)&at, &size);
    web_peer.port = ntohs(at.sin_port);
}

static bool peer_is_closed(void)
{
    return web_peer.closed == 2;
}

static void an_api_node_asks_with_its_secret_while_music_plays(void **state)
{
    static const char form[] =
        HEAD "'entry': 'ask', 'nodes': {'ask': {'kind': 'api', 'url': "
             "'http://127.0.0.1:%d/price', 'headers': {'Authorization': "
             "'Bearer {secret:PRICES}'}, 'into': {'price': '/price'}, "
             "'exits': {'ok': 'seven', 'http_error': 'end', 'timeout': 'end', "
             "'bad_body': 'end'}},"
             "'seven': {'kind': 'branch', 'on': '{{vars.price}}', 'cases': [{'is': 7, "
             "'exit': 'yes'}], 'exits': {'yes': 'good', 'default': 'end'}},"
             "'good': {'kind': 'hangup', 'outcome': 'seven'}}}";
    char flow[1024];

    (void)state;
    peer_listen();
    snprintf(flow, sizeof(flow), form, web_peer.port);
    whole_call(flow, NULL);
    expect_outcome("seven");
    assert_non_null(strstr(web_peer.request, "GET /price"));
    assert_non_null(strstr(web_peer.request, "Authorization: Bearer s3cret=x"));
    assert_int_equal(phone.moh_on, 1);
    assert_int_equal(phone.moh_off, 1);
    assert_int_equal(phone.moh_now, 0);
    uv_close((uv_handle_t *)&web_peer.listener, peer_closed);
    run_until(peer_is_closed);
}

static void an_api_node_without_its_secret_fails_and_sends_nothing(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'ask', 'nodes': {'ask': {'kind': 'api', 'url': "
             "'http://127.0.0.1:1/', 'headers': {'X': '{secret:NOBODY}'}, "
             "'exits': {'ok': 'end', 'http_error': 'no', 'timeout': 'end', "
             "'bad_body': 'end'}}, 'no': {'kind': 'hangup', 'outcome': 'refused'}}}";

    (void)state;
    whole_call(flow, NULL);
    expect_outcome("refused");
    assert_int_equal(count("call_events WHERE data->>'name' = 'secret_missing' AND "
                           "data->>'value' = 'NOBODY'"),
                     1);
}

static void sensitive_keys_are_in_no_row(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'pin', 'nodes': {'pin': {'kind': 'collect', 'prompt': {'en': "
             "'Your PIN?', 'am': 'Y'}, 'max': 4, 'sensitive': true, "
             "'valid': '{{digits == \\'4711\\'}}', "
             "'exits': {'any': 'good', 'invalid': 'end', 'no_input': 'end'}},"
             "'good': {'kind': 'hangup', 'outcome': 'entered'}}}";
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "4711"},
        {0},
    };

    (void)state;
    whole_call(flow, acts);
    expect_outcome("entered");
    assert_true(count("call_events WHERE true") > 2);
    assert_int_equal(count("call_events WHERE data::text LIKE '%4711%'"), 0);
    assert_int_equal(count("ivr_sessions WHERE position('4711'::bytea in state) > 0"), 0);
}

/* ---- trouble ---- */

static void a_hang_up_before_the_flow_is_there_ends_the_call(void **state)
{
    const struct live_event gone = {.kind = LIVE_HUNG_UP, .hung_up = {.cause = 18}};

    (void)state;
    assert_int_equal(begin(MENU, NULL, &sim_ops), 0);
    live_event(dialer.lives, &phone.call, &gone);
    assert_int_equal(phone.ended, 1);
    run_until(call_is_over);
    expect_outcome("hung_up");
    assert_int_equal(phone.ended, 1);
    assert_int_equal(phone.result.cause, 18);
    assert_int_equal(phone.counts[OP_PLAY], 0);
    assert_int_equal(lives_count(dialer.lives), 0);
}

static void a_flow_that_does_not_compile_is_hung_up_as_failed(void **state)
{
    (void)state;
    whole_call("{'furrow': 1, 'name': 'x'}", NULL);
    expect_outcome("failed");
    assert_string_equal(phone.reason, "error");
}

static void a_channel_that_never_goes_away_does_not_hold_the_call(void **state)
{
    static const struct act acts[] = {{.on = OP_HANG_UP, .deed = DO_NOTHING}, {0}};

    (void)state;
    whole_call(HEAD "'entry': 'h', 'nodes': {'h': {'kind': 'hangup'}}}", acts);
    expect_outcome("completed");
    assert_int_equal(phone.result.cause, 0);
}

static void a_call_runs_once_and_late_events_find_nothing(void **state)
{
    const struct live_event key = {.kind = LIVE_KEY, .key = '1'};
    const struct live_event gone = {.kind = LIVE_HUNG_UP};

    (void)state;
    assert_int_equal(begin(MENU, one_at_the_menu, &sim_ops), 0);
    assert_true(live_is_running(dialer.lives, &phone.call));
    assert_int_equal(live_start(dialer.lives, &(struct live_start){.id = phone.call,
                                                                   .tenant_id = TENANT,
                                                                   .ops = &sim_ops}),
                     EEXIST);
    run_until(call_is_over);
    live_event(dialer.lives, &phone.call, &key);
    live_event(dialer.lives, &phone.call, &gone);
    assert_int_equal(phone.ended, 1);
}

static struct pg *blocker;

/* Locks what a step writes: to the call it looks like a Postgres that is away. */
static void block(void)
{
    blocker = pgtest_open_super();
    assert_int_equal(
        pg_script(blocker, "BEGIN; LOCK TABLE ivr_sessions IN ACCESS EXCLUSIVE MODE"), 0);
}

static void unblock(void)
{
    assert_int_equal(pg_script(blocker, "COMMIT"), 0);
    pg_close(blocker);
}

static uint32_t steps(void)
{
    const struct live_call *c = live_find(dialer.lives, &phone.call);

    return c && c->state ? c->state->seq : 0;
}

static enum { NOT_YET, WAITS, HAS_WAITED } to_record;

static void has_waited(uv_timer_t *timer)
{
    (void)timer;
    to_record = HAS_WAITED;
}

/* So long that a step of any other kind would have gone on. */
static bool has_waited_to_record(void)
{
    if (to_record == NOT_YET && steps() == 2) {
        to_record = WAITS;
        uv_timer_start(&phone.timer, has_waited, LIVE_COMMIT_WAIT_MS + 300, 0);
    }
    return to_record == HAS_WAITED;
}

static void a_call_goes_on_without_its_commit_but_not_to_record(void **state)
{
    (void)state;
    to_record = NOT_YET;
    block();
    int64_t began = mono_ms();
    assert_int_equal(begin(MENU, one_at_the_menu, &sim_ops), 0);
    run_until(has_waited_to_record);
    assert_true(mono_ms() - began >= 2 * LIVE_COMMIT_WAIT_MS);
    assert_int_equal(phone.counts[OP_PLAY], 2); /* nobody is asked to speak yet */
    assert_int_equal(phone.counts[OP_RECORD], 0);
    unblock();
    run_until(call_is_over);
    expect_outcome("completed");
    expect_recording("finished");
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 3"), 1);
    assert_int_equal(count("call_events WHERE kind = 'entered'"), 4);
}

static bool has_given_up(void)
{
    return steps() == 2;
}

static void a_recording_whose_row_does_not_come_fails_without_having_begun(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'speak', 'nodes': {'speak': {'kind': 'record', 'prompt': {'en': "
             "'Speak.', 'am': 'Z'}, 'exits': {'recorded': 'end', 'empty': 'end', "
             "'failed': 'sorry'}}, 'sorry': {'kind': 'hangup', 'outcome': 'sorry'}}}";

    (void)state;
    dialer.config.record_wait_ms = 200;
    block();
    assert_int_equal(begin(flow, NULL, &sim_ops), 0);
    run_until(has_given_up);
    unblock();
    run_until(call_is_over);
    dialer.config.record_wait_ms = RECORD_WAIT_MS;
    expect_outcome("sorry");
    assert_int_equal(phone.counts[OP_PLAY], 0);
    assert_int_equal(phone.counts[OP_RECORD], 0);
    expect_recording("failed");
    assert_int_equal(count("recordings WHERE error = 'the database did not answer'"), 1);
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 2"), 1);
}

#define QUIZ                                                                             \
    HEAD "'entry': 'a', 'nodes': {"                                                      \
         "'a': {'kind': 'collect', 'prompt': {'en': 'One?', 'am': 'X'}, 'into': 'a', "   \
         "'max': 1, "                                                                    \
         "'exits': {'any': 'b', 'invalid': 'end', 'no_input': 'end'}},"                  \
         "'b': {'kind': 'collect', 'prompt': {'en': 'Two?', 'am': 'Y'}, 'into': 'b', "   \
         "'max': 1, "                                                                    \
         "'exits': {'1': 'c', '2': 'thanks', '3': 'sms', '4': 'speak', 'invalid': "      \
         "'end', 'no_input': 'end'}},"                                                   \
         "'c': {'kind': 'collect', 'prompt': {'en': 'Three?', 'am': 'Z'}, 'into': 'c', " \
         "'max': 1, "                                                                    \
         "'exits': {'any': 'bye', 'invalid': 'end', 'no_input': 'end'}},"                \
         "'thanks': {'kind': 'say', 'prompt': {'en': 'Noted.', 'am': 'N'}, 'exits': "    \
         "{'done': 'c', 'failed': 'end'}},"                                              \
         "'sms': {'kind': 'sms', 'text': {'en': 'Noted.', 'am': 'N'}, 'exits': "         \
         "{'queued': 'c', 'refused': 'end'}},"                                           \
         "'speak': {'kind': 'record', 'prompt': {'en': 'Speak.', 'am': 'S'}, 'exits': "  \
         "{'recorded': 'c', 'empty': 'c', 'failed': 'end'}},"                            \
         "'bye': {'kind': 'hangup', 'prompt': {'en': 'Noted. Bye.', 'am': 'B'}}}}"

static bool has_asked_one(void)
{
    return phone.counts[OP_PLAY] == 1 && !phone.playing && phone.head == phone.tail &&
           db_waiting(dialer.db) == 0;
}

static bool has_asked_two(void)
{
    return phone.counts[OP_PLAY] == 2 && !phone.playing && phone.head == phone.tail;
}

static void press(char key)
{
    const struct live_event ev = {.kind = LIVE_KEY, .key = key};

    live_event(dialer.lives, &phone.call, &ev);
}

/* With the first question's answer on its way to a disk that does not answer. */
static void ask_two_uncommitted(void)
{
    assert_int_equal(begin(QUIZ, NULL, &sim_ops), 0);
    run_until(has_asked_one);
    block();
    press('5');
    assert_int_equal(phone.counts[OP_PLAY], 2); /* at once */
    run_until(has_asked_two);
    assert_int_equal(db_waiting(dialer.db), 1);
}

static void a_question_does_not_wait_for_the_answer_before_it_to_be_kept(void **state)
{
    (void)state;
    ask_two_uncommitted();
    press('1');
    /* One ahead, not two: what a crash can lose is the last answer. */
    assert_int_equal(phone.counts[OP_PLAY], 2);
    assert_int_equal(db_waiting(dialer.db), 2);
    unblock();
    press('7'); /* early: the third question is answered before it is asked */
    run_until(call_is_over);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY], 3); /* one, two, bye */
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 4"), 1);
    assert_int_equal(count("call_events WHERE kind = 'result' AND data->>'value' IN "
                           "('5', '1', '7')"),
                     3);
}

static void what_says_that_an_answer_is_taken_waits_for_it_to_be_kept(void **state)
{
    static const char *const keys = "234";

    (void)state;
    for (int i = 0; keys[i]; i++) {
        ask_two_uncommitted();
        press(keys[i]); /* a statement, a text message, a recording */
        int64_t until = mono_ms() + 100;
        while (mono_ms() < until)
            uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(phone.counts[OP_PLAY], 2);
        assert_int_equal(phone.counts[OP_RECORD], 0);
        unblock();
        press('7');
        run_until(call_is_over);
        expect_outcome("completed");
        assert_int_equal(phone.counts[OP_RECORD], keys[i] == '4');
        assert_int_equal(count("ivr_sessions WHERE status = 'ended'"), 1);
    }
    /* The first question's answer kept, a statement is the first thing to wait. */
    assert_int_equal(begin(QUIZ, NULL, &sim_ops), 0);
    run_until(has_asked_one);
    press('5');
    run_until(has_asked_two);
    while (db_waiting(dialer.db) > 0)
        uv_run(&loop, UV_RUN_ONCE);
    block();
    press('2');
    assert_int_equal(phone.counts[OP_PLAY], 2);
    unblock();
    press('7');
    run_until(call_is_over);
    assert_true(phone.counts[OP_PLAY] > 2);
    expect_outcome("completed");
}

static void a_hang_up_before_the_answer_is_kept_keeps_both(void **state)
{
    const struct live_event gone = {.kind = LIVE_HUNG_UP, .hung_up = {.cause = 16}};

    (void)state;
    ask_two_uncommitted();
    live_event(dialer.lives, &phone.call, &gone);
    assert_int_equal(phone.ended, 1);
    unblock();
    run_until(call_is_over);
    expect_outcome("hung_up");
    assert_int_equal(count("call_events WHERE kind = 'result' AND data->>'value' = '5'"),
                     1);
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 3"), 1);
}

/* The question after it was asked already. */
static void an_answer_that_is_refused_ends_the_call(void **state)
{
    (void)state;
    ask_two_uncommitted();
    assert_int_equal(pg_script(blocker, "ALTER TABLE ivr_sessions ADD CONSTRAINT once "
                                        "CHECK (seq < 2) NOT VALID"),
                     0);
    unblock();
    run_until(call_is_over);
    expect_outcome("failed");
    assert_string_equal(phone.reason, "error");
    assert_int_equal(count("ivr_sessions WHERE seq = 1"), 1);
    blocker = pgtest_open_super();
    assert_int_equal(pg_script(blocker, "ALTER TABLE ivr_sessions DROP CONSTRAINT once"),
                     0);
    pg_close(blocker);
}

/* ---- Asterisk's prompts, the demo's flow, the end ---- */

static void prompts_of_an_asterisk_are_files_that_exist(void **state)
{
    char path[600];

    (void)state;
    assert_int_equal(begin(MENU, one_at_the_menu, &ari_ops), 0);
    run_until(call_is_over);
    if (!prompts_voices(dialer.prompts)[0]) {
        fprintf(stderr, "skipped: espeak-ng is missing (./run deps)\n");
        skip();
    }
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY], 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(strncmp(phone.media[i], "sound:/", 7), 0);
        snprintf(path, sizeof(path), "%s.wav", phone.media[i] + strlen("sound:"));
        assert_int_equal(access(path, R_OK), 0);
    }
}

static void the_demos_flow_speaks_three_languages_and_records(void **state)
{
    static const struct act amharic[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "2"},
        {0},
    };
    static const struct act never_again[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "9"},
        {0},
    };
    CLEANUP(free_cleanup) char *flow = NULL;
    size_t len;

    (void)state;
    assert_int_equal(
        files_read(SOURCE_DIR "/deploy/demo/coffee.json", 1 << 20, &flow, &len), 0);
    whole_call(flow, amharic);
    expect_outcome("completed");
    expect_recording("finished");
    assert_int_equal(count("recordings WHERE language = 'am' AND pipeline = 'command'"),
                     1);
    whole_call(flow, never_again);
    expect_outcome("opted_out");
}

static void stopping_ends_every_call_and_takes_no_new_ones(void **state)
{
    static const struct act acts[] = {{.on = OP_PLAY, .nth = 2, .deed = DO_NOTHING}, {0}};

    (void)state;
    assert_int_equal(begin(MENU, acts, &sim_ops), 0);
    while (phone.counts[OP_PLAY] < 2)
        uv_run(&loop, UV_RUN_ONCE);
    lives_stop(dialer.lives);
    run_until(call_is_over);
    expect_outcome("interrupted");
    assert_int_equal(begin(MENU, NULL, &sim_ops), ECANCELED);
}

/* ---- all around ---- */

static int setup(void **state)
{
    char path[600];

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    pg = pgtest_open();
    snprintf(path, sizeof(path), "%s/clock", pgtest_dir());
    assert_int_equal(setenv("FURROW_CLOCK_OFFSET_FILE", path, 1), 0);
    assert_int_equal(clock_init(NULL, NULL), 0);
    dialer.loop = &loop;
    dialer.slot = 1;
    str_cut(dialer.config.common.data_dir, sizeof(dialer.config.common.data_dir),
            pgtest_dir());
    snprintf(path, sizeof(path), "%s/secrets", pgtest_dir());
    assert_int_equal(files_write_atomic(path, "# keys\nPRICES = s3cret=x\n", 25), 0);
    str_cut(dialer.config.secrets_file, sizeof(dialer.config.secrets_file), path);
    dialer.config.record_wait_ms = RECORD_WAIT_MS;
    str_cut(dialer.config.api_hosts, sizeof(dialer.config.api_hosts), "127.0.0.1");
    assert_int_equal(db_new(&dialer.db, &loop,
                            &(struct pg_options){.url = pgtest_url(),
                                                 .role = "furrow_app",
                                                 .name = "test_live"},
                            2, 100, NULL),
                     0);
    assert_int_equal(web_new(&dialer.web, &loop, 4), 0);
    assert_int_equal(prompts_new(&dialer.prompts, &loop, &dialer.config.common), 0);
    assert_int_equal(lives_new(&dialer.lives, &dialer), 0);
    assert_int_equal(uv_timer_init(&loop, &phone.timer), 0);
    return 0;
}

/* With a call in the middle: nothing leaks and nothing is touched afterwards. */
static int teardown(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&phone.timer, NULL);
    lives_free(dialer.lives);
    prompts_free(dialer.prompts);
    web_close(dialer.web);
    db_close(dialer.db, 2000);
    uv_run(&loop, UV_RUN_DEFAULT);
    pg_close(pg);
    return uv_loop_close(&loop);
}

/* ---- tables ---- */

#define STOCK                                                                            \
    HEAD "'entry': 'hear', 'nodes': {"                                                   \
         "'hear': {'kind': 'say', 'prompt': {'en': 'One moment.'}, "                     \
         "'exits': {'done': 'take', 'failed': 'bye'}},"                                  \
         "'take': {'kind': 'data', 'table': 'stock', 'do': 'update', 'where': "          \
         "{'item': 'seed', 'bags': {'at_least': 1}}, 'set': {'bags': {'add': -1}}, "     \
         "'into': {'left': 'bags'}, 'exits': {'done': 'tell', 'none': 'none', "          \
         "'failed': 'bye'}},"                                                            \
         "'tell': {'kind': 'say', 'prompt': {'en': 'There are {{vars.left}} left.'}, "   \
         "'exits': {'done': 'end', 'failed': 'end'}},"                                   \
         "'none': {'kind': 'hangup', 'prompt': {'en': 'None.'}, 'outcome': 'none'},"     \
         "'bye': {'kind': 'hangup', 'outcome': 'lost'}}}"

static void a_table_is_changed_with_the_step_and_goes_on_by_itself(void **state)
{
    struct table_def def = {.key = -1};
    struct table_counts counts;
    struct errtext e = {0};
    json_t *rows = json_pack("[{s:s, s:i}]", "item", "seed", "bags", 1);

    (void)state;
    assert_int_equal(table_def_add(&def, "item:key", &e), 0);
    assert_int_equal(table_def_add(&def, "bags:int", &e), 0);
    assert_int_equal(
        table_import(pg, TENANT, "stock", &def, rows, true, clock_now_ms(), &counts, &e),
        0);
    json_decref(rows);
    whole_call(STOCK, NULL);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY], 2);
    assert_non_null(strstr(phone.media[1], "There are 0 left."));
    whole_call(STOCK, NULL);
    expect_outcome("none");
    assert_int_equal(table_remove(pg, TENANT, "stock", &e), 0);
    whole_call(STOCK, NULL);
    expect_outcome("lost");
}

static const struct act gone_while_it_looks[] = {
    {.on = OP_PLAY, .nth = 1, .deed = DO_PLAYED},
    {.on = OP_PLAY, .nth = 1, .deed = DO_HANG_UP},
    {0}};

static void a_hang_up_beside_a_table_ends_the_call(void **state)
{
    (void)state;
    whole_call(STOCK, gone_while_it_looks);
    assert_int_equal(phone.ended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_call_leaves_its_rows),
        cmocka_unit_test(a_hang_up_in_mid_prompt_ends_the_call),
        cmocka_unit_test(a_prompt_that_is_never_answered_fails_after_a_while),
        cmocka_unit_test(a_prompt_that_fails_takes_its_exit),
        cmocka_unit_test(early_keys_stop_what_may_be_stopped_and_nothing_else),
        cmocka_unit_test(silence_takes_the_way_of_no_input),
        cmocka_unit_test(a_stepped_clock_holds_no_caller),
        cmocka_unit_test(an_opt_out_is_a_row_before_the_call_has_ended),
        cmocka_unit_test(a_hang_up_in_mid_record_keeps_what_was_said),
        cmocka_unit_test(a_call_that_drops_is_gone_on_with_once),
        cmocka_unit_test(what_is_kept_of_a_call_is_for_nobody_else_and_for_an_hour),
        cmocka_unit_test(a_cut_recording_that_is_never_told_stays_live_for_recovery),
        cmocka_unit_test(empty_and_failed_recordings_say_so),
        cmocka_unit_test(the_key_that_ends_a_recording_is_no_answer_to_what_follows),
        cmocka_unit_test(a_text_message_is_a_row),
        cmocka_unit_test(only_extensions_are_dialled),
        cmocka_unit_test(an_agent_of_the_queue_takes_the_call),
        cmocka_unit_test(an_agent_who_does_not_answer_is_paused),
        cmocka_unit_test(who_waits_hears_music_and_may_leave_by_a_key),
        cmocka_unit_test(who_waits_is_taken_when_an_agent_is_free),
        cmocka_unit_test(who_waits_is_told_place_and_time_and_goes_on_waiting),
        cmocka_unit_test(a_hang_up_in_the_queue_frees_its_place_and_the_agent),
        cmocka_unit_test(an_api_node_asks_with_its_secret_while_music_plays),
        cmocka_unit_test(an_api_node_without_its_secret_fails_and_sends_nothing),
        cmocka_unit_test(sensitive_keys_are_in_no_row),
        cmocka_unit_test(a_hang_up_before_the_flow_is_there_ends_the_call),
        cmocka_unit_test(a_flow_that_does_not_compile_is_hung_up_as_failed),
        cmocka_unit_test(a_channel_that_never_goes_away_does_not_hold_the_call),
        cmocka_unit_test(a_call_runs_once_and_late_events_find_nothing),
        cmocka_unit_test(a_call_goes_on_without_its_commit_but_not_to_record),
        cmocka_unit_test(a_recording_whose_row_does_not_come_fails_without_having_begun),
        cmocka_unit_test(a_question_does_not_wait_for_the_answer_before_it_to_be_kept),
        cmocka_unit_test(what_says_that_an_answer_is_taken_waits_for_it_to_be_kept),
        cmocka_unit_test(a_hang_up_before_the_answer_is_kept_keeps_both),
        cmocka_unit_test(an_answer_that_is_refused_ends_the_call),
        cmocka_unit_test(a_table_is_changed_with_the_step_and_goes_on_by_itself),
        cmocka_unit_test(a_hang_up_beside_a_table_ends_the_call),
        cmocka_unit_test(prompts_of_an_asterisk_are_files_that_exist),
        cmocka_unit_test(the_demos_flow_speaks_three_languages_and_records),
        cmocka_unit_test(stopping_ends_every_call_and_takes_no_new_ones),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("live", tests, setup, teardown);
}
