#include "campaigns/agent_store.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/names_store.h"

/* Wrapped up is ready, from the instant on at which it ends. */
#define STATE_NOW                                                                        \
    "CASE WHEN g.state = 'wrap_up' AND g.wrap_until <= furrow_ts($1) THEN 'ready' ELSE " \
    "g.state END"
#define SELECT_AGENTS                                                                    \
    "SELECT g.id, g.name, g.extension, g.queue, g.wrap_up_s, " STATE_NOW                 \
    ", g.after_call, g.note, furrow_ms(CASE WHEN g.state = 'wrap_up' AND g.wrap_until "  \
    "<= furrow_ts($1) THEN g.wrap_until ELSE g.since END), g.confirm, "                  \
    "g.line_id IS NOT NULL AND g.state <> 'logged_out' FROM agents g "

static int refused(struct pg *pg, int err, struct errtext *e)
{
    return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
}

static int check(const struct agent_row *row, struct errtext *e)
{
    if (!row->name[0])
        return errtext_set(e, EINVAL, 0, 0, "an agent needs a name");
    for (const char *p = row->name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            return errtext_set(e, EINVAL, 0, 0,
                               "'%s' is no name for an agent: letters, digits, '-', '_' "
                               "and '.'",
                               row->name);
    if (!row->extension[0] ||
        strspn(row->extension, "0123456789*#") != strlen(row->extension))
        return errtext_set(e, EINVAL, 0, 0,
                           "'%s' is no extension: digits, as the switch knows the phone, "
                           "e.g. 2001",
                           row->extension);
    if (!row->queue[0])
        return errtext_set(e, EINVAL, 0, 0, "an agent needs a queue, e.g. sales");
    return 0;
}

int agent_add(struct pg *pg, int tenant_id, const struct agent_row *row, int64_t now_ms,
              struct errtext *e)
{
    struct pg_args a = {0};

    int err = check(row, e);
    if (err)
        return err;
    err = pg_begin(pg, tenant_id);
    if (err)
        return refused(pg, err, e);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, row->name);
    pg_arg_text(&a, row->extension);
    pg_arg_text(&a, row->queue);
    pg_arg_i64(&a, row->wrap_up_s);
    pg_arg_ms(&a, now_ms);
    pg_arg_bool(&a, row->confirm);
    err = pg_end(pg, pg_run(pg, NULL,
                            "INSERT INTO agents (tenant_id, name, extension, queue, "
                            "wrap_up_s, since, created_at, confirm) VALUES ($1, $2, $3, "
                            "$4, $5, furrow_ts($6), furrow_ts($6), $7)",
                            &a));
    if (err == EEXIST)
        return errtext_set(e, err, 0, 0,
                           "there is an agent '%s' or one at extension %s already; "
                           "'furrow agent list' shows them",
                           row->name, row->extension);
    return err ? refused(pg, err, e) : 0;
}

static int remove_one(struct pg *pg, const char *name, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res,
                     "WITH found AS (SELECT id, call_id FROM agents WHERE name = $1 FOR "
                     "UPDATE), gone AS (DELETE FROM agents g USING found f WHERE g.id = "
                     "f.id AND f.call_id IS NULL) SELECT call_id IS NULL FROM found",
                     &a);
    if (err)
        return refused(pg, err, e);
    if (PQntuples(res) == 0)
        return names_missing(pg, "agent", "agents", name, e);
    if (!pg_bool(res, 0, 0))
        return errtext_set(e, EBUSY, 0, 0,
                           "a call is %s's at this moment: 'furrow agent logout %s', and "
                           "remove them when it is over",
                           name, name);
    return 0;
}

int agent_remove(struct pg *pg, int tenant_id, const char *name, struct errtext *e)
{
    int err = pg_begin(pg, tenant_id);

    return err ? refused(pg, err, e) : pg_end(pg, remove_one(pg, name, e));
}

static int read_row(const PGresult *res, int i, struct agent_row *out)
{
    *out = (struct agent_row){.id = pg_i64(res, i, 0),
                              .wrap_up_s = (int)pg_i64(res, i, 4),
                              .since_ms = pg_i64(res, i, 8),
                              .confirm = pg_bool(res, i, 9),
                              .line = pg_bool(res, i, 10)};
    str_cut(out->name, sizeof(out->name), pg_text(res, i, 1));
    str_cut(out->extension, sizeof(out->extension), pg_text(res, i, 2));
    str_cut(out->queue, sizeof(out->queue), pg_text(res, i, 3));
    str_cut(out->after_call, sizeof(out->after_call), pg_text(res, i, 6));
    str_cut(out->note, sizeof(out->note), pg_text(res, i, 7));
    return agent_state_parse(pg_text(res, i, 5), &out->state) ? 0 : EPROTO;
}

int agent_list(struct pg *pg, int tenant_id, const char *queue, int64_t now_ms,
               struct agent_row **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct agent_row *all = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, queue);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own,
                         pg_run(pg, &res,
                                SELECT_AGENTS "WHERE $2::text IS NULL OR g.queue = $2 "
                                              "ORDER BY g.queue, g.name",
                                &a));
    if (err)
        return err;
    all = xcalloc((size_t)PQntuples(res) + 1, sizeof(*all));
    for (int i = 0; !err && i < PQntuples(res); i++)
        err = read_row(res, i, &all[i]);
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    *out = STEAL(all);
    return 0;
}

/* ---- orders ---- */

static int find_locked(struct pg *pg, const char *name, int64_t now_ms,
                       struct agent_row *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, SELECT_AGENTS "WHERE g.name = $2 FOR UPDATE", &a);
    if (err)
        return refused(pg, err, e);
    if (PQntuples(res) == 0)
        return names_missing(pg, "agent", "agents", name, e);
    return read_row(res, 0, out);
}

static int write_order(struct pg *pg, const struct agent_row *row, bool after_call,
                       enum agent_state next, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, row->id);
    pg_arg_text(&a, agent_state_name(next));
    pg_arg_bool(&a, after_call);
    pg_arg_ms(&a, now_ms);
    return pg_run(
        pg, NULL,
        "UPDATE agents SET state = CASE WHEN $3::bool THEN state ELSE $2 END, "
        "after_call = CASE WHEN $3::bool THEN $2 ELSE '' END, since = CASE WHEN "
        "$3::bool THEN since ELSE furrow_ts($4) END, wrap_until = CASE WHEN "
        "$3::bool THEN wrap_until END, note = '' WHERE id = $1",
        &a);
}

/* With one: no calls until it is up. */
static int write_line(struct pg *pg, int64_t agent_id, bool line)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, agent_id);
    pg_arg_bool(&a, line);
    return pg_run(pg, NULL,
                  "UPDATE agents SET line_id = CASE WHEN $2::bool THEN gen_random_uuid() "
                  "END, line_slot = NULL, state = CASE WHEN $2::bool THEN 'paused' ELSE "
                  "state END, note = CASE WHEN $2::bool THEN '" AGENT_LINE_RINGS
                  "' ELSE '' END WHERE id = $1",
                  &a);
}

static int command(struct pg *pg, const char *name, enum agent_order order, bool line,
                   int64_t now_ms, struct agent_row *out, struct errtext *e)
{
    bool after_call = false;

    int err = find_locked(pg, name, now_ms, out, e);
    if (err)
        return err;
    enum agent_state next = agent_after(out->state, order, &after_call);
    if (next == AGENT_STATES)
        return errtext_set(e, EPERM, 0, 0, "agent '%s' is %s: %s is not possible%s", name,
                           agent_state_name(out->state), agent_order_name(order),
                           order == AGENT_LOGIN && out->state == AGENT_PAUSED
                               ? "; 'furrow agent resume' ends a pause"
                           : order == AGENT_LOGIN ? ", for they are logged in already"
                           : order == AGENT_LOGOUT && out->state == AGENT_LOGGED_OUT
                               ? ", for they are logged out already"
                           : out->state == AGENT_LOGGED_OUT
                               ? "; 'furrow agent login' comes first"
                               : "");
    err = write_order(pg, out, after_call, next, now_ms);
    if (!err && order == AGENT_LOGIN)
        err = write_line(pg, out->id, line);
    if (err)
        return refused(pg, err, e);
    if (after_call)
        str_cut(out->after_call, sizeof(out->after_call), agent_state_name(next));
    else
        out->state = next;
    out->line |= line;
    return 0;
}

static int ordered(struct pg *pg, int tenant_id, const char *name, enum agent_order order,
                   bool line, int64_t now_ms, struct agent_row *out, struct errtext *e)
{
    int err = pg_begin(pg, tenant_id);

    return err ? refused(pg, err, e)
               : pg_end(pg, command(pg, name, order, line, now_ms, out, e));
}

int agent_command(struct pg *pg, int tenant_id, const char *name, enum agent_order order,
                  int64_t now_ms, struct agent_row *out, struct errtext *e)
{
    return ordered(pg, tenant_id, name, order, false, now_ms, out, e);
}

int agent_login_line(struct pg *pg, int tenant_id, const char *name, int64_t now_ms,
                     struct agent_row *out, struct errtext *e)
{
    return ordered(pg, tenant_id, name, AGENT_LOGIN, true, now_ms, out, e);
}
