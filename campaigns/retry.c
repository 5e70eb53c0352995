#include "campaigns/retry.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

/* A person who declined, a number that does not exist and a call that was
 * answered are final; the rest comes back later and later. */
#define RULE(attempts, delay, times, longest)                                            \
    {                                                                                    \
        .max_attempts = (attempts), .delay_s = (delay), .backoff = (times),              \
        .max_delay_s = (longest)                                                         \
    }

static const struct retry_rules defaults = {
    .max_attempts = 5,
    .by = {
        [DISPOSITION_COMPLETED] = RULE(1, DAY_S, 1, DAY_S),
        [DISPOSITION_BUSY] = RULE(4, 5 * MINUTE_S, 3, 4 * HOUR_S),
        [DISPOSITION_NO_ANSWER] = RULE(4, HOUR_S, 3, DAY_S),
        [DISPOSITION_REJECTED] = RULE(1, DAY_S, 1, DAY_S),
        [DISPOSITION_UNREACHABLE] = RULE(3, HOUR_S, 4, DAY_S),
        [DISPOSITION_BAD_NUMBER] = RULE(1, DAY_S, 1, DAY_S),
        [DISPOSITION_CONGESTION] = RULE(5, MINUTE_S, 4, 2 * HOUR_S),
        [DISPOSITION_CONFIG] = RULE(5, 10 * MINUTE_S, 4, 4 * HOUR_S),
        [DISPOSITION_CANCELED] = RULE(4, 10 * MINUTE_S, 3, 4 * HOUR_S),
        [DISPOSITION_FAILED] = RULE(3, 10 * MINUTE_S, 4, 4 * HOUR_S),
        [DISPOSITION_UNKNOWN] = RULE(3, HOUR_S, 4, DAY_S),
        [DISPOSITION_MACHINE] = RULE(3, 4 * HOUR_S, 3, DAY_S),
        [DISPOSITION_MESSAGE] = RULE(1, DAY_S, 1, DAY_S),
    }};

void retry_rules_default(struct retry_rules *out)
{
    *out = defaults;
}

enum retry_outcome retry_next(const struct retry_rules *rules, enum disposition d,
                              int attempt_number, int64_t *delay_s)
{
    const struct retry_rule *rule = &rules->by[d];

    if (attempt_number >= rules->max_attempts || attempt_number >= rule->max_attempts)
        return RETRY_FINAL;
    double delay = (double)rule->delay_s;
    /* The cap ends the loop early, so that it is no power that overflows. */
    for (int i = 1; i < attempt_number && delay < (double)rule->max_delay_s; i++)
        delay *= rule->backoff > 1 ? rule->backoff : 1;
    if (delay > (double)rule->max_delay_s)
        delay = (double)rule->max_delay_s;
    *delay_s = (int64_t)delay;
    return RETRY_AGAIN;
}
