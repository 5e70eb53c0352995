/* Tables: what a data node asks for, and what it makes of the answer. */
#include <errno.h>
#include <string.h>

#include "ivr/step.h"

enum { DATA_WAIT_MS = 15000 };

void enter_data(struct sprint *sp, const struct node *n)
{
    bool where_bad = false, change_bad = false;
    const char *where = "{}", *change = "{}";

    if (n->where.n > 0)
        where = render(sp, &n->where, TEMPLATE_JSON, &where_bad);
    if (where && n->change.n > 0)
        change = render(sp, &n->change, TEMPLATE_JSON, &change_bad);
    if (!where || !change)
        return;
    if (where_bad || change_bad) {
        node_fail(sp, n, "bad_value", n->table);
        return;
    }
    struct ivr_effect *fx = effect(sp, IVR_FX_DATA);
    if (!fx)
        return;
    fx->data = (struct ivr_data){.op = (enum ivr_data_op)n->op,
                                 .table = n->table,
                                 .where = where,
                                 .change = change,
                                 .mock = n->mock_body};
    sprint_wait(sp, IVR_WAIT_DATA, DATA_WAIT_MS);
}

/* A column that the row has not is nothing. */
static bool take_row(struct sprint *sp, const struct node *n, const struct ivr_input *in)
{
    json_t *row = NULL;
    json_error_t e;

    if (n->extract_count == 0)
        return true;
    int err = value_load_json(&row, in->data.row ? in->data.row : "",
                              in->data.row ? in->data.row_len : 0, 0, &e);
    if (err == ENOMEM)
        sp->err = ENOMEM;
    bool good = !err && json_is_object(row);
    for (size_t i = 0; good && i < n->extract_count && !sp->err; i++) {
        const json_t *cell = json_object_get(row, n->extracts[i].path[0]);
        struct ivr_value v = cell ? value_of_json(cell, sp->arena) : value_null();
        set_var(sp, n->extracts[i].name, &v, false);
    }
    json_decref(row);
    return good;
}

void resume_data(struct sprint *sp, const struct node *n, const struct ivr_input *in)
{
    static const char *const exits[] = {"done", "none", "locked", "failed"};
    const char *exit = "failed";

    if (in->kind == IVR_IN_DATA_DONE && (unsigned)in->data.result < ARRAY_LEN(exits))
        exit = exits[in->data.result];
    if (strcmp(exit, "done") == 0 && !take_row(sp, n, in))
        exit = "failed";
    if (strcmp(exit, "locked") == 0 && !node_has_exit(n, "locked"))
        exit = "none";
    event(sp, IVR_EV_RESULT, n->id, n->table, exit);
    take_exit(sp, n, exit, n->table);
}

EXPORT int ivr_out_follow(const struct ivr_out *first, struct ivr_out *then,
                          struct ivr_arena *arena)
{
    size_t n = 0;
    struct ivr_effect *all =
        arena_alloc(arena, (first->effect_count + then->effect_count + 1) * sizeof(*all));

    if (!all)
        return ENOMEM;
    for (size_t i = 0; i < first->effect_count; i++)
        if (first->effects[i].kind == IVR_FX_PROMPT)
            all[n++] = first->effects[i];
    if (then->effect_count > 0)
        memcpy(all + n, then->effects, then->effect_count * sizeof(*all));
    then->effects = all;
    then->effect_count += n;
    return 0;
}
