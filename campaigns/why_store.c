#include "campaigns/why_store.h"

#include <errno.h>
#include <stddef.h>

#include "base/pg.h"

struct part {
    const char *name, *sql;
};

/* $1 the number, $2 the campaign or 0. */
static const struct part parts[] = {
    {"contacts",
     "SELECT row_to_json(q) FROM (SELECT c.id AS campaign_id, c.name AS campaign, "
     "c.state AS campaign_state, "
     "cc.contact_id, cc.state, cc.final, furrow_ms(cc.final_at) AS final_ms, "
     "cc.attempts, "
     "CASE WHEN cc.state = 'pending' THEN furrow_ms(cc.next_attempt_at) END AS next_ms, "
     "cc.last_disposition, cc.first_refusal, cc.last_refusal FROM campaign_contacts cc "
     "JOIN campaigns c ON c.id = cc.campaign_id WHERE cc.phone = $1 AND ($2 = 0 OR "
     "cc.campaign_id = $2) ORDER BY c.id DESC LIMIT 200) q"},
    {"attempts",
     "SELECT row_to_json(q) FROM (SELECT t.id, c.name AS campaign, t.campaign_id, "
     "t.number, t.state, t.disposition, "
     "t.cause, t.tech_cause, furrow_ms(t.intent_at) AS intent_ms, "
     "furrow_ms(t.released_at) "
     "AS released_ms, furrow_ms(t.answered_at) AS answered_ms, furrow_ms(t.ended_at) AS "
     "ended_ms, t.note FROM attempts t JOIN campaigns c ON c.id = t.campaign_id WHERE "
     "t.phone = $1 AND ($2 = 0 OR t.campaign_id = $2) ORDER BY t.id DESC LIMIT 200) q"},
    {"decisions",
     "SELECT row_to_json(q) FROM (SELECT d.id, d.stage, d.campaign_id, c.name AS "
     "campaign, d.attempt_id, "
     "furrow_ms(d.decided_at) AS at_ms, d.reason, d.reasons, "
     "furrow_ms(d.next_allowed_at) "
     "AS next_ms, d.inputs FROM decisions d LEFT JOIN campaigns c ON c.id = "
     "d.campaign_id WHERE "
     "d.phone = $1 AND ($2 = 0 OR d.campaign_id = $2) ORDER BY d.decided_at DESC, d.id "
     "DESC LIMIT 200) q"},
    {"dnc",
     "SELECT row_to_json(q) FROM (SELECT campaign_id, topic, source, note, "
     "furrow_ms(added_at) AS added_ms, furrow_ms(removed_at) AS removed_ms, removed_note "
     "FROM dnc_entries "
     "WHERE phone = $1 AND ($2 = 0 OR campaign_id IN (0, $2)) ORDER BY id DESC LIMIT "
     "200) q"},
    {"calls",
     "SELECT row_to_json(q) FROM (SELECT id, direction, extension, language, "
     "furrow_ms(started_at) AS started_ms, "
     "furrow_ms(ended_at) AS ended_ms, outcome, results FROM calls WHERE phone = $1 AND "
     "($2 = 0 OR campaign_id = $2) ORDER BY id DESC LIMIT 200) q"},
    {"recordings",
     "SELECT row_to_json(q) FROM (SELECT r.id, r.call_id, r.state, r.duration_ms, "
     "r.error, t.text, t.intent, "
     "b.batch_id, m.event, m.quantity_kg FROM recordings r LEFT JOIN transcripts t ON "
     "t.recording_id = r.id LEFT JOIN commands m ON m.recording_id = r.id AND m.state = "
     "'done' LEFT JOIN batches b ON b.id = m.batch WHERE r.phone = "
     "$1 AND ($2 = 0 OR r.call_id IN (SELECT id FROM calls WHERE phone = $1 AND "
     "campaign_id = $2)) ORDER BY r.id DESC LIMIT 200) q"},
    {"messages",
     "SELECT row_to_json(q) FROM (SELECT id, kind, state, body, error, "
     "furrow_ms(created_at) AS created_ms FROM "
     "messages WHERE phone = $1 AND ($2 = 0 OR call_id IN (SELECT id FROM calls WHERE "
     "phone = $1 AND campaign_id = $2)) ORDER BY id DESC LIMIT 200) q"},
};

/* $1 the call: an attempt's id is its call's. */
static const struct part call_parts[] = {
    {"attempts",
     "SELECT row_to_json(q) FROM (SELECT t.id, t.phone, c.name AS campaign, "
     "t.campaign_id, t.contact_id, k.name AS trunk, t.caller_id, t.number, t.state, "
     "t.disposition, t.cause, t.tech_cause, furrow_ms(t.intent_at) AS intent_ms, "
     "furrow_ms(t.released_at) AS released_ms, furrow_ms(t.ringing_at) AS ringing_ms, "
     "furrow_ms(t.answered_at) AS answered_ms, furrow_ms(t.ended_at) AS ended_ms, t.note "
     "FROM attempts t LEFT JOIN campaigns c ON c.id = t.campaign_id LEFT JOIN trunks k "
     "ON "
     "k.id = t.trunk_id WHERE t.id = $1) q"},
    {"decisions",
     "SELECT row_to_json(q) FROM (SELECT d.id, d.stage, d.campaign_id, c.name AS "
     "campaign, d.attempt_id, furrow_ms(d.decided_at) AS at_ms, d.reason, d.reasons, "
     "furrow_ms(d.next_allowed_at) AS next_ms, d.inputs FROM decisions d LEFT JOIN "
     "campaigns c ON c.id = d.campaign_id WHERE d.attempt_id = $1 ORDER BY d.stage DESC, "
     "d.decided_at DESC, d.id DESC LIMIT 200) q"},
    {"calls",
     "SELECT row_to_json(q) FROM (SELECT l.id, l.phone, l.direction, l.extension, "
     "l.language, f.name AS flow, r.revision, furrow_ms(l.started_at) AS started_ms, "
     "furrow_ms(l.ended_at) AS ended_ms, l.outcome, l.results FROM calls l LEFT JOIN "
     "flow_revisions r ON r.id = l.flow_revision_id LEFT JOIN flows f ON f.id = "
     "r.flow_id WHERE l.id = $1) q"},
    {"dnc", "SELECT row_to_json(q) FROM (SELECT campaign_id, topic, source, note, "
            "furrow_ms(added_at) AS added_ms, furrow_ms(removed_at) AS removed_ms, "
            "removed_note FROM dnc_entries WHERE call_id = $1 ORDER BY id DESC) q"},
    {"recordings",
     "SELECT row_to_json(q) FROM (SELECT r.id, r.call_id, r.node, r.state, r.sha256, "
     "r.bytes, r.sample_rate, r.duration_ms, r.error, t.text, t.intent, b.batch_id, "
     "m.event, m.quantity_kg FROM recordings r LEFT JOIN transcripts t ON t.recording_id "
     "= r.id LEFT JOIN commands m ON m.recording_id = r.id AND m.state = 'done' LEFT "
     "JOIN batches b ON b.id = m.batch WHERE r.call_id = $1 ORDER BY "
     "r.id DESC) q"},
    {"messages", "SELECT row_to_json(q) FROM (SELECT id, kind, state, body, error, "
                 "furrow_ms(created_at) AS created_ms FROM messages WHERE call_id = $1 "
                 "ORDER BY id DESC) q"},
};

static int load_part(struct pg *pg, const struct part *part, const struct pg_args *a,
                     json_t *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, part->sql, a);
    if (err)
        return err;
    json_t *list = json_array();
    for (int row = PQntuples(res) - 1; row >= 0; row--) {
        json_error_t e;
        json_t *object = json_loads(pg_text(res, row, 0), 0, &e);
        json_array_append_new(list, object ? object : json_null());
    }
    json_object_set_new(out, part->name, list);
    return 0;
}

static int load(struct pg *pg, int tenant_id, const struct part *list, size_t n,
                const struct pg_args *a, json_t **out)
{
    bool own = false;
    json_t *all = json_object();

    int err = pg_begin_own(pg, tenant_id, &own);
    for (size_t i = 0; i < n && !err; i++)
        err = load_part(pg, &list[i], a, all);
    err = pg_end_own(pg, own, err);
    if (err)
        json_decref(all);
    else
        *out = all;
    return err;
}

int why_load(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
             json_t **out)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, phone);
    pg_arg_i64(&a, campaign_id);
    return load(pg, tenant_id, parts, ARRAY_LEN(parts), &a, out);
}

int why_load_call(struct pg *pg, int tenant_id, const struct uuid *call, json_t **out)
{
    struct pg_args a = {0};
    json_t *all = NULL;

    pg_arg_uuid(&a, call);
    int err = load(pg, tenant_id, call_parts, ARRAY_LEN(call_parts), &a, &all);
    if (!err && json_array_size(json_object_get(all, "attempts")) == 0 &&
        json_array_size(json_object_get(all, "calls")) == 0) {
        json_decref(all);
        err = ENOENT;
    }
    if (!err)
        *out = all;
    return err;
}
