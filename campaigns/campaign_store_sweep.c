/*
 * campaign_store_sweep - what the dialer's sweep asks of campaigns: fill
 * campaign_contacts from the list, start what is planned, complete what is done.
 *
 * last_contact_id says up to where a list was copied. It is moved only past
 * contacts that can be seen. While an import into the list runs, whose rows have their
 * ids before anybody sees them, it is moved only past contacts of imports: those become
 * visible in the order of their ids, since there is one import into a list at a time.
 * Should a row still slip past (two callbacks that commit out of order), completion
 * compares list and campaign once more and moves it back.
 */
#include "campaigns/campaign_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/quarantine_store.h"

/* Populating one campaign is for one process at a time; its row is locked only
 * for the last statement, so that releases do not wait. "FPOP" */
#define POPULATE_LOCK "1179668304"

/* ---- filling campaign_contacts ---- */

struct source {
    int64_t campaign_id, list_id, last_contact_id, last_import_id;
    bool loading;
    int64_t enrolled; /* of several lists: contacts of this one so far */
    int place;        /* among them */
    bool held;        /* in quarantine: who is enrolled is set aside */
};

/* An import holds the advisory lock of contacts/contact_import_store.c ("FURM",
 * list) as long as it runs. */
static int read_source(struct pg *pg, int64_t campaign_id, int place, struct source *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, place);
    int err = pg_run(
        pg, &res,
        "SELECT c.list_id, c.last_contact_id, (SELECT coalesce(max(i.id), 0) FROM "
        "imports i WHERE i.list_id = c.list_id), EXISTS (SELECT FROM pg_locks l WHERE "
        "l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE "
        "datname = current_database()) AND l.classid = x'4655524D'::int::oid AND l.objid "
        "= (c.list_id & 2147483647)::int::oid AND l.objsubid = 2 AND l.granted), "
        "c.enrolled FROM (SELECT coalesce(l.list_id, c.list_id) AS list_id, CASE WHEN "
        "l.place > 0 THEN l.last_contact_id ELSE c.last_contact_id END AS "
        "last_contact_id, coalesce(l.enrolled, 0) AS enrolled FROM campaigns c LEFT JOIN "
        "campaign_lists l ON l.campaign_id = c.id AND l.place = $2 WHERE c.id = $1) c",
        &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    *out = (struct source){.campaign_id = campaign_id,
                           .list_id = pg_i64(res, 0, 0),
                           .last_contact_id = pg_i64(res, 0, 1),
                           .last_import_id = pg_i64(res, 0, 2),
                           .loading = pg_bool(res, 0, 3),
                           .enrolled = pg_i64(res, 0, 4),
                           .place = place};
    return 0;
}

/* What one batch found. */
struct batch {
    int64_t seen, added;
    int64_t last_id;     /* of the contacts seen */
    int64_t imported_id; /* the last of them that an import put there */
    int64_t newest_id;   /* of all contacts, any list */
};

/*
 * A person's preferred number comes before the others. Of several lists each has its band
 * of priorities; within one, a contact is due so early as its number in its list divided
 * by the list's share says, an hour before the campaign was made, so that the hopper
 * takes them in the stated mix. A number that another of the lists has brought is left
 * out.
 */
static const char copy_sql[] =
    "WITH batch AS MATERIALIZED (SELECT id, phone, zone_group, number_type, import_id, "
    "person, person_rank FROM contacts WHERE list_id = $2 AND id > $3 ORDER BY id LIMIT "
    "$4), copied AS (INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, "
    "phone, zone_group, number_type, priority, base_priority, next_attempt_at) SELECT "
    "furrow_tenant(), $1, id, phone, zone_group, number_type, $8::int - "
    "least(person_rank, "
    "CASE WHEN $9::int > 0 THEN 9 ELSE 32000 END), $8::int - least(person_rank, CASE "
    "WHEN "
    "$9::int > 0 THEN 9 ELSE 32000 END), CASE WHEN $11::bool THEN furrow_ts($12) WHEN "
    "$6::bool AND person_rank > 0 AND "
    "EXISTS "
    "(SELECT FROM contacts o WHERE o.person = b.person AND o.tenant_id = furrow_tenant() "
    "AND o.list_id = $2 AND o.person_rank < b.person_rank AND NOT EXISTS (SELECT FROM "
    "campaign_contacts k WHERE k.campaign_id = $1 AND k.contact_id = o.id AND k.state = "
    "'final')) THEN furrow_ts($7) WHEN $9::int > 0 THEN least(furrow_ts($5), (SELECT "
    "created_at FROM campaigns WHERE id = $1) - interval '1 hour' + ($10::bigint + "
    "row_number() OVER (ORDER BY id)) * 1000 / $9::int * interval '1 us') ELSE "
    "furrow_ts($5) END FROM batch b WHERE $9::int = 0 OR NOT EXISTS (SELECT FROM "
    "campaign_contacts k WHERE k.tenant_id = furrow_tenant() AND k.phone = b.phone AND "
    "k.campaign_id = $1 AND k.contact_id <> b.id) ON CONFLICT DO NOTHING RETURNING 1) "
    "SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM copied), (SELECT max(id) "
    "FROM batch), (SELECT max(id) FROM contacts), (SELECT max(id) FROM batch WHERE "
    "import_id IS NOT NULL)";

static int copy_batch(struct pg *pg, const struct source *from, size_t max,
                      const struct campaign_doc *doc, int64_t now_ms, struct batch *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    const struct campaign_list *list =
        doc && doc->lists.n > 0 ? &doc->lists.at[from->place] : NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, from->campaign_id);
    pg_arg_i64(&a, from->list_id);
    pg_arg_i64(&a, from->last_contact_id);
    pg_arg_i64(&a, (int64_t)max);
    pg_arg_ms(&a, now_ms);
    pg_arg_bool(&a, doc && doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    pg_arg_i64(&a, list ? list->priority * CAMPAIGN_LIST_BAND : 0);
    pg_arg_i64(&a, list ? list->share : 0);
    pg_arg_i64(&a, from->enrolled);
    pg_arg_bool(&a, from->held);
    pg_arg_ms(&a, QUARANTINE_HELD_MS);
    int err = pg_run(pg, &res, copy_sql, &a);
    if (err)
        return err;
    *out = (struct batch){.seen = pg_i64(res, 0, 0),
                          .added = pg_i64(res, 0, 1),
                          .last_id = pg_i64(res, 0, 2),
                          .newest_id = pg_i64(res, 0, 3),
                          .imported_id = pg_i64(res, 0, 4)};
    return 0;
}

static int set_last_contact(struct pg *pg, const struct source *s, int64_t id)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, s->campaign_id);
    pg_arg_i64(&a, id);
    if (s->place == 0)
        return pg_run(pg, NULL, "UPDATE campaigns SET last_contact_id = $2 WHERE id = $1",
                      &a);
    pg_arg_i64(&a, s->place);
    return pg_run(pg, NULL,
                  "UPDATE campaign_lists SET last_contact_id = $2 WHERE campaign_id = $1 "
                  "AND place = $3",
                  &a);
}

static int count_enrolled(struct pg *pg, const struct source *s, int64_t seen)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, s->campaign_id);
    pg_arg_i64(&a, s->place);
    pg_arg_i64(&a, seen);
    return pg_run(
        pg, NULL,
        "UPDATE campaign_lists SET enrolled = enrolled + $3 WHERE campaign_id = "
        "$1 AND place = $2",
        &a);
}

/* Of one list of one campaign. */
struct filling {
    struct pg *pg;
    int tenant_id, place;
    int64_t campaign_id, now_ms;
};

static int look_at_quarantine(struct pg *pg, const struct campaign_doc *doc,
                              struct source *s)
{
    int64_t held[CAMPAIGN_LISTS_MAX];
    size_t n = 0;

    int err = doc ? quarantine_lists(pg, s->campaign_id, doc, held, &n) : 0;
    for (size_t i = 0; !err && i < n; i++)
        s->held |= held[i] == s->list_id;
    return err;
}

/* One batch; *more: the list may hold more. */
static int populate_batch(const struct filling *f, size_t max, size_t *added, bool *more,
                          bool *loading)
{
    struct pg *pg = f->pg;
    struct source before = {0}, after = {0};
    const struct campaign_doc *doc = NULL;
    struct batch batch = {0};
    struct pg_args a = {0};

    pg_arg_i64(&a, f->campaign_id);
    int err = pg_run(pg, NULL,
                     "SELECT pg_advisory_xact_lock(" POPULATE_LOCK
                     ", ($1::bigint & 2147483647)::int)",
                     &a);
    if (!err)
        err = read_source(pg, f->campaign_id, f->place, &before);
    if (!err)
        err = campaign_doc_get(pg, f->tenant_id, f->campaign_id, &doc);
    if (err == EINVAL) /* logged; it calls nobody, but who is in it can be told */
        err = 0;
    if (!err)
        err = look_at_quarantine(pg, doc, &before);
    if (!err)
        err = copy_batch(pg, &before, max, doc, f->now_ms, &batch);
    if (!err && doc && doc->lists.n > 0 && batch.added > 0)
        err = count_enrolled(pg, &before, batch.added);
    if (!err)
        err = read_source(pg, f->campaign_id, f->place, &after);
    if (err)
        return err;
    *added = (size_t)batch.added;
    *more = batch.seen == (int64_t)max;
    *loading =
        before.loading || after.loading || before.last_import_id != after.last_import_id;
    /* At the end of the list, contacts of other lists are left behind too, so that
     * the next look does not walk over them. */
    int64_t mark =
        !*more && batch.newest_id > batch.last_id ? batch.newest_id : batch.last_id;
    if (*loading)
        mark = batch.imported_id;
    if (mark <= before.last_contact_id)
        return 0;
    return set_last_contact(pg, &before, mark);
}

static int populate_list(const struct filling *f, size_t max, size_t *added,
                         bool *loading)
{
    bool more = true;

    *added = 0;
    *loading = false;
    if (max == 0)
        return 0;
    /* Batches of known contacts only (the mark was moved back) do not count: the
     * caller takes fewer than max for the end. */
    while (more && *added == 0) {
        bool own = false;

        int err = pg_begin_own(f->pg, f->tenant_id, &own);
        if (!err)
            err = pg_end_own(f->pg, own, populate_batch(f, max, added, &more, loading));
        if (err)
            return err;
        if (*loading && *added == 0)
            return 0;
    }
    return 0;
}

/* Each list in its turn gets an equal part of max, then whoever has more takes the rest.
 */
int campaign_populate(struct pg *pg, int tenant_id, int64_t campaign_id, size_t max,
                      int64_t now_ms, size_t *added, bool *loading)
{
    const struct campaign_doc *doc = NULL;
    size_t lists = 1;

    *added = 0;
    *loading = false;
    int err = campaign_doc_get(pg, tenant_id, campaign_id, &doc);
    if (err && err != EINVAL)
        return err;
    if (!err && doc->lists.n > 0)
        lists = doc->lists.n;
    err = 0;
    for (size_t i = 0; !err && i < 2 * lists && *added < max; i++) {
        size_t part = i < lists ? (max + lists - 1) / lists : max, one = 0;
        bool busy = false;

        if (i >= lists && lists == 1)
            break;
        part = part < max - *added ? part : max - *added;
        const struct filling f = {.pg = pg,
                                  .tenant_id = tenant_id,
                                  .place = (int)(i % lists),
                                  .campaign_id = campaign_id,
                                  .now_ms = now_ms};
        err = populate_list(&f, part, &one, &busy);
        *added += one;
        *loading |= busy;
    }
    return err;
}

/* ---- what waits ---- */

int campaign_zones(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms,
                   struct campaign_zone **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;
    size_t text = 0;

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_run(
            pg, &res,
            "SELECT q.zone_group, z.region, array_to_string(z.zones, ','), q.due, "
            "q.waiting, furrow_ms(q.next) FROM (SELECT zone_group, count(*) FILTER "
            "(WHERE next_attempt_at <= furrow_ts($2)) AS due, count(*) FILTER (WHERE "
            "next_attempt_at > furrow_ts($2)) AS waiting, min(next_attempt_at) FILTER "
            "(WHERE next_attempt_at > furrow_ts($2) AND next_attempt_at < "
            "furrow_ts($3)) AS next FROM campaign_contacts "
            "WHERE campaign_id = $1 AND state = 'pending' GROUP BY 1) q JOIN zone_groups "
            "z ON z.id = q.zone_group ORDER BY q.due DESC, q.zone_group",
            &a);
    err = pg_end_own(pg, own, err);
    if (err)
        return err;
    size_t rows = (size_t)PQntuples(res);
    for (size_t i = 0; i < rows; i++)
        text += strlen(pg_text(res, (int)i, 2)) + 1;
    struct campaign_zone *all = xcalloc(1, (rows + 1) * sizeof(*all) + text);
    char *at = (char *)(all + rows + 1);
    for (size_t i = 0; i < rows; i++) {
        int row = (int)i;
        size_t len = strlen(pg_text(res, row, 2)) + 1;

        all[i].zone_group = (int)pg_i64(res, row, 0);
        str_cut(all[i].region, sizeof(all[i].region), pg_text(res, row, 1));
        all[i].zones = memcpy(at, pg_text(res, row, 2), len);
        at += len;
        all[i].due = pg_i64(res, row, 3);
        all[i].waiting = pg_i64(res, row, 4);
        all[i].next_attempt_ms = pg_i64(res, row, 5);
    }
    *out = all;
    *n = rows;
    return 0;
}

/* ---- completion ---- */

static int ask(struct pg *pg, int64_t campaign_id, const char *sql, bool *yes)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res, sql, &a);
    if (!err)
        *yes = pg_bool(res, 0, 0);
    return err;
}

/* Cheap questions first: the last one reads the whole list, and only a campaign
 * that is over, or one with news, gets that far. */
static int has_work(struct pg *pg, int64_t campaign_id, bool *yes)
{
    static const char *const questions[] = {
        "SELECT EXISTS (SELECT FROM campaign_contacts WHERE campaign_id = $1 AND state = "
        "'pending')",
        "SELECT EXISTS (SELECT FROM attempts WHERE campaign_id = $1 AND ended_at IS "
        "NULL AND state IN ('intent', 'released', 'ringing', 'answered'))",
        "SELECT EXISTS (SELECT FROM campaign_contacts WHERE campaign_id = $1 AND state = "
        "'calling')",
        /* A time to call back that was said and is being understood. */
        "SELECT EXISTS (SELECT FROM recordings r JOIN calls c ON c.id = r.call_id WHERE "
        "r.pipeline = 'callback' AND r.state IN ('live', 'finished', 'stored', "
        "'transcribed') AND c.campaign_id = $1)",
    };

    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        int err = ask(pg, campaign_id, questions[i], yes);
        if (err || *yes)
            return err;
    }
    return 0;
}

/* Contacts of the list that are not in the campaign: the mark goes back before
 * the first of them. */
static int find_missing(struct pg *pg, int64_t campaign_id, const struct source *s,
                        bool several, bool *missing)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, s->list_id);
    pg_arg_bool(&a, several); /* then a number of another list is not missing */
    int err = pg_run(pg, &res,
                     "SELECT min(c.id) FROM contacts c WHERE c.list_id = $2 AND NOT "
                     "EXISTS (SELECT FROM campaign_contacts k WHERE k.campaign_id = $1 "
                     "AND k.contact_id = c.id) AND NOT ($3::bool AND EXISTS (SELECT FROM "
                     "campaign_contacts k WHERE k.tenant_id = c.tenant_id AND k.phone = "
                     "c.phone AND k.campaign_id = $1))",
                     &a);
    if (err)
        return err;
    int64_t first = pg_i64(res, 0, 0);
    *missing = first > 0;
    return first > 0 && first <= s->last_contact_id ? set_last_contact(pg, s, first - 1)
                                                    : 0;
}

static int is_over(struct pg *pg, const struct campaign_row *row,
                   const struct campaign_doc *doc, int64_t now_ms, bool *over)
{
    size_t lists = doc->lists.n > 0 ? doc->lists.n : 1;
    bool more = false, loading = false;

    *over = doc->end_at_ms && now_ms >= doc->end_at_ms;
    if (*over || doc->keep_open || row->state != CAMPAIGN_RUNNING)
        return 0;
    int err = has_work(pg, row->id, &more);
    for (size_t i = 0; !err && !more && !loading && i < lists; i++) {
        struct source s = {0};

        err = read_source(pg, row->id, (int)i, &s);
        loading = s.loading;
        if (!err && !loading)
            err = find_missing(pg, row->id, &s, doc->lists.n > 0, &more);
    }
    *over = !err && !more && !loading;
    return err;
}

/* With the campaign's row locked, so that a callback or a start by somebody else
 * comes before or after, and the state is the one that is moved. */
static int complete_one(struct pg *pg, const struct campaign_row *row, int64_t now_ms,
                        bool *completed)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    const struct campaign_doc *doc = NULL;
    struct campaign_row now = *row;
    struct pg_args a = {0};
    bool over = false;

    *completed = false;
    pg_arg_i64(&a, row->id);
    int err = pg_run(pg, &res,
                     "SELECT state FROM campaigns WHERE id = $1 FOR NO KEY UPDATE SKIP "
                     "LOCKED",
                     &a);
    if (err || PQntuples(res) == 0 ||
        !campaign_state_parse(pg_text(res, 0, 0), &now.state) ||
        (now.state != CAMPAIGN_RUNNING && now.state != CAMPAIGN_PAUSED))
        return err;
    err = campaign_doc_get(pg, row->tenant_id, row->id, &doc);
    if (!err && doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE)
        err = attempt_mend_numbers(pg, row->id, now_ms);
    if (!err)
        err = is_over(pg, &now, doc, now_ms, &over);
    if (err || !over)
        return err;
    err = campaign_command(pg, row->tenant_id, row->id, CAMPAIGN_COMPLETE, NULL, now_ms,
                           NULL, NULL);
    *completed = !err;
    return err;
}

int campaign_complete_due(struct pg *pg, int tenant_id, int64_t now_ms, size_t *completed)
{
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    size_t n = 0;
    bool one = false;

    *completed = 0;
    int err = campaign_list(pg, tenant_id, CAMPAIGN_STATES, &all, &n);
    for (size_t i = 0; !err && i < n; i++) {
        bool own = false;

        if (all[i].state != CAMPAIGN_RUNNING && all[i].state != CAMPAIGN_PAUSED)
            continue;
        err = pg_begin_own(pg, tenant_id, &own);
        if (!err)
            err = pg_end_own(pg, own, complete_one(pg, &all[i], now_ms, &one));
        *completed += !err && one;
        if (err == EINVAL)
            err = 0; /* a document nobody can read, logged: the others go on */
    }
    return err;
}

/* ---- planned starts ---- */

/* Since when planned instants count: the last one that fired. Before that, a
 * schedule counts from the campaign's creation, and from when its plan became what it is:
 * nobody planned what it would have had before. A single start counts even when the
 * campaign was made after it. */
static int last_fire(struct pg *pg, const struct campaign_row *row,
                     const struct campaign_doc *doc, int64_t *after_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, row->id);
    int err = pg_run(
        pg, &res,
        "SELECT coalesce(furrow_ms(max(planned_at)), 0), (SELECT "
        "coalesce(furrow_ms(max(r.changed_at)), 0) FROM campaign_revisions r JOIN "
        "campaigns c ON c.id = r.campaign_id WHERE c.id = $1 AND "
        "(r.document_text::jsonb->'schedule', r.document_text::jsonb->'start', "
        "r.document_text::jsonb->'end') IS DISTINCT FROM (c.document->'schedule', "
        "c.document->'start', c.document->'end')) FROM campaign_fires WHERE campaign_id "
        "= $1",
        &a);
    if (err)
        return err;
    *after_ms = pg_i64(res, 0, 0);
    if (!doc->has_schedule)
        return 0;
    int64_t since_ms = pg_i64(res, 0, 1);
    since_ms = since_ms > row->created_at_ms ? since_ms : row->created_at_ms;
    *after_ms = *after_ms > since_ms ? *after_ms : since_ms;
    return 0;
}

static int record_fire(struct pg *pg, const struct campaign_row *row, int64_t planned_ms,
                       int64_t now_ms, bool *first)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, row->tenant_id);
    pg_arg_i64(&a, row->id);
    pg_arg_ms(&a, planned_ms);
    pg_arg_ms(&a, now_ms);
    int err =
        pg_run(pg, &res,
               "INSERT INTO campaign_fires (tenant_id, campaign_id, planned_at, "
               "fired_at) VALUES ($1, $2, furrow_ts($3), furrow_ts($4)) ON CONFLICT "
               "DO NOTHING",
               &a);
    if (!err)
        *first = pg_affected(res) == 1;
    return err;
}

/* Everyone again: what was final waits once more, as if never called. */
static int reset_finals(struct pg *pg, int64_t campaign_id, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts SET state = 'pending', attempts = 0, "
                  "priority = base_priority, next_attempt_at = furrow_ts($2), "
                  "last_disposition = NULL, last_refusal = NULL, final = NULL, final_at "
                  "= NULL WHERE campaign_id "
                  "= $1 AND state = 'final'",
                  &a);
}

/* Of several lists: everybody due again in the stated mix, as when they were enrolled. */
static int mix_again(struct pg *pg, int64_t campaign_id,
                     const struct campaign_lists *lists, int64_t now_ms)
{
    CLEANUP(buf_free) struct buf array = {0};
    int64_t shares[CAMPAIGN_LISTS_MAX];
    struct pg_args a = {0};

    if (lists->n == 0)
        return 0;
    for (size_t i = 0; i < lists->n; i++)
        shares[i] = lists->at[i].share;
    pg_array_i64(&array, shares, lists->n);
    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, array.data);
    return pg_run(
        pg, NULL,
        "UPDATE campaign_contacts k SET next_attempt_at = furrow_ts($2) - interval '1 "
        "hour' + q.nth * 1000 / q.share * interval '1 us' FROM (SELECT k.contact_id, "
        "row_number() OVER (PARTITION BY l.place ORDER BY k.contact_id) AS nth, s.share "
        "FROM campaign_contacts k JOIN contacts c ON c.id = k.contact_id JOIN "
        "campaign_lists l ON l.campaign_id = k.campaign_id AND l.list_id = c.list_id "
        "JOIN unnest($3::bigint[]) WITH ORDINALITY s(share, n) ON s.n = l.place + 1 "
        "WHERE k.campaign_id = $1 AND k.state = 'pending' AND k.attempts = 0 AND "
        "k.next_attempt_at <= furrow_ts($2)) q WHERE k.campaign_id = $1 AND k.contact_id "
        "= q.contact_id",
        &a);
}

/* The state under lock; the fire's row says whether it is ours to act on. */
static int fire_locked(struct pg *pg, const struct campaign_row *row,
                       const struct campaign_doc *doc, int64_t planned_ms, int64_t now_ms,
                       bool *fired)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    enum campaign_state state = CAMPAIGN_STOPPED;
    struct pg_args a = {0};
    bool first = false;

    pg_arg_i64(&a, row->id);
    int err = pg_run(pg, &res,
                     "SELECT state FROM campaigns WHERE id = $1 FOR NO KEY UPDATE", &a);
    if (err || PQntuples(res) == 0 || !campaign_state_parse(pg_text(res, 0, 0), &state))
        return err;
    bool starts = state == CAMPAIGN_DRAFT || state == CAMPAIGN_DONE;
    if (!starts && state != CAMPAIGN_RUNNING)
        return 0;
    err = record_fire(pg, row, planned_ms, now_ms, &first);
    if (err || !first || !starts)
        return err;
    if (doc->each_run == CAMPAIGN_RUN_EVERYONE)
        err = reset_finals(pg, row->id, now_ms);
    if (!err && doc->each_run == CAMPAIGN_RUN_EVERYONE)
        err = mix_again(pg, row->id, &doc->lists, now_ms);
    if (!err && doc->each_run == CAMPAIGN_RUN_EVERYONE && doc->quarantine.lists)
        err = quarantine_put_aside_all(pg, row->id);
    if (!err && doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE)
        err = attempt_hold_numbers(pg, row->id);
    if (!err)
        err = campaign_command(pg, row->tenant_id, row->id, CAMPAIGN_START, NULL, now_ms,
                               NULL, NULL);
    *fired = !err;
    return err;
}

static int fire_one(struct pg *pg, const struct campaign_row *row, int64_t now_ms,
                    bool *fired)
{
    const struct campaign_doc *doc = NULL;
    int64_t after_ms = 0, planned_ms = 0;

    *fired = false;
    int err = campaign_doc_get(pg, row->tenant_id, row->id, &doc);
    if (err || (!doc->has_schedule && !doc->start_at_ms))
        return err;
    err = last_fire(pg, row, doc, &after_ms);
    if (err)
        return err;
    err = campaign_doc_due(doc, after_ms, now_ms, &planned_ms);
    if (err)
        return err == ENODATA ? 0 : err;
    return fire_locked(pg, row, doc, planned_ms, now_ms, fired);
}

int campaign_fire_due(struct pg *pg, int tenant_id, int64_t now_ms, size_t *fired)
{
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    size_t n = 0;
    bool one = false;

    *fired = 0;
    int err = campaign_list(pg, tenant_id, CAMPAIGN_STATES, &all, &n);
    for (size_t i = 0; !err && i < n; i++) {
        bool own = false;

        if (all[i].state != CAMPAIGN_DRAFT && all[i].state != CAMPAIGN_DONE &&
            all[i].state != CAMPAIGN_RUNNING)
            continue;
        err = pg_begin_own(pg, tenant_id, &own);
        if (!err)
            err = pg_end_own(pg, own, fire_one(pg, &all[i], now_ms, &one));
        *fired += !err && one;
        if (err == EINVAL || err == EBADMSG)
            err = 0; /* one campaign that cannot be read does not stop the others */
    }
    return err;
}
