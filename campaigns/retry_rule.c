/* retry_rule - jitter, place in the hopper and best hour of a retry. See retry.h. */
#include "campaigns/retry.h"

#include "contacts/tz.h"

enum { HOURS = 24, DAYS_AHEAD = 3 };
static const int64_t day_ms = INT64_C(86400) * 1000;

static uint64_t mix(uint64_t h)
{
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

uint64_t retry_seed(int64_t campaign_id, int64_t contact_id, int attempt_number)
{
    uint64_t h = mix((uint64_t)campaign_id + UINT64_C(0x9e3779b97f4a7c15));

    h = mix(h ^ (uint64_t)contact_id);
    h = mix(h ^ (uint64_t)attempt_number);
    return h ? h : 1;
}

bool retry_wants_answers(const struct retry_rules *rules, enum disposition how)
{
    return rules->by[how].hour == RETRY_BEST_HOUR;
}

/* Evenly in [-share, share] of the delay, and never less than a second. */
static int64_t jittered_ms(const struct retry_rule *rule, int64_t delay_s, uint64_t seed)
{
    double delay_ms = (double)delay_s * 1000;

    if (seed && rule->jitter > 0) {
        double even = (double)(seed >> 11) / (double)(UINT64_C(1) << 53);
        delay_ms *= 1 + rule->jitter * (2 * even - 1);
    }
    return delay_ms < 1000 ? 1000 : (int64_t)delay_ms;
}

int retry_best_hour(const struct tz_zone *zone, const int64_t *answers_ms, size_t n)
{
    int count[HOURS] = {0}, best = -1;

    for (size_t i = 0; i < n; i++)
        count[tz_local_at(zone, answers_ms[i]).hour]++;
    for (size_t i = 0; i < n; i++) { /* newest first: it wins a tie */
        int hour = tz_local_at(zone, answers_ms[i]).hour;
        if (best < 0 || count[hour] > count[best])
            best = hour;
    }
    return best;
}

/* The first instant from at_ms on at which the wall clock shows that hour. A day whose
 * clock jumps over it is passed over. */
static int64_t at_hour(const struct tz_zone *zone, int hour, int64_t at_ms)
{
    struct tz_local local = tz_local_at(zone, at_ms);
    int64_t day = tz_day_number(local.year, local.month, local.day);

    if (local.hour == hour)
        return at_ms;
    for (int i = 0; i < DAYS_AHEAD; i++) {
        struct tz_local wanted = {.hour = hour};
        int64_t at[TZ_INSTANTS_MAX];

        tz_day_date(day + i, &wanted.year, &wanted.month, &wanted.day);
        size_t n = tz_instants(zone, &wanted, at);
        for (size_t k = 0; k < n; k++)
            if (at[k] >= at_ms)
                return at[k];
    }
    return at_ms + day_ms;
}

static int64_t in_best_hour(const struct retry_ended *ended, int64_t at_ms)
{
    size_t n =
        ended->answer_count < RETRY_ANSWERS_MAX ? ended->answer_count : RETRY_ANSWERS_MAX;

    if (!ended->zone || n == 0)
        return at_ms; /* nothing is known: the delay alone */
    return at_hour(ended->zone, retry_best_hour(ended->zone, ended->answers_ms, n),
                   at_ms);
}

void retry_plan(const struct retry_rules *rules, const struct retry_ended *ended,
                struct retry_plan *out)
{
    static const int shifts[] = {
        [RETRY_WHEN_DUE] = 0, [RETRY_FRONT] = RETRY_SHIFT, [RETRY_BACK] = -RETRY_SHIFT};
    const struct retry_rule *rule = &rules->by[ended->how];
    int64_t delay_s = 0;

    *out = (struct retry_plan){
        .outcome = retry_next(rules, ended->how, ended->attempt_number, &delay_s)};
    if (out->outcome == RETRY_FINAL)
        return;
    out->shift = shifts[rule->order];
    out->at_ms = ended->at_ms + jittered_ms(rule, delay_s, ended->seed);
    if (rule->hour == RETRY_BEST_HOUR)
        out->at_ms = in_best_hour(ended, out->at_ms);
}
