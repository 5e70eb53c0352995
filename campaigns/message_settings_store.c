#include "campaigns/message_settings_store.h"

#include <errno.h>
#include <string.h>

#include "base/money.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/provider_http.h"
#include "campaigns/provider_store.h"
#include "contacts/tz.h"

/* ---- settings ---- */

static int load(struct pg *pg, struct message_settings *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res,
                     "SELECT s.account_id, p.name, s.sender, s.daily_cap, s.zone, "
                     "s.transliterate, s.price_micros, s.currency, s.service FROM "
                     "message_settings s JOIN provider_accounts p ON p.id = s.account_id",
                     NULL);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    *out = (struct message_settings){.account_id = pg_i64(res, 0, 0),
                                     .daily_cap = pg_i64(res, 0, 3),
                                     .transliterate = pg_bool(res, 0, 5),
                                     .price_micros = pg_i64(res, 0, 6)};
    str_cut(out->account, sizeof(out->account), pg_text(res, 0, 1));
    str_cut(out->sender, sizeof(out->sender), pg_text(res, 0, 2));
    str_cut(out->zone, sizeof(out->zone), pg_text(res, 0, 4));
    str_cut(out->currency, sizeof(out->currency), pg_text(res, 0, 7));
    str_cut(out->service, sizeof(out->service), pg_text(res, 0, 8));
    return 0;
}

int message_settings_load(struct pg *pg, int tenant_id, struct message_settings *out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, load(pg, out));
}

/* One printable ASCII word, or a few: a number, a short code, a name. */
static bool is_sender(const char *text)
{
    size_t n = strspn(text, "+0123456789abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ -_&.");

    return !text[n];
}

static int check(const struct message_settings *s, struct errtext *e)
{
    const struct tz_zone *zone = NULL;

    if (!is_sender(s->sender))
        return errtext_set(e, EINVAL, 0, 0,
                           "'%s' is no sender: a number (+251911000000), a short code "
                           "(8042) or a name (Ledger)",
                           s->sender);
    if (tz_find(s->zone, &zone))
        return errtext_set(e, EINVAL, 0, 0,
                           "there is no zone '%s'; e.g. Africa/Addis_Ababa", s->zone);
    if (s->daily_cap < 0 || s->daily_cap > INT32_MAX)
        return errtext_set(e, EINVAL, 0, 0, "a daily cap is 0 (none) or more messages");
    if (s->price_micros < 0)
        return errtext_set(e, EINVAL, 0, 0, "a price is not below 0");
    if (s->currency[0] ? !money_is_currency(s->currency) : s->price_micros > 0)
        return errtext_set(e, EINVAL, 0, 0,
                           "a price has a currency of three capital letters, e.g. ETB");
    return 0;
}

/* A gateway must know how to send, and others must know who does. */
static int check_account(const struct provider *p, const struct message_settings *s,
                         struct errtext *e)
{
    struct provider_http http = {0};

    if (!s->sender[0] && (p->kind == PROVIDER_TWILIO || p->kind == PROVIDER_PLIVO))
        return errtext_set(e, EINVAL, 0, 0,
                           "%s needs a sender: state it, e.g. --sender +15550100",
                           provider_kind_name(p->kind));
    if (p->kind != PROVIDER_HTTP)
        return 0;
    int err = provider_http_read(p->settings_json, &http, e);
    bool sends = http.sends;
    provider_http_free(&http);
    if (!err && !sends)
        err = errtext_set(e, EINVAL, 0, 0,
                          "the settings of provider '%s' have no \"send\": they do not "
                          "say how a message is sent; see docs/providers.md",
                          p->name);
    return err;
}

static int save(struct pg *pg, int tenant_id, struct message_settings *s, int64_t now_ms,
                struct errtext *e)
{
    struct provider p = {0};
    struct pg_args a = {0};

    int err = provider_find(pg, NULL, tenant_id, s->account, &p, e);
    if (!err)
        err = check_account(&p, s, e);
    if (err)
        return err;
    s->account_id = p.id;
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, s->account_id);
    pg_arg_text(&a, s->sender);
    pg_arg_i64(&a, s->daily_cap);
    pg_arg_text(&a, s->zone);
    pg_arg_bool(&a, s->transliterate);
    pg_arg_i64(&a, s->price_micros);
    pg_arg_text(&a, s->currency);
    pg_arg_text(&a, s->service);
    pg_arg_ms(&a, now_ms);
    err =
        pg_run(pg, NULL,
               "INSERT INTO message_settings (tenant_id, account_id, sender, daily_cap, "
               "zone, transliterate, price_micros, currency, service, changed_at) VALUES "
               "($1, $2, $3, $4, $5, $6, $7, $8, $9, furrow_ts($10)) ON CONFLICT "
               "(tenant_id) DO UPDATE SET account_id = $2, sender = $3, daily_cap = $4, "
               "zone = $5, transliterate = $6, price_micros = $7, currency = $8, "
               "service = $9, changed_at = furrow_ts($10)",
               &a);
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

int message_settings_save(struct pg *pg, int tenant_id, struct message_settings *s,
                          int64_t now_ms, struct errtext *e)
{
    bool own = false;

    int err = check(s, e);
    if (err)
        return err;
    err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, save(pg, tenant_id, s, now_ms, e));
}

int message_settings_remove(struct pg *pg, int tenant_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, &res, "DELETE FROM message_settings", NULL);
    if (!err && pg_affected(res) == 0)
        err = ENOENT;
    return pg_end_own(pg, own, err);
}

/* ---- figures ---- */

static int as_json(struct pg *pg, int tenant_id, const char *sql, const struct pg_args *a,
                   json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_end_own(pg, own, pg_run(pg, &res, sql, a));
    if (err)
        return err;
    *out = json_loads(pg_text(res, 0, 0), JSON_DECODE_ANY, NULL);
    return *out ? 0 : EPROTO;
}

/* Of the day: what left in it, what was queued in it and has not left, and what still
 * waits from days before, which the key of the last month bounds. */
static const char status_sql[] =
    "WITH s AS (SELECT coalesce((SELECT zone FROM message_settings), 'Etc/UTC') AS "
    "zone), "
    "d AS (SELECT zone, (furrow_ts($1) AT TIME ZONE zone)::date AS day, "
    "date_trunc('day', furrow_ts($1) AT TIME ZONE zone) AT TIME ZONE zone AS since, "
    "(date_trunc('day', furrow_ts($1) AT TIME ZONE zone) + interval '1 day') AT TIME "
    "ZONE "
    "zone AS until FROM s), m AS (SELECT m.* FROM messages m, d WHERE m.id >= "
    "furrow_uuid_floor(d.since - interval '31 days') AND (m.state = 'queued' OR "
    "coalesce(m.sent_at, m.created_at) >= d.since)), costs AS (SELECT currency, "
    "sum(price_micros) AS micros FROM m WHERE state IN ('sent', 'delivered', "
    "'undelivered') AND price_micros > 0 GROUP BY 1) SELECT json_build_object('day', "
    "d.day, 'zone', d.zone, 'until_ms', furrow_ms(d.until), 'cap', coalesce((SELECT "
    "daily_cap FROM message_settings), 0), 'counted', coalesce((SELECT messages FROM "
    "message_days WHERE day = d.day), 0), 'waiting', (SELECT count(*) FROM m WHERE state "
    "= 'queued' AND waits_until > furrow_ts($1)), 'segments', (SELECT "
    "coalesce(sum(segments), 0) FROM m WHERE state IN ('sent', 'delivered', "
    "'undelivered')), 'states', (SELECT coalesce(json_object_agg(state, n), '{}') FROM "
    "(SELECT state, count(*) AS n FROM m GROUP BY 1) g), 'costs', (SELECT "
    "coalesce(json_agg(costs ORDER BY currency), '[]') FROM costs)) FROM d";

int message_status(struct pg *pg, int tenant_id, int64_t now_ms, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_ms(&a, now_ms);
    return as_json(pg, tenant_id, status_sql, &a, out);
}

int message_list(struct pg *pg, int tenant_id, const char *state, int64_t limit,
                 json_t **out)
{
    struct pg_args a = {0};

    pg_arg_text(&a, state);
    pg_arg_i64(&a, limit);
    return as_json(pg, tenant_id,
                   "SELECT coalesce(json_agg(x), '[]') FROM (SELECT id, phone, kind, "
                   "language, state, encoding, segments, price_micros, currency, sender, "
                   "coalesce((SELECT name FROM provider_accounts p WHERE p.id = "
                   "account_id), provider) AS account, provider_id, error, created_at, "
                   "waits_until, sent_at, reported_at FROM messages WHERE $1::text IS "
                   "NULL OR state = $1 ORDER BY id DESC LIMIT $2) x",
                   &a, out);
}
