/*
 * machine - person or answering machine, from when the other side speaks and when it is
 * silent. Pure: times are arguments, in ms of one clock.
 *
 * A person says a short word and waits; a machine speaks on. Who says nothing at all is
 * not told apart. After a machine's greeting comes its beep, or at least a pause.
 */
#ifndef CAMPAIGNS_MACHINE_H
#define CAMPAIGNS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/machine_rule.h"

enum machine_verdict { MACHINE_OPEN, MACHINE_HUMAN, MACHINE_MACHINE, MACHINE_UNSURE };

const char *machine_verdict_name(enum machine_verdict v); /* "" while open */

struct machine_ear {
    int64_t answered_ms;
    int64_t talks_since_ms; /* 0: silent */
    int64_t silent_since_ms;
    bool has_talked, beeped;
    int64_t beeped_ms;
};

void machine_answered(struct machine_ear *ear, int64_t now_ms);
void machine_talk(struct machine_ear *ear, bool talking, int64_t at_ms);
void machine_beep(struct machine_ear *ear, int64_t at_ms);

/* *again_ms: while open, when it is worth asking again without news. */
enum machine_verdict machine_judge(const struct machine_ear *ear,
                                   const struct machine_rule *rule, int64_t now_ms,
                                   int64_t *again_ms);
/* Is its greeting over, and does it record? */
bool machine_records(const struct machine_ear *ear, const struct machine_rule *rule,
                     int64_t now_ms, int64_t *again_ms);

#endif
