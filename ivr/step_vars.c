/* Variables of a call, and those that no state keeps. */
#include <errno.h>
#include <string.h>

#include "ivr/step.h"

static size_t value_bytes(const struct ivr_value *v)
{
    return 12 + (v->type == IVR_TEXT ? strlen(v->text) : 0);
}

static size_t vars_bytes(const struct sprint *sp)
{
    size_t total = 0;

    for (size_t i = 0; i < sp->s.var_count; i++)
        total += strlen(sp->vars[i].name) + value_bytes(&sp->vars[i].value);
    return total;
}

static struct ivr_var *find_var(struct sprint *sp, const char *name)
{
    size_t i = 0;
    void *vars = sp->vars;

    while (i < sp->s.var_count && strcmp(sp->vars[i].name, name) < 0)
        i++;
    if (i < sp->s.var_count && strcmp(sp->vars[i].name, name) == 0)
        return &sp->vars[i];
    if (!arena_grow(sp->arena, &vars, sp->s.var_count, &sp->var_cap, sizeof(*sp->vars))) {
        sp->err = ENOMEM;
        return NULL;
    }
    sp->vars = vars;
    memmove(&sp->vars[i + 1], &sp->vars[i], (sp->s.var_count - i) * sizeof(*sp->vars));
    sp->s.var_count++;
    sp->vars[i] = (struct ivr_var){name, value_null()};
    return &sp->vars[i];
}

void set_var(struct sprint *sp, const char *name, const struct ivr_value *value,
             bool quiet)
{
    struct ivr_value kept = *value;

    if (kept.type == IVR_JSON) {
        event(sp, IVR_EV_WARNING, "not_kept", "a list or map cannot be kept", name);
        kept = value_null();
    }
    if (kept.type == IVR_FAULT)
        kept = value_null();
    size_t bytes = vars_bytes(sp) + strlen(name) + value_bytes(&kept);
    if (bytes > VARS_BYTES_MAX) {
        event(sp, IVR_EV_WARNING, "vars_too_large", name, "");
        sp->expr.fuel = -1; /* seen by the loop: the flow is out of its bounds */
        return;
    }
    struct ivr_var *var = find_var(sp, name);
    if (!var)
        return;
    var->value = kept;
    if (!quiet)
        event(sp, IVR_EV_VAR_SET, name, value_to_text(&kept, sp->arena),
              value_type_name(kept.type));
}

void set_sensitive(struct sprint *sp, const char *name, const char *entry)
{
    struct ivr_value v = value_text(entry);

    if (sp->sensitive_count == ARRAY_LEN(sp->sensitive))
        return;
    sp->sensitive[sp->sensitive_count++] = name;
    set_var(sp, name, &v, true);
}

void forget_sensitive(struct sprint *sp)
{
    size_t kept = 0;

    for (size_t i = 0; i < sp->s.var_count; i++) {
        bool forget = false;
        for (size_t k = 0; k < sp->sensitive_count; k++)
            forget = forget || strcmp(sp->vars[i].name, sp->sensitive[k]) == 0;
        if (!forget)
            sp->vars[kept++] = sp->vars[i];
    }
    sp->s.var_count = kept;
}
