#include "simulate/tables.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "campaigns/table_memory.h"

struct tables {
    struct table_memory memory;
    struct talk_tables ops;
};

static int run(void *arg, const struct ivr_data *d, int64_t now_ms,
               struct table_result *out)
{
    struct tables *t = arg;
    struct errtext e = {0};

    table_memory_run(&t->memory, d, now_ms, out, &e);
    if (!d->mock && table_memory_find(&t->memory, d->table) < 0)
        out->result = IVR_DATA_FAILED;
    return 0;
}

struct tables *tables_new(const struct scene *scene)
{
    struct tables *t = xcalloc(1, sizeof(*t));

    if (scene->tables)
        table_memory_copy(scene->tables, &t->memory);
    t->ops = (struct talk_tables){run, t};
    return t;
}

void tables_free(struct tables *t)
{
    if (t)
        table_memory_free(&t->memory);
    free(t);
}

const struct talk_tables *tables_ops(const struct tables *t)
{
    return &t->ops;
}

const struct table_memory *tables_rows(const struct tables *t)
{
    return &t->memory;
}
