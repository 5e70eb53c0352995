#include "campaigns/slot_store.h"

#include <errno.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

/* One row per (kind, slot); a slot is free when there is no row or its lease is
 * over. The table lock makes "the lowest free one" exact; slots are taken rarely. */
#define SLOT_UPSERT                                                                      \
    "INSERT INTO node_slots (kind, slot, holder, host, pid, lease_until) "               \
    "VALUES ($1, $2, $3, $4, $5, clock_timestamp() + interval '15 seconds') "            \
    "ON CONFLICT (kind, slot) DO UPDATE SET holder = excluded.holder, "                  \
    "host = excluded.host, pid = excluded.pid, taken_at = clock_timestamp(), "           \
    "lease_until = excluded.lease_until, held = '' "                                     \
    "WHERE node_slots.lease_until < clock_timestamp() "                                  \
    "OR node_slots.holder = excluded.holder"
_Static_assert(SLOT_LEASE_S == 15, "the SQL says 15 seconds");

static int try_slot(struct pg *pg, const char *kind, int slot, const struct uuid *holder,
                    const char *host, int pid, bool *taken)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_i64(&a, slot);
    pg_arg_uuid(&a, holder);
    pg_arg_text(&a, host);
    pg_arg_i64(&a, pid);
    int err = pg_run(pg, &res, SLOT_UPSERT, &a);
    if (!err)
        *taken = pg_affected(res) == 1;
    return err;
}

static int lowest_free(struct pg *pg, const char *kind, int *slot)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    int err =
        pg_run(pg, &res,
               "SELECT min(s) FROM generate_series(0, (SELECT count(*) FROM node_slots "
               "WHERE kind = $1)) s WHERE NOT EXISTS (SELECT FROM node_slots n WHERE "
               "n.kind = $1 AND n.slot = s AND n.lease_until >= clock_timestamp())",
               &a);
    if (!err)
        *slot = (int)pg_i64(res, 0, 0);
    return err;
}

/* The lowest that holder has, whatever it knows of; else *slot stays as it is. */
static int already_held(struct pg *pg, const char *kind, const struct uuid *holder,
                        int *slot)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_uuid(&a, holder);
    int err = pg_run(pg, &res,
                     "SELECT slot FROM node_slots WHERE kind = $1 AND holder = $2 ORDER "
                     "BY slot LIMIT 1",
                     &a);
    if (!err && PQntuples(res) == 1)
        *slot = (int)pg_i64(res, 0, 0);
    return err;
}

static int take(struct pg *pg, const char *kind, int preferred, const struct uuid *holder,
                const char *host, int pid, int *slot)
{
    bool taken = false;

    int err = pg_run(pg, NULL, "LOCK TABLE node_slots IN SHARE ROW EXCLUSIVE MODE", NULL);
    *slot = preferred;
    if (!err && preferred < 0)
        err = already_held(pg, kind, holder, slot);
    if (!err && *slot >= 0)
        err = try_slot(pg, kind, *slot, holder, host, pid, &taken);
    if (!err && !taken)
        err = lowest_free(pg, kind, slot);
    if (!err && !taken)
        err = try_slot(pg, kind, *slot, holder, host, pid, &taken);
    if (!err && !taken)
        err = EAGAIN;
    return err;
}

int slot_take(struct pg *pg, const char *kind, int preferred, const struct uuid *holder,
              const char *host, int pid, int *slot)
{
    int found = -1;

    int err = pg_begin(pg, 0);
    if (!err)
        err = take(pg, kind, preferred, holder, host, pid, &found);
    if (!err)
        err = pg_commit(pg);
    if (err)
        pg_rollback(pg);
    else
        *slot = found;
    return err;
}

int slot_renew(struct pg *pg, const char *kind, int slot, const struct uuid *holder)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_i64(&a, slot);
    pg_arg_uuid(&a, holder);
    int err =
        pg_run(pg, &res,
               "UPDATE node_slots SET lease_until = clock_timestamp() + "
               "interval '15 seconds' WHERE kind = $1 AND slot = $2 AND holder = $3",
               &a);
    if (err)
        return err;
    return pg_affected(res) == 1 ? 0 : EACCES;
}

int slot_give(struct pg *pg, const char *kind, int slot, const struct uuid *holder)
{
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_i64(&a, slot);
    pg_arg_uuid(&a, holder);
    return pg_run(pg, NULL,
                  "DELETE FROM node_slots WHERE kind = $1 AND (slot = $2 OR $2 < 0) AND "
                  "holder = $3",
                  &a);
}

int slot_lapse(struct pg *pg, const char *kind, const struct uuid *holder)
{
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_uuid(&a, holder);
    return pg_run(pg, NULL,
                  "UPDATE node_slots SET lease_until = least(lease_until, "
                  "clock_timestamp()) WHERE kind = $1 AND holder = $2",
                  &a);
}

int slot_list_lapsed(struct pg *pg, const char *kind, const struct uuid *holder,
                     int *slots, size_t max, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_uuid(&a, holder);
    int err = pg_run(pg, &res,
                     "SELECT slot FROM node_slots WHERE kind = $1 AND (lease_until < "
                     "clock_timestamp() OR holder = $2) ORDER BY slot",
                     &a);
    if (err)
        return err;
    *n = 0;
    for (int i = 0; i < PQntuples(res) && *n < max; i++)
        slots[(*n)++] = (int)pg_i64(res, i, 0);
    return 0;
}

int slot_count_live(struct pg *pg, const char *kind, int *count)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    int err = pg_run(pg, &res,
                     "SELECT count(*) FROM node_slots WHERE kind = $1 AND lease_until >= "
                     "clock_timestamp()",
                     &a);
    if (!err)
        *count = (int)pg_i64(res, 0, 0);
    return err;
}

/* A row is written only when it changes: this is asked every second. The others are as
 * they were before the statement. */
#define SLOT_SAY                                                                         \
    "WITH said AS (UPDATE node_slots SET held = $4, ready = $5, weight = $6, priority "  \
    "= $7, has_switch = $8 WHERE kind = $1 AND slot = $2 AND holder = $3 AND (held, "    \
    "ready, weight, priority, has_switch) IS DISTINCT FROM ($4, $5::bool, $6::int, "     \
    "$7::int, $8::bool)), others AS (SELECT "                                            \
    "weight, priority FROM node_slots WHERE kind = $1 AND slot <> $2 AND lease_until "   \
    ">= clock_timestamp() AND ready AND held = '' AND NOT drained) SELECT drained, "     \
    "EXISTS (SELECT FROM others WHERE priority < $7), (SELECT coalesce(sum(weight), 0) " \
    "FROM others WHERE priority = $7), EXISTS (SELECT FROM others WHERE priority = $7 "  \
    "AND weight <> $6) FROM node_slots WHERE kind = $1 AND slot = $2 AND holder = $3"

int slot_say(struct pg *pg, const char *kind, int slot, const struct uuid *holder,
             const struct slot_words *words, struct slot_news *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_i64(&a, slot);
    pg_arg_uuid(&a, holder);
    pg_arg_text(&a, words->held);
    pg_arg_bool(&a, words->ready);
    pg_arg_i64(&a, words->weight);
    pg_arg_i64(&a, words->priority);
    pg_arg_bool(&a, words->has_switch);
    int err = pg_run(pg, &res, SLOT_SAY, &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return EACCES;
    int64_t others = pg_i64(res, 0, 2);
    *out = (struct slot_news){
        .drained = pg_bool(res, 0, 0), .spare = pg_bool(res, 0, 1), .share = 1};
    if (pg_bool(res, 0, 3))
        out->share = (double)words->weight / (double)(words->weight + others);
    return 0;
}

int slot_drain(struct pg *pg, const char *kind, int slot, bool drained)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    pg_arg_i64(&a, slot);
    pg_arg_bool(&a, drained);
    int err = pg_run(
        pg, &res, "UPDATE node_slots SET drained = $3 WHERE kind = $1 AND slot = $2", &a);
    if (err)
        return err;
    return pg_affected(res) == 1 ? 0 : ENOENT;
}

int slot_list(struct pg *pg, struct slot_row **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(
        pg, &res,
        "SELECT kind, host, slot, pid, lease_until >= clock_timestamp(), "
        "drained, held, ready, weight, priority, has_switch FROM node_slots ORDER BY "
        "kind, slot",
        NULL);
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    *out = xcalloc(*n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        struct slot_row *row = &(*out)[i];

        str_cut(row->kind, sizeof(row->kind), pg_text(res, (int)i, 0));
        str_cut(row->host, sizeof(row->host), pg_text(res, (int)i, 1));
        row->slot = (int)pg_i64(res, (int)i, 2);
        row->pid = (int)pg_i64(res, (int)i, 3);
        row->alive = pg_bool(res, (int)i, 4);
        row->drained = pg_bool(res, (int)i, 5);
        str_cut(row->held, sizeof(row->held), pg_text(res, (int)i, 6));
        row->ready = pg_bool(res, (int)i, 7);
        row->weight = (int)pg_i64(res, (int)i, 8);
        row->priority = (int)pg_i64(res, (int)i, 9);
        row->has_switch = pg_bool(res, (int)i, 10);
    }
    return 0;
}
