/*
 * call_store_step - one step of a call's flow: state, events and what its effects
 * stand for, together or not at all.
 *
 * The number's lock (opt-out, callback) comes before any row, as everywhere.
 */
#include "campaigns/call_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign.h"
#include "campaigns/job_store.h"
#include "compliance/dnc_store.h"
#include "compliance/facts_store.h"

static int set_state(struct pg *pg, const struct call_step *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &s->call_id);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_i64(&a, s->seq);
    pg_arg_text(&a, s->status);
    pg_arg_bytes(&a, s->state, s->state_len);
    pg_arg_ms(&a, s->at_ms);
    int err = pg_run(pg, &res,
                     "INSERT INTO ivr_sessions AS s (call_id, tenant_id, seq, status, "
                     "state, updated_at) VALUES ($1, $2, $3, $4, $5, furrow_ts($6)) ON "
                     "CONFLICT (call_id) DO UPDATE SET seq = excluded.seq, status = "
                     "excluded.status, state = excluded.state, updated_at = "
                     "excluded.updated_at WHERE s.seq = excluded.seq - 1",
                     &a);
    return !err && pg_affected(res) == 0 ? EEXIST : err;
}

/* ---- events ---- */

static int id_order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

static int write_events(struct pg *pg, const struct call_step *s)
{
    size_t n = s->event_count;
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n + 1, sizeof(*ids));
    CLEANUP(free_cleanup) const char **texts = xcalloc(2 * n + 1, sizeof(*texts));
    CLEANUP(free_cleanup) char **data = xcalloc(n + 1, sizeof(*data));
    struct buf arrays[4] = {0};
    struct pg_args a = {0};
    int err = 0;

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const struct call_event *e = &s->events[i];

        ids[i] = uuid_v7(s->at_ms);
        texts[i] = e->kind;
        texts[n + i] = e->node ? e->node : "";
        data[i] = e->data ? json_dumps(e->data, JSON_COMPACT) : xstrdup("{}");
        if (!data[i])
            err = EINVAL;
    }
    qsort(ids, n, sizeof(*ids), id_order); /* read back in the order they happened */
    if (!err) {
        pg_array_uuid(&arrays[0], ids, n);
        pg_array_text(&arrays[1], texts, n);
        pg_array_text(&arrays[2], texts + n, n);
        pg_array_text(&arrays[3], (const char *const *)data, n);
        for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
            pg_arg_text(&a, arrays[k].data);
        pg_arg_i64(&a, s->tenant_id);
        pg_arg_uuid(&a, &s->call_id);
        pg_arg_i64(&a, s->seq);
        pg_arg_ms(&a, s->at_ms);
        err = pg_run(pg, NULL,
                     "INSERT INTO call_events (id, tenant_id, call_id, seq, kind, node, "
                     "data, at) SELECT v.id, $5, $6, $7, v.kind, v.node, v.data::jsonb, "
                     "furrow_ts($8) FROM unnest($1::uuid[], $2::text[], $3::text[], "
                     "$4::text[]) v(id, kind, node, data)",
                     &a);
    }
    for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
        buf_free(&arrays[k]);
    for (size_t i = 0; i < n; i++)
        free(data[i]);
    return err;
}

/* ---- effects ---- */

static int write_sms(struct pg *pg, const struct call_step *s, const struct call_sms *sms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    json_auto_t *payload = NULL;
    struct uuid id = uuid_v7(s->at_ms);
    struct pg_args a = {0};
    char text[UUID_TEXT_MAX];

    pg_arg_uuid(&a, &id);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_text(&a, sms->dedupe_key);
    pg_arg_i64(&a, sms->phone);
    pg_arg_text(&a, sms->language ? sms->language : "");
    pg_arg_text(&a, sms->text);
    pg_arg_uuid(&a, &s->call_id);
    pg_arg_ms(&a, s->at_ms);
    int err = pg_run(pg, &res,
                     "INSERT INTO messages (id, tenant_id, dedupe_key, phone, language, "
                     "kind, body, call_id, created_at) VALUES ($1, $2, $3, $4, $5, "
                     "'flow', $6, $7, furrow_ts($8)) ON CONFLICT (tenant_id, dedupe_key) "
                     "DO NOTHING",
                     &a);
    if (err || pg_affected(res) == 0)
        return err;
    payload = json_pack("{s:i,s:s}", "v", 1, "message_id", uuid_text(&id, text));
    return job_enqueue(pg, s->tenant_id, "sms", text, payload, s->at_ms, 0);
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
    int err = 0;

    if (s->phone > 0 && (s->opt_out || s->callback_at_ms > 0))
        err = facts_lock_numbers(pg, s->tenant_id, &s->phone, 1);
    if (!err)
        err = set_state(pg, s);
    if (!err && s->opt_out)
        err = opt_out(pg, s);
    if (!err)
        err = write_events(pg, s);
    for (size_t i = 0; !err && i < s->sms_count; i++)
        err = write_sms(pg, s, &s->sms[i]);
    if (!err && s->recording)
        err = write_recording(pg, s);
    if (!err && s->language)
        err = remember_language(pg, s);
    if (!err && s->callback_at_ms > 0)
        err = call_back(pg, s);
    return err;
}

int call_commit_step(struct pg *pg, const struct call_step *step)
{
    int err = pg_begin(pg, step->tenant_id);

    return err ? err : pg_end(pg, commit_step(pg, step));
}
