/*
 * call_store_step - one step of a call's flow: state, events and what its effects
 * stand for, together or not at all.
 *
 * The number's lock (opt-out, callback) comes before any row, as everywhere.
 */
#include "campaigns/call_store.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/call_store_submit.h"
#include "campaigns/campaign.h"
#include "campaigns/message_store.h"
#include "campaigns/table.h"
#include "compliance/dnc_store.h"
#include "compliance/facts_store.h"

/* One item a step. */
enum { CALL, SEQ, STATUS, STATE, AT, ID, EVENTS, COLUMNS };

static int put(const char *text, size_t len, void *out)
{
    buf_add(out, text, len);
    return 0;
}

static int put_json(struct buf *out, const json_t *json)
{
    return json_dump_callback(json, put, out, JSON_COMPACT | JSON_ENCODE_ANY) ? EINVAL
                                                                              : 0;
}

/* Names of kinds and nodes stand as they are, nearly always. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    return true;
}

static int put_text(struct buf *out, const char *text)
{
    if (!is_plain(text)) {
        json_auto_t *json = json_string(text);
        return put_json(out, json);
    }
    buf_puts(out, "\"");
    buf_puts(out, text);
    buf_puts(out, "\"");
    return 0;
}

static int put_event(struct buf *out, const struct call_event *e)
{
    buf_puts(out, out->len > 1 ? ",{\"kind\":" : "{\"kind\":");
    int err = put_text(out, e->kind);
    if (!err && e->node && e->node[0]) {
        buf_puts(out, ",\"node\":");
        err = put_text(out, e->node);
    }
    if (!err && json_object_size(e->data) > 0) {
        buf_puts(out, ",\"data\":");
        err = put_json(out, e->data);
    }
    buf_puts(out, "}");
    return err;
}

static int add_step(struct pg_column *c, const struct call_step *s)
{
    CLEANUP(buf_free) struct buf events = {0};
    const struct uuid id = uuid_v7(s->at_ms);
    int err = 0;

    buf_puts(&events, "[");
    for (size_t i = 0; i < s->event_count && !err; i++)
        err = put_event(&events, &s->events[i]);
    buf_puts(&events, "]");
    pg_column_uuid(&c[CALL], &s->call_id);
    pg_column_i64(&c[SEQ], s->seq);
    pg_column_text(&c[STATUS], s->status);
    pg_column_bytes(&c[STATE], s->state, s->state_len);
    pg_column_i64(&c[AT], s->at_ms);
    pg_column_uuid(&c[ID], &id);
    pg_column_text(&c[EVENTS], s->event_count > 0 ? events.data : NULL);
    return err;
}

/* The new states and, of the steps whose seq was the next one, the events. */
#define WRITE_SQL                                                                        \
    "WITH s AS (SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], "             \
    "$5::bytea[], "                                                                      \
    "$6::bigint[], $7::uuid[], $8::text[]) v(call_id, seq, status, state, at_ms, id, "   \
    "events)), kept AS (INSERT INTO ivr_sessions AS k (call_id, tenant_id, seq, "        \
    "status, "                                                                           \
    "state, updated_at) SELECT call_id, $1::int, seq, status, state, furrow_ts(at_ms) "  \
    "FROM s ON CONFLICT (call_id) DO UPDATE SET seq = excluded.seq, status = "           \
    "excluded.status, state = excluded.state, updated_at = excluded.updated_at WHERE "   \
    "k.seq = excluded.seq - 1 RETURNING call_id), told AS (INSERT INTO call_steps (id, " \
    "tenant_id, call_id, seq, at, events) SELECT s.id, $1::int, s.call_id, s.seq, "      \
    "furrow_ts(s.at_ms), s.events::json FROM s JOIN kept USING (call_id) WHERE "         \
    "s.events "                                                                          \
    "IS NOT NULL) "

static const char write_sql[] = WRITE_SQL "SELECT call_id FROM kept";
/* An error, so that what is sent behind it is not done. */
static const char write_all_sql[] =
    WRITE_SQL "SELECT 1 / (count(*) = cardinality($2))::int FROM kept";

/* Whose step was the next one; of each call there is one. */
static int read_kept(const PGresult *res, const struct call_step *const *steps, size_t n,
                     int *errs)
{
    struct uuid call;
    int err = 0;

    for (size_t i = 0; i < n; i++)
        errs[i] = EEXIST;
    for (int row = 0; row < PQntuples(res) && !err; row++) {
        err = pg_uuid(res, row, 0, &call);
        for (size_t i = 0; i < n && !err; i++)
            if (memcmp(&steps[i]->call_id, &call, sizeof(call)) == 0)
                errs[i] = 0;
    }
    return err;
}

static int add_steps(struct pg_column *c, struct pg_args *a,
                     const struct call_step *const *steps, size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++)
        err = add_step(c, steps[i]);
    pg_arg_i64(a, steps[0]->tenant_id);
    for (size_t i = 0; i < COLUMNS; i++)
        pg_arg_column(a, &c[i]);
    return err;
}

/* In the caller's transaction when one is open. */
static int write_steps(struct pg *pg, const struct call_step *const *steps, size_t n,
                       int *errs)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_column c[COLUMNS] = {0};
    struct pg_args a = {0};

    int err = add_steps(c, &a, steps, n);
    if (!err)
        err = pg_run_own(pg, steps[0]->tenant_id, &res, write_sql, &a);
    pg_columns_free(c, COLUMNS);
    return err ? err : read_kept(res, steps, n, errs);
}

int call_steps_write(struct pg *pg, const struct call_step *const *steps, size_t n)
{
    struct pg_column c[COLUMNS] = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    int err = add_steps(c, &a, steps, n);
    if (!err)
        err = pg_run_later(pg, write_all_sql, &a);
    pg_columns_free(c, COLUMNS);
    return err;
}

/* ---- effects ---- */

static int write_sms(struct pg *pg, const struct call_step *s, const struct call_sms *sms)
{
    const struct message_new m = {.dedupe_key = sms->dedupe_key,
                                  .phone = sms->phone,
                                  .language = sms->language,
                                  .kind = "flow",
                                  .body = sms->text,
                                  .call_id = &s->call_id};

    return message_queue(pg, s->tenant_id, &m, s->at_ms);
}

static int write_recording(struct pg *pg, const struct call_step *s)
{
    const struct call_recording *r = s->recording;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &r->id);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_uuid(&a, &s->call_id);
    pg_arg_text(&a, r->name);
    pg_arg_text(&a, r->source);
    pg_arg_text(&a, r->location);
    pg_arg_text(&a, r->node);
    if (s->phone > 0)
        pg_arg_i64(&a, s->phone);
    else
        pg_arg_null(&a);
    pg_arg_text(&a, r->language ? r->language : "");
    pg_arg_text(&a, r->pipeline);
    pg_arg_text(&a, r->on_done_sms ? r->on_done_sms : "");
    pg_arg_ms(&a, s->at_ms);
    return pg_run(pg, NULL,
                  "INSERT INTO recordings (id, tenant_id, call_id, name, source, "
                  "location, node, phone, language, pipeline, on_done_sms, created_at, "
                  "updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
                  "furrow_ts($12), furrow_ts($12))",
                  &a);
}

static int remember_language(struct pg *pg, const struct call_step *s)
{
    struct pg_args a = {0}, b = {0};

    pg_arg_uuid(&a, &s->call_id);
    pg_arg_text(&a, s->language);
    int err = pg_run(pg, NULL, "UPDATE calls SET language = $2 WHERE id = $1", &a);
    if (err || s->phone <= 0)
        return err;
    pg_arg_i64(&b, s->tenant_id);
    pg_arg_i64(&b, s->phone);
    pg_arg_text(&b, s->language);
    pg_arg_ms(&b, s->at_ms);
    return pg_run(pg, NULL,
                  "INSERT INTO caller_history AS h (tenant_id, phone, language, "
                  "last_call_at) VALUES ($1, $2, $3, furrow_ts($4)) ON CONFLICT "
                  "(tenant_id, phone) DO UPDATE SET language = excluded.language, "
                  "last_call_at = greatest(h.last_call_at, excluded.last_call_at)",
                  &b);
}

/* "" when the campaign has none, or there is no campaign. */
static int topic_of(struct pg *pg, int64_t campaign_id, char out[CAMPAIGN_TOPIC_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res, "SELECT topic FROM campaigns WHERE id = $1", &a);
    str_cut(out, CAMPAIGN_TOPIC_MAX,
            !err && PQntuples(res) > 0 ? pg_text(res, 0, 0) : "");
    return err;
}

/* Without a campaign "campaign" can only mean the tenant, and so does a topic that the
 * campaign does not name: a person who says stop is never called for want of a scope. */
static int opt_out(struct pg *pg, const struct call_step *s)
{
    bool narrow = str_is(s->opt_out, "campaign"), added = false;
    bool by_topic = str_is(s->opt_out, "topic");
    char topic[CAMPAIGN_TOPIC_MAX] = "";
    struct dnc_entry entry = {.phone = s->phone,
                              .campaign_id = narrow ? s->campaign_id : 0,
                              .source =
                                  s->opt_out_source ? s->opt_out_source : "keypress",
                              .call = &s->call_id};
    char id[UUID_TEXT_MAX];

    if (!narrow && !by_topic && !str_is(s->opt_out, "tenant"))
        return EINVAL;
    if (s->phone <= 0) {
        log_warn("call", "id=%s asked not to be called, but withheld its number",
                 uuid_text(&s->call_id, id));
        return 0;
    }
    int err = by_topic ? topic_of(pg, s->campaign_id, topic) : 0;
    entry.topic = topic;
    return err ? err : dnc_add(pg, s->tenant_id, &entry, s->at_ms, &added);
}

/* Outbound: written into the contact that is being called; attempt_move finds it
 * there when the attempt ends, so that a crash in between does not lose it. */
static int call_back(struct pg *pg, const struct call_step *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &s->call_id);
    pg_arg_ms(&a, s->callback_at_ms);
    if (s->callback_to > 0) {
        int64_t by = s->callback_campaign_id ? s->callback_campaign_id : s->campaign_id;
        return by ? call_request_callback(pg, s->tenant_id, by, s->callback_to,
                                          s->callback_at_ms, s->at_ms, NULL)
                  : 0;
    }
    int err = pg_run(pg, &res,
                     "WITH k AS (UPDATE campaign_contacts k SET next_attempt_at = "
                     "furrow_ts($2) FROM calls c WHERE c.id = $1 AND c.direction = 'out' "
                     "AND k.campaign_id = c.campaign_id AND k.contact_id = c.contact_id "
                     "AND k.state = 'calling') SELECT direction FROM calls WHERE id = $1",
                     &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    if (str_is(pg_text(res, 0, 0), "out") || s->callback_campaign_id == 0 ||
        s->phone <= 0)
        return 0;
    return call_request_callback(pg, s->tenant_id, s->callback_campaign_id, s->phone,
                                 s->callback_at_ms, s->at_ms, NULL);
}

static int commit_step(struct pg *pg, const struct call_step *s)
{
    const int64_t numbers[] = {s->phone, s->callback_to};
    size_t skip = s->phone > 0 ? 0 : 1, n = s->callback_to > 0 ? 2 : 1;
    int err = 0, refused = 0;

    if (n > skip && (s->opt_out || s->callback_at_ms > 0))
        err = facts_lock_numbers(pg, s->tenant_id, numbers + skip, n - skip);
    if (!err)
        err = write_steps(pg, &s, 1, &refused);
    if (!err)
        err = refused;
    if (!err && s->opt_out)
        err = opt_out(pg, s);
    for (size_t i = 0; !err && i < s->sms_count; i++)
        err = write_sms(pg, s, &s->sms[i]);
    if (!err && s->recording)
        err = write_recording(pg, s);
    for (size_t i = 0; !err && i < s->submit_count; i++)
        err = call_submit_write(pg, s, i);
    if (!err && s->language)
        err = remember_language(pg, s);
    if (!err && s->callback_at_ms > 0)
        err = call_back(pg, s);
    if (!err && s->data)
        err = table_run(pg, s->tenant_id, s->data, s->at_ms, s->data_result);
    return err;
}

bool call_step_is_plain(const struct call_step *s)
{
    return s->sms_count == 0 && s->submit_count == 0 && !s->recording && !s->opt_out &&
           !s->language && s->callback_at_ms == 0 && !s->data;
}

int call_commit_steps(struct pg *pg, const struct call_step *const *steps, size_t n,
                      int *errs)
{
    return write_steps(pg, steps, n, errs);
}

int call_commit_step(struct pg *pg, const struct call_step *step)
{
    int refused = 0;

    if (call_step_is_plain(step) && !pg_in_transaction(pg)) {
        int err = call_commit_steps(pg, &step, 1, &refused);
        return err ? err : refused;
    }
    bool own = false;
    int err = pg_begin_own(pg, step->tenant_id, &own);
    return err ? err : pg_end_own(pg, own, commit_step(pg, step));
}
