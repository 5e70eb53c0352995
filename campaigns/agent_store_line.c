#include "campaigns/agent_store_line.h"

#include <stdlib.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

/* Claimed ones are seen by the next look: this statement does not see its own writes. */
#define LINES                                                                            \
    "WITH claimed AS (UPDATE agents SET line_slot = $1 WHERE line_id IS NOT NULL AND "   \
    "state <> 'logged_out' AND line_slot IS DISTINCT FROM $1 AND NOT EXISTS (SELECT "    \
    "FROM node_slots n WHERE n.kind = 'dialer' AND n.slot = line_slot AND "              \
    "n.lease_until >= clock_timestamp())) SELECT line_id, name, extension FROM agents "  \
    "WHERE line_id IS NOT NULL AND state <> 'logged_out' AND line_slot = $1"

int agent_lines(struct pg *pg, int tenant_id, int slot, struct agent_line **all,
                size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, slot);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, pg_run(pg, &res, LINES, &a));
    if (err || PQntuples(res) == 0)
        return err;
    *all = xrealloc(*all, (*n + (size_t)PQntuples(res)) * sizeof(**all));
    for (int i = 0; !err && i < PQntuples(res); i++) {
        struct agent_line *line = &(*all)[*n];

        *line = (struct agent_line){.tenant_id = tenant_id};
        str_cut(line->name, sizeof(line->name), pg_text(res, i, 1));
        str_cut(line->extension, sizeof(line->extension), pg_text(res, i, 2));
        err = pg_uuid(res, i, 0, &line->line);
        *n += err == 0;
    }
    return err;
}

static int change(struct pg *pg, int tenant_id, const char *sql, const struct uuid *line,
                  const char *why, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, line);
    pg_arg_ms(&a, now_ms);
    if (why)
        pg_arg_text(&a, why);
    int err = pg_begin(pg, tenant_id);
    return err ? err : pg_end(pg, pg_run(pg, NULL, sql, &a));
}

int agent_line_rings(struct pg *pg, int tenant_id, const struct uuid *line,
                     int64_t now_ms)
{
    return change(pg, tenant_id,
                  "UPDATE agents SET state = 'paused', since = furrow_ts($2), note = "
                  "'" AGENT_LINE_RINGS "' WHERE line_id = $1 AND state = 'ready'",
                  line, NULL, now_ms);
}

int agent_line_up(struct pg *pg, int tenant_id, const struct uuid *line, int64_t now_ms)
{
    return change(pg, tenant_id,
                  "UPDATE agents SET state = 'ready', since = furrow_ts($2), note = '' "
                  "WHERE line_id = $1 AND state = 'paused' AND note = '" AGENT_LINE_RINGS
                  "'",
                  line, NULL, now_ms);
}

int agent_line_lost(struct pg *pg, int tenant_id, const struct uuid *line,
                    const char *why, int64_t now_ms)
{
    return change(pg, tenant_id,
                  "UPDATE agents SET line_id = NULL, after_call = CASE WHEN call_id IS "
                  "NULL THEN '' ELSE 'logged_out' END, state = CASE WHEN call_id IS NULL "
                  "THEN 'logged_out' ELSE state END, wrap_until = NULL, since = CASE "
                  "WHEN call_id IS NULL THEN furrow_ts($2) ELSE since END, note = $3 "
                  "WHERE line_id = $1 AND state <> 'logged_out'",
                  line, why, now_ms);
}
