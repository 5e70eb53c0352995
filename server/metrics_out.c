#include "server/metrics_out.h"

#include <stdlib.h>

#include "base/xalloc.h"

static void add_escaped(struct buf *b, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\n') {
            buf_puts(b, "\\n");
            continue;
        }
        if (*p == '"' || *p == '\\')
            buf_puts(b, "\\");
        buf_add(b, p, 1);
    }
}

void metrics_label(struct buf *b, const char *name, size_t name_len, const char *value)
{
    buf_printf(b, ",%.*s=\"", (int)name_len, name);
    add_escaped(b, value);
    buf_puts(b, "\"");
}

void metrics_end(struct metrics_out *m)
{
    const char *series = NULL;
    json_t *value = NULL;

    json_object_foreach(m->together, series, value)
    {
        buf_printf(m->b, "%s %.*f\n", series,
                   (int)json_integer_value(json_array_get(value, 1)),
                   json_real_value(json_array_get(value, 0)));
    }
    json_decref(m->together);
    m->together = NULL;
}

void metrics_family(struct metrics_out *m, const char *name, const char *help,
                    const char *type)
{
    metrics_end(m);
    buf_printf(m->b, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_row(struct metrics_out *m, const char *series, const char *tenant,
                 const char *labels, const struct metrics_value *v)
{
    if (m->by_tenant) {
        buf_printf(m->b, "%s{tenant=\"", series);
        add_escaped(m->b, tenant);
        buf_printf(m->b, "\"%s} %.*f\n", labels, v->decimals, v->value);
        return;
    }
    CLEANUP(free_cleanup)
    char *key =
        *labels ? xasprintf("%s{%s}", series, labels + 1) : xasprintf("%s", series);
    if (!m->together)
        m->together = json_object();
    json_t *sum = json_array_get(json_object_get(m->together, key), 0);
    if (!sum)
        json_object_set_new(m->together, key, json_pack("[f, i]", v->value, v->decimals));
    else if (!v->largest)
        json_real_set(sum, json_real_value(sum) + v->value);
    else if (v->value > json_real_value(sum))
        json_real_set(sum, v->value);
}
