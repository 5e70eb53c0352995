#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/sha256.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "campaigns/variant_store.h"
#include "simulate/scene_store_inside.h"

/* ---- the flow ---- */

/* Compiled with its sub-flows. */
static int compile(struct pg *pg, struct scene *s, struct scene_parts *p,
                   int64_t revision_id, struct scene_flow *out, struct errtext *e)
{
    const struct ivr_compile_options options = {
        .sha256 = sha256_of, .resolve = flow_resolve, .arg = &p->flows};
    struct ivr_issues issues = {0};
    struct ivr_prog *prog = NULL;
    struct flow_row flow;
    char *source = NULL;
    size_t first = p->flows.n;

    int err = flow_load(pg, s->tenant_id, revision_id, &flow, &source);
    if (err)
        return err;
    flow_texts_add(&p->flows, source);
    err = flow_texts_hold(&p->flows, revision_id);
    if (err)
        return err;
    err = ivr_compile(&prog, source, strlen(source), &options, p->arena, &issues);
    if (p->flows.err)
        return p->flows.err;
    if (err == EBADMSG)
        return errtext_set(e, EINVAL, 0, 0,
                           "the flow '%s' does not compile: %.120s (furrow flow check)",
                           flow.name, issues.n > 0 ? issues.list[0].text : "");
    *out = (struct scene_flow){.prog = prog};
    for (size_t i = first; i < p->flows.n; i++)
        out->asks_contact |= strstr(p->flows.at[i], "contact") != NULL;
    s->asks_contact |= out->asks_contact;
    return err;
}

int scene_read_flows(struct pg *pg, const struct campaign_row *row, struct scene *s,
                     struct scene_parts *p, struct errtext *e)
{
    int64_t revisions[VARIANTS_MAX] = {0};
    size_t n = 0;

    p->flows = (struct flow_texts){.pg = pg, .tenant_id = s->tenant_id};
    int err = ivr_arena_new(&p->arena, NULL);
    if (!err)
        err = compile(pg, s, p, row->flow_revision_id, &s->flow, e);
    if (!err && row->machine_flow_revision_id)
        err = compile(pg, s, p, row->machine_flow_revision_id, &s->message, e);
    if (!err && s->doc->variants.n > 0)
        err = variant_revisions(pg, s->tenant_id, row->id, revisions, &n);
    for (size_t i = 0; !err && i < n; i++)
        if (revisions[i] != row->flow_revision_id)
            err = compile(pg, s, p, revisions[i], &s->variants[i], e);
    return err;
}
