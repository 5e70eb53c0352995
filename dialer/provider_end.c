/*
 * Calls at a provider are ended and taken back. A provider queues what comes too fast,
 * and what is queued may be dialled after the calling window has closed: a call that is
 * still queued after queued_max_s, when its window closes or when its campaign stops is
 * taken back.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "dialer/placed.h"
#include "dialer/provider_inside.h"

enum { END_AGAIN_MS = 2000 };

static struct call_ref *ref_of(const struct carried *c)
{
    struct call_ref *r = xcalloc(1, sizeof(*r));

    *r = (struct call_ref){.dialer = c->carrier->base.dialer,
                           .trunk_id = c->carrier->base.row.id,
                           .id = c->id};
    return r;
}

/* Its own word of the end comes by webhook; should it not, it is looked for. */
static void on_end_sent(const struct web_resp *resp, void *arg)
{
    struct call_ref *r = arg;
    struct carried *c = carrier_find(r->dialer, r->trunk_id, &r->id);
    struct provider_seen seen = {.news = PROVIDER_CALL_NEWS};

    free(r);
    if (!c)
        return;
    if (!resp->err && c->carrier->rest->see(0, resp->status, resp->body, resp->len,
                                            &seen) == PROVIDER_SEEN) {
        carrier_learnt(c, &seen.news);
        return;
    }
    c->look_again_ms = 0;
    placed_doubt(c->carrier->base.dialer, &c->id);
}

/* Asked again until the provider says that it is over. */
static void carrier_end(struct carried *c)
{
    struct provider_request r = {0};
    struct carrier *k = c->carrier;

    if (c->posting || (!c->known.call_id[0] && !c->known.request_id[0]) ||
        mono_ms() < c->end_at_ms || !k->loaded)
        return;
    c->end_at_ms = mono_ms() + END_AGAIN_MS;
    k->rest->end(&k->account, &c->known, c->end_tries % 2 == 1, &r);
    c->end_tries++;
    c->we_ended = true;
    struct call_ref *ref = ref_of(c);
    if (carrier_send(k, &r, false, on_end_sent, ref))
        free(ref);
}

void carrier_hang_up(struct trunk *t, const struct uuid *attempt)
{
    struct carried *c = id_table_find(&((struct carrier *)t)->calls, attempt);

    if (!c || c->unwanted)
        return;
    c->unwanted = true;
    carrier_end(c);
}

void carrier_take_back(struct carried *c)
{
    if (!c->recalled || c->unwanted)
        return;
    c->unwanted = true;
    carrier_end(c);
}

/* Only after the provider has just said that it is still queued: webhooks may be late. */
void carrier_recall(struct trunk *t, const struct uuid *attempt)
{
    struct carried *c = id_table_find(&((struct carrier *)t)->calls, attempt);

    if (!c || c->recalled || c->known.status > PROVIDER_CALL_QUEUED)
        return;
    c->recalled = true;
    c->look_again_ms = 0;
    placed_doubt(t->dialer, attempt);
}

/* ---- the turn ---- */

static bool waits_too_long(const struct carried *c, int64_t now)
{
    return c->taken_at_ms && c->known.status <= PROVIDER_CALL_QUEUED &&
           (now - c->taken_at_ms > (int64_t)c->carrier->settings.queued_max_s * 1000 ||
            (c->open_until_ms && clock_now_ms() >= c->open_until_ms));
}

void carrier_look_after(struct carried *c, int64_t now)
{
    struct trunk *t = &c->carrier->base;

    if (!c->posting && !placed_has(t->dialer, &c->id)) {
        carrier_forget(c); /* it ended as unknown */
        return;
    }
    if (waits_too_long(c, now))
        carrier_recall(t, &c->id);
    if (c->unwanted) {
        carrier_end(c);
    } else if (c->recalled && c->known.status > PROVIDER_CALL_QUEUED) {
        c->recalled = false; /* it was dialled in time */
    } else if (c->taken_at_ms && now >= c->look_at_ms) {
        c->look_at_ms = now + (int64_t)c->carrier->settings.look_s * 1000;
        placed_doubt(t->dialer, &c->id);
    }
}
