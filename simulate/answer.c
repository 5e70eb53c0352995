#include "simulate/answer.h"

/* Its news, in order. */
enum { SPEAKS, SILENT, BEEPS, NEWS };

struct listening {
    const struct machine_rule *rule;
    struct machine_ear ear;
    int64_t at_ms[NEWS]; /* INT64_MAX: never */
    int next;            /* of NEWS */
    int64_t now_ms;
};

/* Time goes on to again_ms, or to the next news if they come first. */
static void go_on(struct listening *l, int64_t again_ms)
{
    int64_t news_ms = l->next < NEWS ? l->at_ms[l->next] : INT64_MAX;

    if (news_ms > again_ms) {
        l->now_ms = again_ms;
        return;
    }
    l->now_ms = news_ms;
    if (l->next == BEEPS)
        machine_beep(&l->ear, news_ms);
    else
        machine_talk(&l->ear, l->next == SPEAKS, news_ms);
    l->next++;
}

void answer_listen(const struct machine_rule *rule, const struct network_voice *voice,
                   int64_t answered_ms, int64_t leaves_ms, struct answer *out)
{
    struct listening l = {.rule = rule,
                          .at_ms = {voice->speaks_ms, voice->silent_ms, voice->beeps_ms},
                          .now_ms = answered_ms};
    int64_t again_ms = answered_ms;

    *out = (struct answer){.verdict = MACHINE_OPEN};
    machine_answered(&l.ear, answered_ms);
    while (l.now_ms < leaves_ms &&
           (out->verdict = machine_judge(&l.ear, rule, l.now_ms, &again_ms)) ==
               MACHINE_OPEN)
        go_on(&l, again_ms);
    out->heard_ms = l.now_ms;
    bool machine = out->verdict == MACHINE_MACHINE && rule->action != MACHINE_AS_HUMAN;
    out->flow = l.now_ms < leaves_ms && (!machine || rule->action == MACHINE_MESSAGE);
    out->message = machine && out->flow;
    while (out->message && l.now_ms < leaves_ms &&
           !machine_records(&l.ear, rule, l.now_ms, &again_ms))
        go_on(&l, again_ms);
    if (l.now_ms >= leaves_ms) {
        out->flow = out->message = false;
        l.now_ms = leaves_ms;
    }
    out->at_ms = l.now_ms;
}
