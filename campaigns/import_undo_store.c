#include "campaigns/import_undo_store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/pg.h"

/* As contacts/contact_import_store.c ("FURM") and campaign_store_sweep.c ("FPOP"). */
#define IMPORT_LOCK   "1179996749"
#define POPULATE_LOCK "1179668304"

static int failed(struct pg *pg, int err, struct errtext *e)
{
    return errtext_set(e, err, 0, 0, "the database refused: %s", pg_error(pg));
}

static int check(struct pg *pg, int64_t import_id, int64_t *list_id, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, import_id);
    int err = pg_run(pg, &res,
                     "SELECT list_id, state, pg_try_advisory_xact_lock(" IMPORT_LOCK
                     ", (list_id & 2147483647)::int) FROM imports WHERE id = $1 FOR "
                     "UPDATE",
                     &a);
    if (err)
        return failed(pg, err, e);
    if (PQntuples(res) == 0)
        return errtext_set(e, ENOENT, 0, 0, "no import %" PRId64, import_id);
    if (strcmp(pg_text(res, 0, 1), "undone") == 0)
        return errtext_set(e, EALREADY, 0, 0, "import %" PRId64 " is undone already",
                           import_id);
    if (!pg_bool(res, 0, 2))
        return errtext_set(e, EAGAIN, 0, 0,
                           "an import into the list of import %" PRId64
                           " is running; stop it, or wait for it to end",
                           import_id);
    *list_id = pg_i64(res, 0, 0);
    return 0;
}

static int run(struct pg *pg, const char *sql, int64_t id, int64_t *affected)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(pg, &res, sql, &a);
    if (!err && affected)
        *affected = pg_affected(res);
    return err;
}

/* Its contacts lie between two ids. */
#define ITS_CONTACTS                                                                     \
    "contacts c JOIN imports i ON i.id = c.import_id AND c.id BETWEEN "                  \
    "i.first_contact_id AND i.last_contact_id"

static int find_called(struct pg *pg, int64_t import_id, struct import_undone *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, import_id);
    int err = pg_run(pg, &res,
                     "SELECT c.phone, count(*) OVER () FROM " ITS_CONTACTS
                     " WHERE i.id = $1 AND EXISTS (SELECT FROM campaign_contacts k WHERE "
                     "k.tenant_id = c.tenant_id AND k.phone = c.phone AND k.contact_id = "
                     "c.id) ORDER BY c.id LIMIT 10",
                     &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        out->phones[out->shown++] = pg_i64(res, i, 0);
    if (!err && out->shown)
        out->called = pg_i64(res, 0, 1);
    return err;
}

static int undo(struct pg *pg, int64_t import_id, int64_t list_id, int64_t now_ms,
                struct import_undone *out)
{
    struct pg_args a = {0};
    /* Nobody copies contacts of the list into a campaign meanwhile. */
    int err =
        run(pg,
            "SELECT pg_advisory_xact_lock(" POPULATE_LOCK
            ", (id & 2147483647)::int) FROM (SELECT c.id FROM campaigns c WHERE $1 "
            "IN (SELECT l.list_id FROM campaign_lists l WHERE l.campaign_id = c.id) OR "
            "c.list_id = $1 ORDER BY c.id) q",
            list_id, NULL);

    if (!err)
        err = run(pg,
                  "DELETE FROM campaign_contacts k USING " ITS_CONTACTS
                  " WHERE i.id = $1 AND k.tenant_id = c.tenant_id AND k.phone = c.phone "
                  "AND k.contact_id = c.id AND k.state <> 'calling' AND k.attempts = 0",
                  import_id, NULL);
    /* What is left in a campaign was called. */
    if (!err)
        err = find_called(pg, import_id, out);
    if (!err)
        err = run(pg,
                  "DELETE FROM contacts d USING imports i WHERE i.id = $1 AND "
                  "d.import_id = i.id AND d.id BETWEEN i.first_contact_id AND "
                  "i.last_contact_id AND NOT EXISTS (SELECT FROM campaign_contacts k "
                  "WHERE k.tenant_id = d.tenant_id AND k.phone = d.phone AND "
                  "k.contact_id = d.id)",
                  import_id, &out->removed);
    if (!err)
        err = run(pg,
                  "UPDATE contacts c SET attrs = u.attrs, person = u.person, person_rank "
                  "= u.person_rank FROM import_updates u WHERE u.import_id = $1 AND c.id "
                  "= u.contact_id",
                  import_id, &out->restored);
    if (!err)
        err = run(pg, "DELETE FROM import_updates WHERE import_id = $1", import_id, NULL);
    if (err)
        return err;
    pg_arg_i64(&a, import_id);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "UPDATE imports SET state = 'undone', finished_at = furrow_ts($2) "
                  "WHERE id = $1",
                  &a);
}

int import_undo(struct pg *pg, int tenant_id, int64_t import_id, int64_t now_ms,
                struct import_undone *out, struct errtext *e)
{
    int64_t list_id = 0;

    *out = (struct import_undone){0};
    int err = pg_begin(pg, tenant_id);
    if (err)
        return failed(pg, err, e);
    err = check(pg, import_id, &list_id, e);
    if (!err) {
        err = undo(pg, import_id, list_id, now_ms, out);
        if (err)
            failed(pg, err, e);
    }
    int ended = pg_end(pg, err);
    return ended && !err ? failed(pg, ended, e) : ended;
}
