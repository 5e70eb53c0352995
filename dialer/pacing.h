/*
 * pacing - may one more call go out now? One Lua script in Redis per origination
 * takes a token for trunk, campaign, caller ID, tenant, account and installation (GCRA,
 * evenly spaced, shared by all dialers) and a concurrency slot of each, or nothing.
 *
 * Fails closed: Redis away, a changed run_id or a missing boot-epoch key give no token
 * until the slots were rebuilt from the open attempts in Postgres and one second has
 * passed. The script gets business time as an argument when the clock is virtual and
 * uses TIME otherwise.
 *
 * Thread: the loop's (hiredis async on libuv; own timer per command).
 */
#ifndef DIALER_PACING_H
#define DIALER_PACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/uuid.h"

struct pacing;

/* What one origination is counted against, all at once. */
enum pacing_kind {
    PACING_TRUNK, /* slowed and held by its health: pacing_told() */
    PACING_CAMPAIGN,
    PACING_CALLER_ID, /* over all campaigns that show it */
    PACING_TENANT,
    PACING_ACCOUNT, /* at a provider, over all its trunks */
    PACING_ALL,     /* the installation, whichever dialer; its id is 1 */
    PACING_KINDS,
};

struct pacing_bucket {
    int64_t id;         /* 0: not counted */
    double cps;         /* business time; 0: no rate limit */
    int max_concurrent; /* 0: no limit */
};

struct pacing_ask {
    struct uuid attempt; /* holds the slots; a repeated ask for it takes nothing twice */
    struct pacing_bucket at[PACING_KINDS];
};

enum pacing_result {
    PACING_GO,
    PACING_WAIT, /* retry_ms (real) from now */
    PACING_FULL, /* no slot; ask again after a call has ended */
    PACING_HELD, /* the trunk's breaker is open: retry_ms from now one call may try it */
    PACING_AWAY, /* Redis is away or being rebuilt: no calls */
};
typedef void(pacing_done_fn)(enum pacing_result result, int64_t retry_ms, void *arg);

/* Called when the slots must be rebuilt; the owner reads attempt_count_open or the open
 * attempts and answers with pacing_rebuilt. */
typedef void(pacing_rebuild_fn)(void *arg);

NODISCARD int pacing_new(struct pacing **out, uv_loop_t *loop, const char *redis_url,
                         const char *installation, pacing_rebuild_fn *rebuild, void *arg,
                         struct errtext *e);
void pacing_close(struct pacing *p);
bool pacing_is_ready(const struct pacing *p);
/* done is called later, never from inside. */
void pacing_take(struct pacing *p, const struct pacing_ask *ask, pacing_done_fn *done,
                 void *arg);
/* The call is over (or was never sent): its slots are free again. Idempotent. */
void pacing_give(struct pacing *p, const struct uuid *attempt);

/* How a trunk took a call. Congestion (SIP 503 and 429, Q.850 34 and 42) halves its rate,
 * at most once in two seconds; it climbs back by the whole rate in a minute. Ten refusals
 * without a call between them open its breaker for 30 s, doubled each time up to ten
 * minutes; then one call at a time tries it. Shared by all dialers, real time. */
enum pacing_word {
    PACING_TOOK_CALL,
    PACING_CONGESTED,
    PACING_REFUSED, /* failed, or it does not know us */
};
void pacing_told(struct pacing *p, int64_t trunk_id, enum pacing_word word);
/* Its breaker is open, as last heard of, and lets nobody try it yet. */
bool pacing_holds(const struct pacing *p, int64_t trunk_id);
/* Of the trunk's rate as last heard of, 2 to 100. */
int pacing_percent(const struct pacing *p, int64_t trunk_id);

/* Frees slots that are older than age_ms and of none of the open attempts, which must
 * have been read so long ago at most: those of a process that died between the end of a
 * call and its give. */
void pacing_reclaim(struct pacing *p, const struct uuid *open, size_t n, int64_t age_ms);
/* Open attempts of every dialer, as Postgres has them. */
void pacing_rebuilt(struct pacing *p, const struct pacing_ask *open, size_t n);

#endif
