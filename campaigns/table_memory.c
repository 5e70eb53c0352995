#include "campaigns/table_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

static void clear(struct table_memory *m, size_t i)
{
    json_decref(m->tables[i].rows);
    json_decref(m->tables[i].keys);
}

void table_memory_free(struct table_memory *m)
{
    for (size_t i = 0; i < m->n; i++)
        clear(m, i);
    m->n = 0;
}

int table_memory_find(const struct table_memory *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_is(m->tables[i].name, name))
            return (int)i;
    return -1;
}

/* Each key once. */
static void put_rows(struct table_memory *m, size_t at, const json_t *rows)
{
    const struct table_def *def = &m->tables[at].def;
    json_t *row = NULL;
    size_t i = 0;

    m->tables[at].rows = json_array();
    m->tables[at].keys = json_object();
    json_array_foreach(rows, i, row)
    {
        CLEANUP(free_cleanup) char *key = table_row_key(def, row);
        json_t *first = key ? json_object_get(m->tables[at].keys, key) : NULL;

        if (first) {
            json_object_clear(first);
            json_object_update(first, row);
            continue;
        }
        json_array_append(m->tables[at].rows, row);
        if (key)
            json_object_set(m->tables[at].keys, key, row);
    }
}

int table_memory_add(struct table_memory *m, const char *name,
                     const struct table_def *def, json_t *rows, struct errtext *e)
{
    int at = table_memory_find(m, name), err = 0;

    if (!table_name_is_good(name))
        err = errtext_set(e, EINVAL, 0, 0, "'%.60s' cannot be a table's name", name);
    else if (at < 0 && m->n == TABLE_MEMORY_MAX)
        err = errtext_set(e, EMSGSIZE, 0, 0, "up to %d tables", TABLE_MEMORY_MAX);
    if (!err && at >= 0)
        clear(m, (size_t)at);
    else if (!err)
        at = (int)m->n++;
    if (!err) {
        str_cut(m->tables[at].name, TABLE_NAME_MAX, name);
        m->tables[at].def = *def;
        put_rows(m, (size_t)at, rows);
    }
    json_decref(rows);
    return err;
}

void table_memory_copy(const struct table_memory *m, struct table_memory *out)
{
    *out = (struct table_memory){.n = m->n};
    for (size_t i = 0; i < m->n; i++) {
        json_auto_t *rows = json_deep_copy(m->tables[i].rows);

        str_cut(out->tables[i].name, TABLE_NAME_MAX, m->tables[i].name);
        out->tables[i].def = m->tables[i].def;
        put_rows(out, i, rows);
    }
}

/* Wrong guesses are kept beside the cells, under names that no column can have. */
#define TRIES    "#tries"
#define TRIED_AT "#tried_at"

static void give(struct table_result *out, const struct table_def *def, const json_t *row)
{
    out->result = IVR_DATA_DONE;
    if (out->row)
        return;
    json_auto_t *cells = json_copy((json_t *)(uintptr_t)row);
    json_object_del(cells, TRIES);
    json_object_del(cells, TRIED_AT);
    out->row = table_row_shown(def, cells);
}

static bool guess(const struct table_request *r, json_t *row, int64_t now_ms,
                  struct table_result *out)
{
    const char *plain = json_string_value(json_object_get(row, r->secret->name));
    json_int_t tries = json_integer_value(json_object_get(row, TRIES));
    json_int_t at_ms = json_integer_value(json_object_get(row, TRIED_AT));

    if (tries >= TABLE_TRIES && now_ms - at_ms < TABLE_LOCKED_MS) {
        out->result = IVR_DATA_LOCKED;
        return false;
    }
    bool right = str_is(plain, r->guess) ||
                 (plain && plain[0] == '$' && table_secret_is(plain, r->guess));
    json_object_set_new(row, TRIES, json_integer(right ? 0 : tries % TABLE_TRIES + 1));
    json_object_set_new(row, TRIED_AT, json_integer(now_ms));
    return right;
}

struct work {
    const struct table_request *request;
    const struct table_def *def;
    json_t *rows, *keys;
    int64_t now_ms;
    struct table_result *out;
};

static void insert(const struct work *w)
{
    json_t *row = table_row_new(w->request, w->def);
    CLEANUP(free_cleanup) char *key = table_row_key(w->def, row);

    if (!key || !json_object_get(w->keys, key)) {
        give(w->out, w->def, row);
        json_array_append(w->rows, row);
        if (key)
            json_object_set(w->keys, key, row);
    }
    json_decref(row);
}

/* *gone: the row is to be taken out. False: the others are not looked at. */
static bool touch(const struct work *w, json_t *row, bool *gone)
{
    const struct table_request *r = w->request;

    *gone = false;
    if (!table_row_fits(r, row))
        return true;
    if (r->secret && !guess(r, row, w->now_ms, w->out))
        return w->out->result != IVR_DATA_LOCKED;
    if (r->op == IVR_DATA_UPDATE && table_row_change(r, w->def, row)) {
        w->out->result = IVR_DATA_FAILED;
        return false;
    }
    give(w->out, w->def, row);
    *gone = r->op == IVR_DATA_DELETE;
    return r->op != IVR_DATA_FIND;
}

static void take_out(const struct work *w, size_t i)
{
    CLEANUP(free_cleanup)
    char *key = table_row_key(w->def, json_array_get(w->rows, i));

    if (key)
        json_object_del(w->keys, key);
    json_array_remove(w->rows, i);
}

static size_t place_of(const json_t *rows, const json_t *row)
{
    size_t i = 0;

    while (json_array_get(rows, i) != row)
        i++;
    return i;
}

/* By its key a row is found without a look at the others. */
static void run(const struct work *w)
{
    CLEANUP(free_cleanup) char *key = table_row_key(w->def, w->request->equal);
    json_t *only = key ? json_object_get(w->keys, key) : NULL;
    bool gone = false, more = true;

    if (w->request->op == IVR_DATA_INSERT) {
        insert(w);
    } else if (key) {
        if (only)
            (void)touch(w, only, &gone);
        if (gone)
            take_out(w, place_of(w->rows, only));
    } else {
        for (size_t i = 0; more && i < json_array_size(w->rows); i++) {
            more = touch(w, json_array_get(w->rows, i), &gone);
            if (gone)
                take_out(w, i--);
        }
    }
}

void table_memory_run(struct table_memory *m, const struct ivr_data *d, int64_t now_ms,
                      struct table_result *out, struct errtext *e)
{
    struct table_request r = {0};
    int i = m ? table_memory_find(m, d->table) : -1;

    table_result_free(out);
    out->result = IVR_DATA_NONE;
    if (i < 0) {
        out->result = d->mock ? IVR_DATA_DONE : IVR_DATA_NONE;
        out->row = d->mock ? xstrdup(d->mock) : NULL;
        return;
    }
    const struct work w = {
        &r, &m->tables[i].def, m->tables[i].rows, m->tables[i].keys, now_ms, out};
    if (table_request_read(&r, w.def, d, e))
        out->result = IVR_DATA_FAILED;
    else
        run(&w);
    table_request_free(&r);
}
