/*
 * call_store_step - one step of a call's flow: state, events and what its effects
 * stand for, together or not at all.
 *
 * The number's lock (opt-out, callback) comes before any row, as everywhere.
 */
#include "campaigns/call_store.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
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

static int id_order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

/* Sessions and events of steps as columns for unnest(). */
struct columns {
    struct buf calls, seqs, statuses, states, at; /* one item a step */
    struct buf ids, of, kinds, nodes, data;       /* one an event; of: its step */
};

static void columns_free(struct columns *c)
{
    struct buf *all[] = {&c->calls, &c->seqs, &c->statuses, &c->states, &c->at,
                         &c->ids,   &c->of,   &c->kinds,    &c->nodes,  &c->data};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_free(all[i]);
}

static void add_hex(struct buf *b, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    buf_puts(b, "\"\\\\x"); /* in an array's quotes: \\x begins a bytea */
    for (size_t i = 0; i < len; i++) {
        const char two[2] = {digits[p[i] >> 4], digits[p[i] & 15]};
        buf_add(b, two, sizeof(two));
    }
    buf_puts(b, "\"");
}

static void fill_sessions(struct columns *c, const struct call_step *const *steps,
                          size_t n)
{
    CLEANUP(free_cleanup) struct uuid *calls = xcalloc(n, sizeof(*calls));
    CLEANUP(free_cleanup) int64_t *numbers = xcalloc(2 * n, sizeof(*numbers));
    CLEANUP(free_cleanup) const char **statuses = xcalloc(n, sizeof(*statuses));

    for (size_t i = 0; i < n; i++) {
        calls[i] = steps[i]->call_id;
        numbers[i] = steps[i]->seq;
        numbers[n + i] = steps[i]->at_ms;
        statuses[i] = steps[i]->status;
        buf_puts(&c->states, i ? "," : "{");
        add_hex(&c->states, steps[i]->state, steps[i]->state_len);
    }
    buf_puts(&c->states, "}");
    pg_array_uuid(&c->calls, calls, n);
    pg_array_i64(&c->seqs, numbers, n);
    pg_array_i64(&c->at, numbers + n, n);
    pg_array_text(&c->statuses, statuses, n);
}

static int fill_events(struct columns *c, const struct call_step *const *steps, size_t n,
                       size_t total)
{
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(total + 1, sizeof(*ids));
    CLEANUP(free_cleanup) int64_t *of = xcalloc(total + 1, sizeof(*of));
    CLEANUP(free_cleanup) const char **texts = xcalloc(2 * total + 1, sizeof(*texts));
    CLEANUP(free_cleanup) char **data = xcalloc(total + 1, sizeof(*data));
    size_t at = 0;
    int err = 0;

    for (size_t i = 0; i < n; i++) {
        size_t first = at;
        for (size_t k = 0; k < steps[i]->event_count; k++, at++) {
            const struct call_event *e = &steps[i]->events[k];
            ids[at] = uuid_v7(steps[i]->at_ms);
            of[at] = (int64_t)i + 1;
            texts[at] = e->kind;
            texts[total + at] = e->node ? e->node : "";
            data[at] = e->data ? json_dumps(e->data, JSON_COMPACT) : xstrdup("{}");
            if (!data[at])
                err = EINVAL;
        }
        /* Read back in the order they happened. */
        qsort(ids + first, at - first, sizeof(*ids), id_order);
    }
    if (!err) {
        pg_array_uuid(&c->ids, ids, total);
        pg_array_i64(&c->of, of, total);
        pg_array_text(&c->kinds, texts, total);
        pg_array_text(&c->nodes, texts + total, total);
        pg_array_text(&c->data, (const char *const *)data, total);
    }
    for (size_t i = 0; i < total; i++)
        free(data[i]);
    return err;
}

static int fill(struct columns *c, const struct call_step *const *steps, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += steps[i]->event_count;
    fill_sessions(c, steps, n);
    return fill_events(c, steps, n, total);
}

/* The new states and, of the steps whose seq was the next one, the events. */
static const char write_sql[] =
    "WITH s AS (SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::bytea[], "
    "$5::bigint[]) WITH ORDINALITY v(call_id, seq, status, state, at_ms, n)), kept AS "
    "(INSERT INTO ivr_sessions AS k (call_id, tenant_id, seq, status, state, updated_at) "
    "SELECT call_id, $6::int, seq, status, state, furrow_ts(at_ms) FROM s ON CONFLICT "
    "(call_id) DO UPDATE SET seq = excluded.seq, status = excluded.status, state = "
    "excluded.state, updated_at = excluded.updated_at WHERE k.seq = excluded.seq - 1 "
    "RETURNING call_id), told AS (INSERT INTO call_events (id, tenant_id, call_id, seq, "
    "kind, node, data, at) SELECT e.id, $6::int, s.call_id, s.seq, e.kind, e.node, "
    "e.data::jsonb, furrow_ts(s.at_ms) FROM unnest($7::uuid[], $8::int[], $9::text[], "
    "$10::text[], $11::text[]) e(id, of, kind, node, data) JOIN s ON s.n = e.of JOIN "
    "kept "
    "USING (call_id)) SELECT s.n FROM s JOIN kept USING (call_id)";

/* alone: as a transaction; else in the caller's. */
static int write_steps(struct pg *pg, const struct call_step *const *steps, size_t n,
                       bool alone, int *errs)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct columns c = {0};
    struct pg_args a = {0};
    int tenant_id = steps[0]->tenant_id;

    int err = fill(&c, steps, n);
    if (!err) {
        const struct buf *texts[] = {&c.calls, &c.seqs, &c.statuses, &c.states, &c.at};
        const struct buf *more[] = {&c.ids, &c.of, &c.kinds, &c.nodes, &c.data};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            pg_arg_text(&a, texts[i]->data);
        pg_arg_i64(&a, tenant_id);
        for (size_t i = 0; i < ARRAY_LEN(more); i++)
            pg_arg_text(&a, more[i]->data);
        err = alone ? pg_run_alone(pg, tenant_id, &res, write_sql, &a)
                    : pg_run(pg, &res, write_sql, &a);
    }
    columns_free(&c);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++)
        errs[i] = EEXIST;
    for (int i = 0; i < PQntuples(res); i++) {
        int64_t at = pg_i64(res, i, 0);
        if (at >= 1 && at <= (int64_t)n)
            errs[at - 1] = 0;
    }
    return 0;
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
        err = write_steps(pg, &s, 1, false, &refused);
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
    return write_steps(pg, steps, n, true, errs);
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
