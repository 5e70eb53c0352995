#include "unit/cm.h"

#include "flow/live_phone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "dialer/prompts.h"
#include "dialer/web.h"

enum { BOUND_MS = 30000 };

uv_loop_t loop;
struct dialer dialer;
struct pg *pg;
struct phone phone;

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
const struct live_phone_ops sim_ops = OPS("sim");
const struct live_phone_ops ari_ops = OPS("ari");

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

bool call_is_over(void)
{
    return phone.ended > 0 && db_waiting(dialer.db) == 0 && phone.head == phone.tail;
}

void run_until(bool (*done)(void))
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

int64_t publish(const char *flow)
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

int begin_of(int64_t revision, const struct act *acts, const struct live_phone_ops *ops)
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

int begin(const char *flow, const struct act *acts, const struct live_phone_ops *ops)
{
    return begin_of(publish(flow), acts, ops);
}

void whole_call(const char *flow, const struct act *acts)
{
    assert_int_equal(begin(flow, acts, &sim_ops), 0);
    run_until(call_is_over);
    assert_int_equal(phone.ended, 1);
}

int64_t count(const char *what)
{
    char sql[512], id[UUID_TEXT_MAX];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s AND '%s' = call_id::text", what,
             uuid_text(&phone.call, id));
    return pgtest_i64(pg, TENANT, sql);
}

void expect_outcome(const char *outcome)
{
    char sql[512], id[UUID_TEXT_MAX];

    assert_string_equal(phone.outcome, outcome);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM calls WHERE id = '%s' AND outcome = '%s' AND "
             "ended_at IS NOT NULL",
             uuid_text(&phone.call, id), outcome);
    assert_int_equal(pgtest_i64(pg, TENANT, sql), 1);
}

void expect_recording(const char *state)
{
    char what[128];

    snprintf(what, sizeof(what), "recordings WHERE state = '%s'", state);
    assert_int_equal(count(what), 1);
}

const struct act one_at_the_menu[] = {
    {.on = OP_PLAY, .nth = 2, .deed = DO_PLAYED},
    {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
    {0}};

/* ---- all around ---- */

int live_setup(void **state)
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

int live_teardown(void **state)
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
