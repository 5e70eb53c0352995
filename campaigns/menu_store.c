#include "campaigns/menu_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ivr/ivr.h"

#define COLUMNS                                                                          \
    "menu_id, parent_menu_id, menu_type, title, message, audio_url, language, voice, "   \
    "max_digits, timeout, digit_actions, invalid_input_menu_id, timeout_menu_id, "       \
    "action_type, action_config, is_active, priority"

int menu_list(struct pg *pg, int tenant_id, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    static const char sql[] =
        "SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.priority, m.id), '[]') FROM "
        "(SELECT id, " COLUMNS " FROM menu_configurations) m";

    int err = pg_run_own(pg, tenant_id, &res, sql, NULL);
    if (err)
        return err;
    *out = json_loads(pg_text(res, 0, 0), 0, NULL);
    return *out ? 0 : EPROTO;
}

/* Columns from members of the same names. */
#define FROM_ROW                                                                         \
    "jsonb_to_record($1::jsonb) AS r(menu_id text, parent_menu_id text, menu_type "      \
    "text, "                                                                             \
    "title text, message text, audio_url text, language text, voice text, max_digits "   \
    "int, timeout int, digit_actions jsonb, invalid_input_menu_id text, "                \
    "timeout_menu_id text, action_type text, action_config jsonb, is_active boolean, "   \
    "priority int)"

static int insert(struct pg *pg, int tenant_id, const json_t *row, int64_t now_ms)
{
    CLEANUP(free_cleanup) char *text = json_dumps(row, JSON_COMPACT);
    struct pg_args a = {0};

    pg_arg_text(&a, text);
    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    return pg_run(
        pg, NULL,
        "INSERT INTO menu_configurations (tenant_id, created_at, updated_at, " COLUMNS
        ") SELECT $2, furrow_ts($3), furrow_ts($3), " COLUMNS " FROM " FROM_ROW,
        &a);
}

int menu_replace(struct pg *pg, int tenant_id, const json_t *rows, int64_t now_ms)
{
    bool own = false;
    size_t i;
    json_t *row;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, NULL, "DELETE FROM menu_configurations", NULL);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (!err)
            err = insert(pg, tenant_id, row, now_ms);
    }
    return pg_end_own(pg, own, err);
}

int menu_write(struct pg *pg, int tenant_id, const json_t *row, int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) char *text = json_dumps(row, JSON_COMPACT);
    struct pg_args a = {0};
    bool own = false;

    pg_arg_text(&a, text);
    pg_arg_ms(&a, now_ms);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, &res,
                 "UPDATE menu_configurations m SET (" COLUMNS
                 ", updated_at) = (SELECT " COLUMNS ", furrow_ts($2) FROM " FROM_ROW
                 ") WHERE m.menu_id = $1::jsonb->>'menu_id'",
                 &a);
    if (!err && pg_affected(res) == 0)
        err = ENOENT;
    return pg_end_own(pg, own, err);
}

/* ---- the flow ---- */

static bool compiles(const char *source)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    struct ivr_issues issues = {0};
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;

    int err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = ivr_compile(&prog, source, strlen(source), &options, arena, &issues);
    for (size_t i = 0; err && i < issues.n; i++)
        if (!issues.list[i].warning)
            log_error("menus", "at=%s error=%s", LOG_ESC(issues.list[i].pointer),
                      LOG_ESC(issues.list[i].text));
    ivr_arena_free(arena);
    return !err;
}

int menu_publish(struct pg *pg, int tenant_id, const struct menu_settings *s,
                 int64_t now_ms, struct flow_row *out)
{
    CLEANUP(free_cleanup) char *source = NULL;
    uint8_t hash[SHA256_BYTES];
    char sha256[SHA256_TEXT_MAX];
    json_auto_t *rows = NULL;
    struct errtext e = {0};
    bool fresh;

    int err = menu_list(pg, tenant_id, &rows);
    if (!err)
        err = menu_flow(rows, s, &source);
    if (err)
        return err;
    sha256_of(source, strlen(source), hash);
    sha256_text(hash, sha256);
    err = flow_find(pg, tenant_id, s->flow_name, out, &e);
    if (!err && strcmp(out->sha256, sha256) == 0)
        return 0;
    if (err && err != ENOENT)
        return err;
    /* Rows that make no flow leave calls with the last good one. */
    if (!compiles(source))
        return err ? EBADMSG : 0;
    return flow_publish(pg, tenant_id, s->flow_name, source, now_ms, out, &fresh);
}
