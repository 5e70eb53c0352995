#include "campaigns/voice_session_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/call_store.h"

#define COLUMNS                                                                          \
    "s.call_id, s.tenant_id, s.account_id, s.provider_call_id, s.inbound, "              \
    "s.flow_revision_id, s.flow_sha256, s.phone, s.dialled, s.language, s.tz_min, "      \
    "s.campaign_id, s.callback_campaign_id, s.contact, s.results, s.recording, "         \
    "s.document, furrow_ms(s.queued_at), s.ended_at IS NOT NULL, k.state, s.queue, "     \
    "s.queue_priority, s.agent, furrow_ms(s.begun_at), s.redirect_revision_id"

enum { COLUMN_COUNT = 25 };

/* Both: who waited for a row gets it as it is then, but a row beside it that is not
 * locked as it was before. A session's state is written with the session. */
#define LOCK "FOR UPDATE OF s, k"

void voice_session_free(struct voice_session *s)
{
    json_decref(s->contact);
    json_decref(s->results);
    free(s->document);
    free(s->state);
    *s = (struct voice_session){0};
}

int voice_session_add(struct pg *pg, const struct voice_session *s, int64_t now_ms)
{
    CLEANUP(free_cleanup) char *contact = json_dumps(s->contact, JSON_COMPACT);
    struct pg_args a = {0};

    pg_arg_uuid(&a, &s->call);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_id(&a, s->account_id);
    pg_arg_text(&a, s->provider_call_id);
    pg_arg_bool(&a, s->inbound);
    pg_arg_i64(&a, s->flow_revision_id);
    pg_arg_text(&a, s->flow_sha256);
    pg_arg_id(&a, s->phone);
    pg_arg_text(&a, s->dialled);
    pg_arg_text(&a, s->language);
    pg_arg_i64(&a, s->tz_min);
    pg_arg_id(&a, s->campaign_id);
    pg_arg_id(&a, s->callback_campaign_id);
    pg_arg_text(&a, contact ? contact : "{}");
    pg_arg_ms(&a, now_ms);
    return pg_run_later(
        pg,
        "INSERT INTO voice_sessions (call_id, tenant_id, account_id, "
        "provider_call_id, inbound, flow_revision_id, flow_sha256, phone, "
        "dialled, language, tz_min, campaign_id, callback_campaign_id, contact, "
        "begun_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
        "$11, $12, $13, $14, furrow_ts($15), furrow_ts($15))",
        &a);
}

static int read_row(const PGresult *res, int row, struct voice_session *out)
{
    struct voice_session s = {.tenant_id = (int)pg_i64(res, row, 1),
                              .account_id = pg_i64(res, row, 2),
                              .inbound = pg_bool(res, row, 4),
                              .flow_revision_id = pg_i64(res, row, 5),
                              .phone = pg_i64(res, row, 7),
                              .tz_min = (int)pg_i64(res, row, 10),
                              .campaign_id = pg_i64(res, row, 11),
                              .callback_campaign_id = pg_i64(res, row, 12),
                              .queued_at_ms = pg_i64(res, row, 17),
                              .ended = pg_bool(res, row, 18),
                              .queue_priority = (int)pg_i64(res, row, 21),
                              .begun_at_ms = pg_i64(res, row, 23),
                              .redirect_revision_id = pg_i64(res, row, 24)};

    if (pg_uuid(res, row, 0, &s.call) ||
        str_copy(s.provider_call_id, sizeof(s.provider_call_id), pg_text(res, row, 3)) ||
        str_copy(s.flow_sha256, sizeof(s.flow_sha256), pg_text(res, row, 6)) ||
        str_copy(s.dialled, sizeof(s.dialled), pg_text(res, row, 8)) ||
        str_copy(s.language, sizeof(s.language), pg_text(res, row, 9)) ||
        str_copy(s.recording, sizeof(s.recording), pg_text(res, row, 15)) ||
        str_copy(s.queue, sizeof(s.queue), pg_text(res, row, 20)) ||
        str_copy(s.agent, sizeof(s.agent), pg_text(res, row, 22)))
        return EBADMSG;
    int err = pg_bytes_dup(res, row, 19, &s.state, &s.state_len);
    if (err)
        return err;
    s.contact = json_loads(pg_text(res, row, 13), 0, NULL);
    s.results = json_loads(pg_text(res, row, 14), 0, NULL);
    s.document = xstrdup(pg_text(res, row, 16));
    *out = s;
    return 0;
}

static int find(struct pg *pg, const char *sql, const struct pg_args *a,
                struct voice_session *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, sql, a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    return err ? err : read_row(res, 0, out);
}

int voice_session_find(struct pg *pg, int64_t account_id, const struct uuid *call,
                       struct voice_session *out)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    pg_arg_i64(&a, account_id);
    return find(pg,
                "SELECT " COLUMNS " FROM voice_sessions s JOIN ivr_sessions k ON "
                "k.call_id = s.call_id WHERE s.call_id = $1 AND coalesce(s.account_id, "
                "0) = $2 " LOCK,
                &a, out);
}

int voice_session_find_provider(struct pg *pg, int64_t account_id,
                                const char *provider_call_id, struct voice_session *out)
{
    struct pg_args a = {0};

    pg_arg_text(&a, provider_call_id);
    if (account_id == 0)
        return find(pg,
                    "SELECT " COLUMNS " FROM voice_sessions s JOIN ivr_sessions k ON "
                    "k.call_id = s.call_id WHERE s.provider_call_id = $1 AND "
                    "s.account_id IS NULL " LOCK,
                    &a, out);
    pg_arg_i64(&a, account_id);
    return find(pg,
                "SELECT " COLUMNS " FROM voice_sessions s JOIN ivr_sessions k ON "
                "k.call_id = s.call_id WHERE s.provider_call_id = $1 AND s.account_id = "
                "$2 " LOCK,
                &a, out);
}

int voice_session_set_aside(struct pg *pg, const struct uuid *call)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    return pg_run(
        pg, NULL,
        "UPDATE voice_sessions SET provider_call_id = provider_call_id || '#' || "
        "call_id, ended_at = coalesce(ended_at, changed_at) WHERE call_id = $1",
        &a);
}

int voice_session_write(struct pg *pg, const struct voice_session *s, int64_t now_ms)
{
    CLEANUP(free_cleanup)
    char *results = s->results ? json_dumps(s->results, JSON_COMPACT) : NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &s->call);
    pg_arg_text(&a, s->document ? s->document : "");
    pg_arg_text(&a, s->recording);
    pg_arg_ms(&a, s->queued_at_ms);
    pg_arg_text(&a, results ? results : "{}");
    pg_arg_bool(&a, s->ended);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, s->queue);
    pg_arg_i64(&a, s->queue_priority);
    pg_arg_text(&a, s->agent);
    return pg_run_later(
        pg,
        "UPDATE voice_sessions SET queue = $8, queue_priority = $9, agent = "
        "$10, document = $2, recording = $3, queued_at = "
        "furrow_ts($4), results = $5, changed_at = furrow_ts($7), ended_at = "
        "CASE WHEN $6 THEN coalesce(ended_at, furrow_ts($7)) END WHERE call_id "
        "= $1",
        &a);
}

/* ---- many at once ---- */

int voice_sessions_ask(struct pg *pg, const struct voice_named *calls, size_t n)
{
    enum { ACCOUNT, CALL, ALL };
    struct pg_column c[ALL] = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++) {
        pg_column_i64(&c[ACCOUNT], calls[i].account_id);
        pg_column_uuid(&c[CALL], &calls[i].call);
    }
    for (size_t i = 0; i < ALL; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_ask(pg,
                     "SELECT v.*, q.n FROM unnest($1::bigint[], $2::uuid[]) WITH "
                     "ORDINALITY q(account_id, call_id, n), LATERAL (SELECT " COLUMNS
                     " FROM voice_sessions s JOIN ivr_sessions k ON k.call_id = "
                     "q.call_id WHERE s.call_id = q.call_id AND coalesce(s.account_id, "
                     "0) = q.account_id " LOCK " SKIP LOCKED) v",
                     &a);
    pg_columns_free(c, ALL);
    return err;
}

int voice_sessions_answer(struct pg *pg, size_t n, struct voice_session *out, bool *found)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_answer(pg, &res);
    for (size_t i = 0; i < n; i++)
        found[i] = false;
    for (int row = 0; !err && row < PQntuples(res); row++) {
        int64_t i = pg_i64(res, row, COLUMN_COUNT) - 1;
        if (i < 0 || i >= (int64_t)n || found[i])
            return EPROTO;
        err = read_row(res, row, &out[i]);
        found[i] = !err;
    }
    return err;
}

static void add_json(struct pg_column *c, const json_t *json)
{
    CLEANUP(free_cleanup) char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    pg_column_text(c, text ? text : "{}");
}

int voice_sessions_add(struct pg *pg, int tenant_id,
                       const struct voice_session *const *all, size_t n, int64_t now_ms)
{
    enum { CALL, ACCOUNT, NAME, INBOUND, REVISION, SHA256, PHONE, DIALLED, LANGUAGE };
    enum { TZ = LANGUAGE + 1, CAMPAIGN, CALLBACK, CONTACT, DOCUMENT, RESULTS, ALL };
    struct pg_column c[ALL] = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const struct voice_session *s = all[i];
        pg_column_uuid(&c[CALL], &s->call);
        pg_column_id(&c[ACCOUNT], s->account_id);
        pg_column_text(&c[NAME], s->provider_call_id);
        pg_column_bool(&c[INBOUND], s->inbound);
        pg_column_i64(&c[REVISION], s->flow_revision_id);
        pg_column_text(&c[SHA256], s->flow_sha256);
        pg_column_id(&c[PHONE], s->phone);
        pg_column_text(&c[DIALLED], s->dialled);
        pg_column_text(&c[LANGUAGE], s->language);
        pg_column_i64(&c[TZ], s->tz_min);
        pg_column_id(&c[CAMPAIGN], s->campaign_id);
        pg_column_id(&c[CALLBACK], s->callback_campaign_id);
        add_json(&c[CONTACT], s->contact);
        pg_column_text(&c[DOCUMENT], s->document ? s->document : "");
        add_json(&c[RESULTS], s->results);
    }
    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    for (size_t i = 0; i < ALL; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_run_later(
        pg,
        "INSERT INTO voice_sessions (tenant_id, call_id, account_id, provider_call_id, "
        "inbound, flow_revision_id, flow_sha256, phone, dialled, language, tz_min, "
        "campaign_id, callback_campaign_id, contact, document, results, begun_at, "
        "changed_at) SELECT $1::int, v.a, v.b, v.c, v.d, v.e, v.f, v.g, v.h, v.i, v.j, "
        "v.k, v.l, v.m::jsonb, v.n, v.o::jsonb, furrow_ts($2), furrow_ts($2) FROM "
        "unnest($3::uuid[], $4::bigint[], $5::text[], $6::boolean[], $7::bigint[], "
        "$8::text[], $9::bigint[], $10::text[], $11::text[], $12::bigint[], "
        "$13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::text[]) v(a, b, c, "
        "d, e, f, g, h, i, j, k, l, m, n, o)",
        &a);
    pg_columns_free(c, ALL);
    return err;
}

int voice_sessions_write(struct pg *pg, const struct voice_session *const *all, size_t n,
                         int64_t now_ms)
{
    enum { CALL, DOCUMENT, RESULTS, ALL };
    struct pg_column c[ALL] = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        pg_column_uuid(&c[CALL], &all[i]->call);
        pg_column_text(&c[DOCUMENT], all[i]->document ? all[i]->document : "");
        add_json(&c[RESULTS], all[i]->results);
    }
    pg_arg_ms(&a, now_ms);
    for (size_t i = 0; i < ALL; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_run_later(
        pg,
        "UPDATE voice_sessions s SET document = v.document, results = v.results::jsonb, "
        "changed_at = furrow_ts($1) FROM unnest($2::uuid[], $3::text[], $4::text[]) "
        "v(call_id, document, results) WHERE s.call_id = v.call_id",
        &a);
    pg_columns_free(c, ALL);
    return err;
}

/* ---- from outside ---- */

#define LIVE                                                                             \
    "SELECT s.call_id, s.account_id, coalesce(s.phone, 0), p.name, s.provider_call_id, " \
    "s.queue, s.agent, s.inbound, furrow_ms(s.begun_at) FROM voice_sessions s JOIN "     \
    "provider_accounts p ON p.id = s.account_id "

static int read_live(const PGresult *res, int row, struct voice_live *out)
{
    *out = (struct voice_live){.account_id = pg_i64(res, row, 1),
                               .phone = pg_i64(res, row, 2),
                               .inbound = pg_bool(res, row, 7),
                               .begun_at_ms = pg_i64(res, row, 8)};
    str_cut(out->account, sizeof(out->account), pg_text(res, row, 3));
    str_cut(out->provider_call_id, sizeof(out->provider_call_id), pg_text(res, row, 4));
    str_cut(out->queue, sizeof(out->queue), pg_text(res, row, 5));
    str_cut(out->agent, sizeof(out->agent), pg_text(res, row, 6));
    return pg_uuid(res, row, 0, &out->call);
}

int voice_calls_live(struct pg *pg, int tenant_id, struct voice_live **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct voice_live *all = NULL;

    *n = 0;
    int err = pg_run_alone(
        pg, tenant_id, &res,
        LIVE "JOIN calls c ON c.id = s.call_id WHERE s.ended_at IS NULL AND c.ended_at "
             "IS NULL ORDER BY s.begun_at, s.call_id LIMIT 1000",
        NULL);
    if (err)
        return err;
    all = xcalloc((size_t)PQntuples(res) + 1, sizeof(*all));
    for (int i = 0; i < PQntuples(res) && !err; i++)
        err = read_live(res, i, &all[(*n)++]);
    if (err)
        free(all);
    else
        *out = all;
    return err;
}

int voice_call_named(struct pg *pg, int tenant_id, const char *name,
                     struct voice_live *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    struct uuid id;

    pg_arg_text(&a, name);
    if (uuid_parse(name, &id) == 0)
        pg_arg_uuid(&a, &id);
    else
        pg_arg_null(&a);
    int err =
        pg_run_alone(pg, tenant_id, &res,
                     LIVE "WHERE s.call_id = $2 OR s.provider_call_id = $1 ORDER BY "
                          "s.call_id = $2 DESC LIMIT 1",
                     &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    return err ? err : read_live(res, 0, out);
}

/* The document that it hears ends with a redirect: to the address between two tags. */
static bool next_url(const char *document, char *out, size_t size)
{
    const char *tag = strstr(document, "<Redirect method=\"POST\">");
    const char *at = tag ? strchr(tag, '>') + 1 : NULL;
    size_t len = at ? strcspn(at, "<&") : 0;

    if (!at || at[len] != '<' || len == 0 || len >= size)
        return false;
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

int voice_calls_due(struct pg *pg, int tenant_id, int64_t now_ms,
                    struct voice_waiting *out, size_t max, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *n = 0;
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, (int64_t)max);
    int err = pg_run_alone(
        pg, tenant_id, &res,
        "SELECT s.call_id, s.account_id, s.provider_call_id, s.document FROM (SELECT "
        "call_id, queue, row_number() OVER (PARTITION BY queue ORDER BY priority DESC, "
        "since, call_id) AS place FROM agent_waiters WHERE seen_at > clock_timestamp() - "
        "interval '10 s') w JOIN voice_sessions s ON s.call_id = w.call_id WHERE s.agent "
        "= '' AND s.ended_at IS NULL AND w.place <= (SELECT count(*) FROM agents g WHERE "
        "g.queue = w.queue AND (g.state = 'ready' OR (g.state = 'wrap_up' AND "
        "g.wrap_until <= furrow_ts($1)))) ORDER BY w.place, s.call_id LIMIT $2",
        &a);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        struct voice_waiting *c = &out[*n];
        *c = (struct voice_waiting){.account_id = pg_i64(res, i, 1)};
        str_cut(c->provider_call_id, sizeof(c->provider_call_id), pg_text(res, i, 2));
        err = pg_uuid(res, i, 0, &c->call);
        *n += !err && next_url(pg_text(res, i, 3), c->next_url, sizeof(c->next_url));
    }
    return err;
}

/* ---- attempts ---- */

int voice_attempt_find(struct pg *pg, int64_t account_id, const struct uuid *attempt,
                       struct voice_attempt *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, attempt);
    pg_arg_i64(&a, account_id);
    int err = pg_run(
        pg, &res,
        "SELECT a.campaign_id, a.contact_id, a.phone, coalesce(v.flow_revision_id, "
        "k.flow_revision_id), a.slot, k.machine_flow_revision_id FROM attempts a JOIN "
        "trunks t ON t.id = a.trunk_id AND t.account_id = $2 JOIN campaigns k ON k.id = "
        "a.campaign_id LEFT JOIN campaign_variants v ON v.campaign_id = k.id AND "
        "v.name = a.variant WHERE a.id = $1 AND a.state IN ('released', "
        "'ringing', 'answered')",
        &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    *out = (struct voice_attempt){.campaign_id = pg_i64(res, 0, 0),
                                  .contact_id = pg_i64(res, 0, 1),
                                  .phone = pg_i64(res, 0, 2),
                                  .flow_revision_id = pg_i64(res, 0, 3),
                                  .slot = (int)pg_i64(res, 0, 4),
                                  .machine_flow_revision_id = pg_i64(res, 0, 5)};
    return 0;
}

int voice_recording_at(struct pg *pg, const char *name, const char *location)
{
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    pg_arg_text(&a, location);
    return pg_run(pg, NULL, "UPDATE recordings SET location = $2 WHERE name = $1", &a);
}

int voice_recordings_lose(struct pg *pg, int tenant_id, int64_t before_ms, int64_t now_ms,
                          size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *n = 0;
    pg_arg_ms(&a, before_ms);
    int err = pg_run_alone(
        pg, tenant_id, &res,
        "SELECT r.name FROM recordings r JOIN calls c ON c.id = r.call_id WHERE r.state "
        "= "
        "'live' AND r.source IN ('twilio', 'plivo') AND c.ended_at < furrow_ts($1) ORDER "
        "BY r.id LIMIT 1000",
        &a);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        err = call_recording_end(pg, tenant_id, pg_text(res, i, 0), "lost_media", 0,
                                 "the provider never told of its end", now_ms);
        *n += !err;
    }
    return err;
}

int voice_calls_lose(struct pg *pg, int tenant_id, int64_t before_ms, int64_t silent_ms,
                     size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *n = 0;
    pg_arg_ms(&a, before_ms);
    pg_arg_ms(&a, silent_ms);
    int err = pg_run_alone(
        pg, tenant_id, &res,
        "WITH lost AS (SELECT s.call_id, s.results, greatest(a.ended_at, c.started_at, "
        "CASE WHEN s.inbound THEN s.changed_at END) AS at FROM calls c JOIN "
        "voice_sessions s ON s.call_id = c.id LEFT JOIN attempts a ON a.id = c.id WHERE "
        "c.ended_at IS NULL AND ((a.state IN ('ended', 'unknown') AND a.ended_at < "
        "furrow_ts($1) AND s.changed_at < furrow_ts($1)) OR (s.inbound AND s.account_id "
        "IS NOT NULL AND s.changed_at < furrow_ts($2))) LIMIT 500 FOR "
        "UPDATE OF s SKIP LOCKED), flows AS (UPDATE ivr_sessions i SET status = 'ended' "
        "FROM lost WHERE i.call_id = lost.call_id), sessions AS (UPDATE voice_sessions s "
        "SET ended_at = lost.at FROM lost WHERE s.call_id = lost.call_id AND s.ended_at "
        "IS NULL) UPDATE calls c SET ended_at = lost.at, outcome = 'hung_up', results = "
        "lost.results FROM lost WHERE c.id = lost.call_id AND c.ended_at IS NULL "
        "RETURNING c.id",
        &a);
    *n = err ? 0 : (size_t)PQntuples(res);
    return err;
}

int voice_account_of_call(struct pg *pg, const struct uuid *call, int64_t *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    int err =
        pg_run(pg, &res, "SELECT account_id FROM voice_sessions WHERE call_id = $1", &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    *out = err ? 0 : pg_i64(res, 0, 0);
    return err;
}
