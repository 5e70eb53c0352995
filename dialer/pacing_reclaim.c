/*
 * Slots that nobody gave back: a process died between the end of a call in the ledger and
 * its give. They are freed by what the ledger says, never by counting.
 */
#include "dialer/pacing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "dialer/pacing_inside.h"

static void on_reclaimed(struct pacing *p, struct op *op, redisReply *reply)
{
    free(op);
    if (pacing_is_good(p, reply) && reply->type == REDIS_REPLY_INTEGER &&
        reply->integer > 0)
        log_warn("pacing", "state=reclaimed slots=%lld of attempts that were over",
                 reply->integer);
}

void pacing_reclaim(struct pacing *p, const struct uuid *open, size_t n, int64_t age_ms)
{
    enum { FIXED = 8, KEYS = 3 };
    static const char *const names[KEYS] = {"boot", "index", "held"};
    char keys[KEYS][KEY_MAX], age[24];

    if (p->state != READY || !p->ac)
        return;
    const char **argv = xcalloc(FIXED + n, sizeof(*argv));
    char(*ids)[UUID_TEXT_MAX] = xcalloc(n + 1, sizeof(*ids));
    struct op *op = xcalloc(1, sizeof(*op));
    for (int i = 0; i < KEYS; i++)
        snprintf(keys[i], KEY_MAX, "%s%s", p->prefix, names[i]);
    snprintf(age, sizeof(age), "%" PRId64, age_ms);
    const char *fixed[FIXED] = {"EVALSHA", p->sha[RECLAIM], "3",       keys[0],
                                keys[1],   keys[2],         p->run_id, age};
    memcpy(argv, fixed, sizeof(fixed));
    for (size_t i = 0; i < n; i++)
        argv[FIXED + i] = uuid_text(&open[i], ids[i]);
    op->answer = on_reclaimed;
    if (!pacing_send(p, op, (int)(FIXED + n), argv))
        free(op);
    free(ids);
    free(argv);
}
