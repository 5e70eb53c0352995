/* The tables that the scene's flows name. */
#include <errno.h>
#include <stdlib.h>

#include "base/pg.h"
#include "base/str.h"
#include "campaigns/table_store.h"
#include "simulate/scene_store_inside.h"

/* Of every data node of a flow's text, in order. */
static void add_names(json_t *names, const char *text)
{
    json_auto_t *flow = json_loads(text, 0, NULL);
    json_t *node = NULL;
    const char *id = NULL;

    json_object_foreach(json_object_get(flow, "nodes"), id, node)
    {
        const char *kind = json_string_value(json_object_get(node, "kind"));
        const char *table = json_string_value(json_object_get(node, "table"));

        if (str_is(kind, "data") && table)
            json_object_set_new(names, table, json_true());
    }
}

static bool has_secret(const struct table_def *def)
{
    for (size_t i = 0; i < def->n; i++)
        if (def->columns[i].type == TABLE_SECRET)
            return true;
    return false;
}

/* What the report says of them. */
static void describe(struct scene *s, struct scene_parts *p)
{
    CLEANUP(buf_free) struct buf missing = {0};
    const char *name = NULL;
    json_t *from = NULL;

    s->hidden_secrets = false;
    json_object_foreach(p->table_names, name, from)
    {
        int at = table_memory_find(&p->tables, name);

        if (at < 0)
            buf_printf(&missing, "%s'%s'", missing.len ? ", " : "", name);
        else if (json_is_null(from) && has_secret(&p->tables.tables[at].def))
            s->hidden_secrets = true;
    }
    str_cut(s->missing_tables, sizeof(s->missing_tables),
            missing.len ? missing.data : "");
    s->tables = &p->tables;
}

static int read_table(struct pg *pg, const char *name, struct scene *s,
                      struct scene_parts *p, struct errtext *e)
{
    json_t *shown = NULL, *rows = NULL;
    struct errtext none = {0};
    struct table_def def;

    int err = table_show(pg, s->tenant_id, name, &shown, &none);
    if (err == ENOENT)
        return 0;
    if (!err)
        err = table_def_read(&def, json_object_get(shown, "columns"));
    if (!err) {
        rows = json_incref(json_object_get(shown, "rows"));
        err = table_memory_add(&p->tables, name, &def, rows, e);
        json_object_set_new(p->table_names, name, json_null()); /* null: of the store */
    }
    json_decref(shown);
    return err;
}

int scene_read_tables(struct pg *pg, struct scene *s, struct scene_parts *p,
                      struct errtext *e)
{
    const char *name = NULL;
    json_t *from = NULL;
    void *next = NULL;
    int err = 0;

    p->table_names = json_object();
    for (size_t i = 0; i < p->flows.n; i++)
        add_names(p->table_names, p->flows.at[i]);
    json_object_foreach_safe(p->table_names, next, name, from)
    {
        if (!err)
            err = read_table(pg, name, s, p, e);
    }
    describe(s, p);
    return err;
}

int scene_set_table(struct scene_source *source, const char *name,
                    const struct table_def *def, json_t *rows, struct errtext *e)
{
    struct scene_parts *p = source->parts;

    if (!json_object_get(p->table_names, name)) {
        json_decref(rows);
        return errtext_set(e, EINVAL, 0, 0,
                           "no flow of the campaign reads a table '%.60s'", name);
    }
    int err = table_memory_add(&p->tables, name, def, rows, e);
    json_object_set_new(p->table_names, name, json_true());
    describe(&source->scene, p);
    return err;
}
