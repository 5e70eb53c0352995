#include "campaigns/message_send_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "campaigns/message_settings_store.h"
#include "campaigns/message_store.h"
#include "compliance/dnc_store.h"
#include "compliance/facts_store.h"

int message_load(struct pg *pg, int tenant_id, const struct uuid *id,
                 struct message_due *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    int err =
        pg_run(pg, &res,
               "SELECT phone, body, state = 'queued' OR (state = 'failed' AND "
               "reported_at IS NULL), kind = '" MESSAGE_REPLY "', coalesce((SELECT "
               "c.campaign_id FROM calls c WHERE c.id = coalesce(m.call_id, (SELECT "
               "r.call_id FROM recordings r WHERE r.id = m.recording_id))), 0) FROM "
               "messages m WHERE id = $1 FOR UPDATE",
               &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    struct message_due m = {.id = *id,
                            .phone = pg_i64(res, 0, 0),
                            .due = pg_bool(res, 0, 2),
                            .reply = pg_bool(res, 0, 3)};
    /* A reply was asked for just now. Under the lock of opt-outs: one that is not seen
     * here commits after this transaction. */
    if (!m.reply)
        err = facts_lock_numbers(pg, tenant_id, &m.phone, 1);
    if (!err && !m.reply)
        err = dnc_stops_sms(pg, tenant_id, m.phone, pg_i64(res, 0, 4), &m.stopped);
    if (err)
        return err;
    m.body = xstrdup(pg_text(res, 0, 1));
    *out = m;
    return 0;
}

void message_due_free(struct message_due *m)
{
    free(m->body);
    m->body = NULL;
}

/* ---- the day ---- */

/*
 * The row of the day is the lock: whoever counts holds it until the commit, and the next
 * one compares what is there then.
 */
static int count(struct pg *pg, int tenant_id, const struct message_due *m,
                 const struct message_settings *s, int64_t now_ms, bool *over,
                 int64_t *until_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &m->id);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, s->zone);
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, m->reply ? 0 : s->daily_cap);
    int err = pg_run(
        pg, &res,
        "WITH t AS (SELECT furrow_ts($2) AT TIME ZONE $3::text AS local), d AS (SELECT "
        "local::date AS day, (date_trunc('day', local) + interval '1 day') AT TIME ZONE "
        "$3::text AS until FROM t), was AS (SELECT counted_on = d.day AS today FROM "
        "messages, d "
        "WHERE id = $1), taken AS (INSERT INTO message_days AS c (tenant_id, day, "
        "messages) SELECT $4, d.day, 1 FROM d, was WHERE was.today IS NOT TRUE ON "
        "CONFLICT (tenant_id, day) DO UPDATE SET messages = c.messages + 1 WHERE "
        "$5::bigint = 0 OR c.messages < $5 RETURNING day), mark AS (UPDATE messages SET "
        "counted_on = taken.day FROM taken WHERE id = $1) SELECT was.today IS TRUE OR "
        "EXISTS (SELECT FROM taken), furrow_ms(d.until) FROM d, was",
        &a);
    if (err)
        return err;
    *over = !pg_bool(res, 0, 0);
    *until_ms = pg_i64(res, 0, 1);
    return 0;
}

int message_begin(struct pg *pg, int tenant_id, const struct message_due *m,
                  const struct message_begun *b, int64_t now_ms, bool *over,
                  int64_t *until_ms)
{
    const struct message_settings *s = b->settings;
    struct pg_args a = {0};
    int err = 0;

    *over = false;
    if (s)
        err = count(pg, tenant_id, m, s, now_ms, over, until_ms);
    if (err || *over)
        return err;
    pg_arg_uuid(&a, &m->id);
    pg_arg_text(&a, b->provider);
    pg_arg_text(&a, b->encoding);
    pg_arg_i64(&a, b->segments);
    pg_arg_i64(&a, b->price_micros);
    pg_arg_text(&a, s && b->price_micros > 0 ? s->currency : "");
    pg_arg_text(&a, s ? s->sender : "");
    if (s)
        pg_arg_i64(&a, s->account_id);
    else
        pg_arg_null(&a);
    return pg_run(pg, NULL,
                  "UPDATE messages SET provider = $2, encoding = $3, segments = $4, "
                  "price_micros = $5, currency = $6, sender = $7, account_id = $8, "
                  "waits_until = NULL WHERE id = $1",
                  &a);
}

int message_wait(struct pg *pg, int tenant_id, const struct message_due *m,
                 int64_t until_ms, int64_t now_ms)
{
    char id[UUID_TEXT_MAX], key[UUID_TEXT_MAX + 24];
    json_auto_t *payload =
        json_pack("{s:i, s:s}", "v", 1, "message_id", uuid_text(&m->id, id));
    struct pg_args a = {0};

    pg_arg_uuid(&a, &m->id);
    pg_arg_ms(&a, until_ms);
    int err = pg_run(pg, NULL,
                     "UPDATE messages SET state = 'queued', error = '', waits_until = "
                     "furrow_ts($2) WHERE id = $1",
                     &a);
    /* The job at hand ends; each day is one of its own. */
    snprintf(key, sizeof(key), "%s@%lld", id, (long long)until_ms / 1000);
    return err ? err
               : job_enqueue(pg, tenant_id, "sms", key, payload, now_ms,
                             until_ms > now_ms ? until_ms - now_ms : 0);
}

/* ---- afterwards ---- */

/* The day has room for another one. */
static int uncount(struct pg *pg, const struct uuid *id)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    return pg_run(pg, NULL,
                  "WITH m AS (UPDATE messages t SET counted_on = NULL, price_micros = 0, "
                  "currency = '' FROM messages b WHERE t.id = $1 AND b.id = $1 AND "
                  "t.state IN ('failed', 'refused') RETURNING b.counted_on) UPDATE "
                  "message_days d SET messages = messages - 1 FROM m WHERE d.day = "
                  "m.counted_on",
                  &a);
}

int message_finish(struct pg *pg, const struct uuid *id, const struct message_outcome *o,
                   int64_t now_ms)
{
    bool sent = str_is(o->state, "sent");
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    pg_arg_text(&a, o->state);
    pg_arg_text(&a, o->error ? o->error : "");
    pg_arg_text(&a, o->provider_id ? o->provider_id : "");
    pg_arg_ms(&a, sent ? now_ms : 0);
    pg_arg_i64(&a, o->price_micros);
    pg_arg_text(&a, o->currency ? o->currency : "");
    int err = pg_run(
        pg, NULL,
        "UPDATE messages SET state = CASE WHEN state IN ('queued', 'failed') AND "
        "reported_at IS NULL THEN $2 ELSE state END, error = CASE WHEN state IN "
        "('queued', 'failed') AND reported_at IS NULL THEN $3 ELSE error END, "
        "provider_id = CASE WHEN provider_id = '' OR $4 <> '' THEN $4 ELSE provider_id "
        "END, sent_at = coalesce(sent_at, furrow_ts($5)), price_micros = CASE WHEN $6 > "
        "0 "
        "AND reported_at IS NULL THEN $6 ELSE price_micros END, currency = CASE WHEN $6 "
        "> "
        "0 AND reported_at IS NULL THEN $7 ELSE currency END, waits_until = NULL WHERE "
        "id = $1",
        &a);
    return err || !o->certain ? err : uncount(pg, id);
}
