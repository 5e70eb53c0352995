/* What is known of calls at a provider, and how placed is told. */
#include <stdio.h>
#include <stdlib.h>

#include "dialer/dialer.h"
#include "dialer/placed.h"
#include "dialer/provider_inside.h"

struct carried *carrier_find(struct dialer *d, int64_t trunk_id, const struct uuid *id)
{
    struct carrier *k = d->trunks ? (struct carrier *)trunks_find(d, trunk_id) : NULL;

    return k ? id_table_find(&k->calls, id) : NULL;
}

void carrier_forget(struct carried *c)
{
    id_table_remove(&c->carrier->calls, &c->id);
    carrier_look_free(c);
    free(c);
}

static void note_of(const struct provider_call_news *n, char *out, size_t size)
{
    out[0] = '\0';
    if (n->code[0] || n->says[0])
        snprintf(out, size, "the provider says %s%s%s", n->code,
                 n->code[0] && n->says[0] ? ": " : "", n->says);
}

static void tell_end(struct carried *c)
{
    struct dialer *d = c->carrier->base.dialer;
    struct provider_call_news n = c->known;
    struct uuid id = c->id;
    char note[160];
    const struct placed_end end = {.was_up = n.status == PROVIDER_CALL_COMPLETED,
                                   .we_hung_up = c->we_ended,
                                   .cause = n.cause,
                                   .tech_cause = n.tech_cause,
                                   .note = note};

    note_of(&n, note, sizeof(note));
    if (end.was_up)
        note[0] = '\0';
    carrier_forget(c);
    placed_flow_said(d, &id, n.opted_out, n.callback_at_ms);
    placed_ended(d, &id, &end);
}

/* To placed, in the order of a call's life. */
static void tell(struct carried *c)
{
    static const enum machine_verdict verdicts[] = {
        [PROVIDER_ANSWERED_UNSURE] = MACHINE_UNSURE,
        [PROVIDER_ANSWERED_HUMAN] = MACHINE_HUMAN,
        [PROVIDER_ANSWERED_MACHINE] = MACHINE_MACHINE};
    struct dialer *d = c->carrier->base.dialer;
    enum provider_call_status status = c->known.status;
    struct uuid id = c->id;

    if (status > PROVIDER_CALL_SILENT && status < PROVIDER_CALL_UP)
        placed_ringing(d, &id);
    if ((status == PROVIDER_CALL_UP || status == PROVIDER_CALL_COMPLETED) &&
        !c->up_told) {
        c->up_told = true;
        placed_answered(d, &id);
    }
    if (c->known.answered_by != PROVIDER_ANSWERED_UNSAID && !c->answer_told) {
        c->answer_told = c->known.answered_by != PROVIDER_ANSWERED_UNSURE;
        placed_answered_by(d, &id, verdicts[c->known.answered_by]);
    }
    if (provider_call_is_over(status))
        tell_end(c);
}

static bool merge(struct carried *c, const struct provider_call_news *news)
{
    struct provider_call call = {.known = c->known};
    bool changed = provider_call_merge(&call, news);

    c->known = call.known;
    return changed;
}

void carrier_heard(struct carried *c, const struct provider_call_news *news)
{
    if (merge(c, news))
        tell(c);
}

void carrier_learnt(struct carried *c, const struct provider_call_news *news)
{
    if (!merge(c, news))
        return;
    carrier_write_down(c, news);
    tell(c);
}
