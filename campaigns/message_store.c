#include "campaigns/message_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "campaigns/message_reply.h"
#include "compliance/dnc_store.h"

enum { REPLY_GAP_S = 600, ERROR_MAX = 320, PROVIDER_ID_MAX = 128 };

/* ---- to people ---- */

static int queue(struct pg *pg, int tenant_id, const struct message_new *m,
                 int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    json_auto_t *payload = NULL;
    struct uuid id = uuid_v7(now_ms);
    struct pg_args a = {0};
    char key[UUID_TEXT_MAX];

    pg_arg_uuid(&a, &id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, m->dedupe_key);
    pg_arg_i64(&a, m->phone);
    pg_arg_text(&a, m->language ? m->language : "");
    pg_arg_text(&a, m->kind);
    pg_arg_text(&a, m->body);
    pg_arg_uuid(&a, m->call_id);
    pg_arg_uuid(&a, m->recording_id);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, &res,
                     "INSERT INTO messages (id, tenant_id, dedupe_key, phone, language, "
                     "kind, body, call_id, recording_id, created_at) VALUES ($1, $2, $3, "
                     "$4, $5, $6, $7, $8, $9, furrow_ts($10)) "
                     "ON CONFLICT (tenant_id, dedupe_key) DO NOTHING",
                     &a);
    if (err || pg_affected(res) == 0)
        return err;
    payload = json_pack("{s:i, s:s}", "v", 1, "message_id", uuid_text(&id, key));
    return job_enqueue(pg, tenant_id, "sms", key, payload, now_ms, 0);
}

int message_queue(struct pg *pg, int tenant_id, const struct message_new *m,
                  int64_t now_ms)
{
    bool own = false;

    if (m->phone == 0)
        return 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err : pg_end_own(pg, own, queue(pg, tenant_id, m, now_ms));
}

/* ---- what became of them ---- */

int message_stop(struct pg *pg, int tenant_id, int64_t phone, const char *note,
                 int64_t now_ms)
{
    const struct dnc_entry entry = {.phone = phone, .source = "sms", .note = note};
    bool added = false;

    return dnc_add(pg, tenant_id, &entry, now_ms, &added);
}

/*
 * The rank of a state stands in the array's order. A state without a report (reported_at)
 * is what the worker believed: 'queued' while its request is under way, 'failed' when no
 * answer came. In parts: each part tells its own state, so that the worst one remains.
 */
static const char report_sql[] =
    "WITH m AS (SELECT id, state AS before FROM messages WHERE id = $1 AND account_id = "
    "$2 FOR UPDATE), w AS (SELECT id, before, CASE WHEN (reported_at IS NULL AND before "
    "IN ('queued', 'failed')) OR array_position($9::text[], before) < "
    "array_position($9::text[], $3) THEN $3 ELSE before END AS after FROM m JOIN "
    "messages "
    "USING (id)) UPDATE messages t SET state = w.after, error = CASE WHEN w.after = "
    "w.before THEN t.error ELSE $4 END, provider_id = CASE WHEN t.provider_id = '' THEN "
    "$5 ELSE t.provider_id END, price_micros = CASE WHEN $6 > 0 THEN $6 ELSE "
    "t.price_micros END, currency = CASE WHEN $6 > 0 THEN $7 ELSE t.currency END, "
    "sent_at "
    "= coalesce(t.sent_at, furrow_ts($8)), waits_until = NULL, reported_at = "
    "furrow_ts($8) FROM w WHERE t.id = w.id RETURNING w.after <> w.before, t.phone";

static int report(struct pg *pg, int tenant_id, const struct message_report *r,
                  int64_t now_ms, bool *changed)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    char error[ERROR_MAX], provider_id[PROVIDER_ID_MAX];

    str_cut(error, sizeof(error), r->error ? r->error : "");
    str_cut(provider_id, sizeof(provider_id), r->provider_id ? r->provider_id : "");
    pg_arg_uuid(&a, &r->id);
    pg_arg_i64(&a, r->account_id);
    pg_arg_text(&a, message_state_name(r->state));
    pg_arg_text(&a, error);
    pg_arg_text(&a, provider_id);
    pg_arg_i64(&a, r->price_micros);
    pg_arg_text(&a, r->currency ? r->currency : "");
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, "{queued,sent,delivered,undelivered,failed,refused}");
    int err = pg_run(pg, &res, report_sql, &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    if (changed)
        *changed = pg_bool(res, 0, 0);
    return r->opted_out ? message_stop(pg, tenant_id, pg_i64(res, 0, 1),
                                       "opted out at the provider", now_ms)
                        : 0;
}

int message_report(struct pg *pg, int tenant_id, const struct message_report *r,
                   int64_t now_ms, bool *changed)
{
    bool own = false;

    if (changed)
        *changed = false;
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err : pg_end_own(pg, own, report(pg, tenant_id, r, now_ms, changed));
}

static int by_provider_id(struct pg *pg, int64_t account_id, const char *provider_id,
                          struct uuid *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, account_id);
    pg_arg_text(&a, provider_id);
    int err = pg_run(pg, &res,
                     "SELECT id FROM messages WHERE account_id = $1 AND provider_id = $2 "
                     "AND provider_id <> '' ORDER BY created_at DESC LIMIT 1",
                     &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    return pg_uuid(res, 0, 0, out);
}

int message_by_provider_id(struct pg *pg, int tenant_id, int64_t account_id,
                           const char *provider_id, struct uuid *out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err
               : pg_end_own(pg, own, by_provider_id(pg, account_id, provider_id, out));
}

/* ---- what people write ---- */

struct answer {
    char language[16], service[64];
    bool answered; /* within the gap */
};

static int look_up(struct pg *pg, int tenant_id, int64_t phone, int64_t now_ms,
                   struct answer *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    pg_arg_ms(&a, now_ms - (int64_t)REPLY_GAP_S * 1000);
    int err = pg_run(pg, &res,
                     "SELECT coalesce((SELECT language FROM caller_history WHERE phone = "
                     "$2), ''), coalesce((SELECT nullif(service, '') FROM "
                     "message_settings), (SELECT name FROM tenants WHERE id = $1)), "
                     "EXISTS (SELECT FROM messages WHERE kind = '" MESSAGE_REPLY
                     "' AND phone = $2 AND created_at > furrow_ts($3))",
                     &a);
    if (err)
        return err;
    str_cut(out->language, sizeof(out->language), pg_text(res, 0, 0));
    str_cut(out->service, sizeof(out->service), pg_text(res, 0, 1));
    out->answered = pg_bool(res, 0, 2);
    return 0;
}

static int answer(struct pg *pg, int tenant_id, const struct message_in *in,
                  enum message_word word, const char *word_language, bool news,
                  int64_t now_ms)
{
    struct answer to = {0};
    char key[PROVIDER_ID_MAX + 16], id[UUID_TEXT_MAX];
    const struct uuid fresh = uuid_v7(now_ms);

    int err = look_up(pg, tenant_id, in->from, now_ms, &to);
    if (err || (to.answered && !news))
        return err;
    const char *language = *word_language                  ? word_language
                           : in->language && *in->language ? in->language
                                                           : to.language;
    CLEANUP(free_cleanup) char *body = message_reply(word, language, to.service);
    snprintf(key, sizeof(key), "reply-%.120s",
             in->provider_id && *in->provider_id ? in->provider_id
                                                 : uuid_text(&fresh, id));
    const struct message_new m = {.dedupe_key = key,
                                  .phone = in->from,
                                  .language = *language ? language : "en",
                                  .kind = MESSAGE_REPLY,
                                  .body = body};
    return queue(pg, tenant_id, &m, now_ms);
}

static int act(struct pg *pg, int tenant_id, const struct message_in *in,
               enum message_word word, const char *language, int64_t now_ms)
{
    char masked[PHONE_TEXT_MAX];
    bool news = false, before = false;
    int err = 0;

    if (word == MESSAGE_WORD_STOP) {
        err = dnc_is_stopped_sms(pg, tenant_id, in->from, &before);
        if (!err)
            err = message_stop(pg, tenant_id, in->from, "STOP by SMS", now_ms);
        news = !before;
    } else if (word == MESSAGE_WORD_START) {
        err = dnc_start_sms(pg, tenant_id, in->from, now_ms, &news);
    }
    if (err)
        return err;
    log_info("sms", "tenant=%d from=%s word=%s new=%d", tenant_id,
             phone_mask(in->from, masked),
             word == MESSAGE_WORD_STOP    ? "stop"
             : word == MESSAGE_WORD_START ? "start"
                                          : "help",
             news);
    if (in->provider_word != MESSAGE_WORD_NONE || (word == MESSAGE_WORD_STOP && !news))
        return 0;
    return answer(pg, tenant_id, in, word, language, news, now_ms);
}

int message_received(struct pg *pg, int tenant_id, const struct message_in *in,
                     int64_t now_ms, enum message_word *out)
{
    const char *language = "";
    enum message_word word = message_word_of(in->text, &language);
    bool own = false;

    if (in->provider_word != MESSAGE_WORD_NONE)
        word = in->provider_word;
    *out = word;
    if (word == MESSAGE_WORD_NONE || in->from <= 0)
        return 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err
               : pg_end_own(pg, own, act(pg, tenant_id, in, word, language, now_ms));
}
