#include "campaigns/table_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

void table_memory_free(struct table_memory *m)
{
    for (size_t i = 0; i < m->n; i++)
        json_decref(m->tables[i].rows);
    m->n = 0;
}

int table_memory_add(struct table_memory *m, const char *name,
                     const struct table_def *def, json_t *rows, struct errtext *e)
{
    int err = 0;

    if (!table_name_is_good(name))
        err = errtext_set(e, EINVAL, 0, 0, "'%.60s' cannot be a table's name", name);
    else if (m->n == TABLE_MEMORY_MAX)
        err = errtext_set(e, EMSGSIZE, 0, 0, "up to %d tables", TABLE_MEMORY_MAX);
    if (err) {
        json_decref(rows);
        return err;
    }
    str_cut(m->tables[m->n].name, TABLE_NAME_MAX, name);
    m->tables[m->n].def = *def;
    m->tables[m->n++].rows = rows;
    return 0;
}

static void give(struct table_result *out, const struct table_def *def, const json_t *row)
{
    out->result = IVR_DATA_DONE;
    if (!out->row)
        out->row = table_row_shown(def, row);
}

/* Wrong guesses are kept beside the cells, under a name that no column can have. */
static bool guess(const struct table_request *r, json_t *row, int64_t now_ms,
                  struct table_result *out)
{
    const char *plain = json_string_value(json_object_get(row, r->secret->name));
    json_int_t tries = json_integer_value(json_object_get(row, "#tries"));
    json_int_t at_ms = json_integer_value(json_object_get(row, "#tried_at"));

    if (tries >= TABLE_TRIES && now_ms - at_ms < TABLE_LOCKED_MS) {
        out->result = IVR_DATA_LOCKED;
        return false;
    }
    bool right = str_is(plain, r->guess) ||
                 (plain && plain[0] == '$' && table_secret_is(plain, r->guess));
    json_object_set_new(row, "#tries", json_integer(right ? 0 : tries % TABLE_TRIES + 1));
    json_object_set_new(row, "#tried_at", json_integer(now_ms));
    return right;
}

static void insert(const struct table_request *r, const struct table_def *def,
                   json_t *rows, struct table_result *out)
{
    json_t *row = table_row_new(r, def), *other = NULL;
    CLEANUP(free_cleanup) char *key = table_row_key(def, row);
    size_t i = 0;

    json_array_foreach(rows, i, other)
    {
        CLEANUP(free_cleanup) char *its = table_row_key(def, other);
        if (key && str_is(key, its)) {
            json_decref(row);
            return;
        }
    }
    give(out, def, row);
    json_array_append_new(rows, row);
}

static void run(const struct table_request *r, const struct table_def *def, json_t *rows,
                int64_t now_ms, struct table_result *out)
{
    if (r->op == IVR_DATA_INSERT) {
        insert(r, def, rows, out);
        return;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (!table_row_fits(r, row) || (r->secret && !guess(r, row, now_ms, out)))
            continue;
        if (r->op == IVR_DATA_UPDATE && table_row_change(r, def, row)) {
            out->result = IVR_DATA_FAILED;
            return;
        }
        give(out, def, row);
        if (r->op == IVR_DATA_FIND)
            return;
        if (r->op == IVR_DATA_DELETE)
            json_array_remove(rows, i--);
    }
}

void table_memory_run(struct table_memory *m, const struct ivr_data *d, int64_t now_ms,
                      struct table_result *out, struct errtext *e)
{
    struct table_request r = {0};
    size_t i = 0;

    table_result_free(out);
    out->result = IVR_DATA_NONE;
    while (m && i < m->n && !str_is(m->tables[i].name, d->table))
        i++;
    if (!m || i == m->n) {
        out->result = d->mock ? IVR_DATA_DONE : IVR_DATA_NONE;
        out->row = d->mock ? xstrdup(d->mock) : NULL;
        return;
    }
    if (table_request_read(&r, &m->tables[i].def, d, e))
        out->result = IVR_DATA_FAILED;
    else
        run(&r, &m->tables[i].def, m->tables[i].rows, now_ms, out);
    table_request_free(&r);
}
