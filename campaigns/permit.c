#include "campaigns/permit.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct permit {
    struct permit_facts facts;
    int64_t minted_ms; /* monotonic */
    bool spent;
};

struct permit *permit_mint(const struct permit_facts *facts, int64_t mono_now_ms)
{
    struct permit *p = xcalloc(1, sizeof(*p));

    p->facts = *facts;
    p->minted_ms = mono_now_ms;
    return p;
}

void permit_free(struct permit *p)
{
    free(p);
}

const struct permit_facts *permit_facts(const struct permit *p)
{
    return &p->facts;
}

bool permit_is_live(const struct permit *p, int64_t mono_now_ms, int64_t now_ms)
{
    return !p->spent && p->facts.decision[0] && mono_now_ms >= p->minted_ms &&
           mono_now_ms - p->minted_ms < PERMIT_TTL_MS &&
           (p->facts.open_until_ms == 0 || now_ms < p->facts.open_until_ms);
}

bool permit_use(struct permit *p, int64_t mono_now_ms, int64_t now_ms)
{
    bool live = permit_is_live(p, mono_now_ms, now_ms);

    p->spent = true;
    return live;
}
