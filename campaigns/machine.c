#include "campaigns/machine.h"

enum {
    QUIET_AFTER_BEEP_MS = 200,
    QUIET_WITHOUT_BEEP_MS = 1500, /* a switch that hears no beep */
};

const char *machine_verdict_name(enum machine_verdict v)
{
    static const char *const names[] = {"", "human", "machine", "unsure"};

    return names[v];
}

void machine_answered(struct machine_ear *ear, int64_t now_ms)
{
    *ear = (struct machine_ear){.answered_ms = now_ms, .silent_since_ms = now_ms};
}

void machine_talk(struct machine_ear *ear, bool talking, int64_t at_ms)
{
    if (talking && !ear->talks_since_ms) {
        ear->talks_since_ms = at_ms;
        ear->has_talked = true;
    } else if (!talking && ear->talks_since_ms) {
        ear->talks_since_ms = 0;
        ear->silent_since_ms = at_ms;
    }
}

void machine_beep(struct machine_ear *ear, int64_t at_ms)
{
    ear->beeped = true;
    ear->beeped_ms = at_ms;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum machine_verdict machine_judge(const struct machine_ear *ear,
                                   const struct machine_rule *rule, int64_t now_ms,
                                   int64_t *again_ms)
{
    int64_t end_ms = ear->answered_ms + rule->total_ms, turn_ms = end_ms;

    if (ear->beeped)
        return MACHINE_MACHINE;
    if (ear->talks_since_ms) {
        turn_ms = ear->talks_since_ms + rule->greeting_ms;
        if (now_ms >= turn_ms)
            return MACHINE_MACHINE;
    } else if (ear->has_talked) {
        turn_ms = ear->silent_since_ms + rule->pause_ms;
        if (now_ms >= turn_ms)
            return MACHINE_HUMAN;
    }
    if (now_ms >= end_ms)
        return MACHINE_UNSURE;
    *again_ms = sooner(turn_ms, end_ms);
    return MACHINE_OPEN;
}

bool machine_records(const struct machine_ear *ear, const struct machine_rule *rule,
                     int64_t now_ms, int64_t *again_ms)
{
    int64_t end_ms = ear->answered_ms + (int64_t)rule->beep_wait_s * 1000;
    int64_t turn_ms = end_ms;

    if (ear->beeped)
        turn_ms = ear->beeped_ms + QUIET_AFTER_BEEP_MS;
    else if (!ear->talks_since_ms)
        turn_ms = ear->silent_since_ms + QUIET_WITHOUT_BEEP_MS;
    turn_ms = sooner(turn_ms, end_ms);
    *again_ms = turn_ms;
    return now_ms >= turn_ms;
}
