#include "dialer/trunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "dialer/dialer.h"
#include "dialer/trunk_kinds.h"

static const struct trunk_ops *const kinds[] = {&trunk_ari, &trunk_simulated,
                                                &trunk_twilio, &trunk_plivo};

struct trunks {
    size_t n, cap;
    struct trunk **list;
};

const struct trunk_ops *trunk_ops_find(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i]->kind, kind) == 0)
            return kinds[i];
    return NULL;
}

struct trunks *trunks_new(void)
{
    return xcalloc(1, sizeof(struct trunks));
}

void trunks_free(struct trunks *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        t->list[i]->ops->close(t->list[i]);
    free(t->list);
    free(t);
}

int trunks_get(struct dialer *d, const struct trunk_row *row, struct trunk **out,
               struct errtext *e)
{
    struct trunks *t = d->trunks;
    const struct trunk_ops *ops = trunk_ops_find(row->kind);

    *out = trunks_find(d, row->id);
    if (*out) {
        (*out)->row.cps = row->cps;
        (*out)->row.max_channels = row->max_channels;
        (*out)->row.account_cps = row->account_cps;
        return 0;
    }
    if (!ops)
        return errtext_set(e, ENOENT, 0, 0, "trunk '%s': this dialer has no kind '%s'",
                           row->name, row->kind);
    int err = ops->open(out, d, row, e);
    if (err)
        return err;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 8;
        t->list = xrealloc(t->list, t->cap * sizeof(struct trunk *));
    }
    t->list[t->n++] = *out;
    return 0;
}

struct trunk *trunks_find(const struct dialer *d, int64_t id)
{
    for (size_t i = 0; i < d->trunks->n; i++)
        if (d->trunks->list[i]->row.id == id)
            return d->trunks->list[i];
    return NULL;
}

struct trunk *trunks_find_kind(const struct dialer *d, const char *kind)
{
    for (size_t i = 0; i < d->trunks->n; i++)
        if (strcmp(d->trunks->list[i]->ops->kind, kind) == 0)
            return d->trunks->list[i];
    return NULL;
}
