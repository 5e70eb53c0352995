#include "campaigns/settle.h"

bool settle_needs_rules(const struct settle_facts *f)
{
    return f->state != ATTEMPT_WITHDRAWN && !f->opted_out && f->callback_ms <= 0;
}

void settle_contact(const struct settle_facts *f, const struct retry_rules *rules,
                    struct settlement *out)
{
    const char *name = disposition_name(f->disposition);
    struct retry_plan plan;

    if (f->state == ATTEMPT_WITHDRAWN) {
        /* The clock may have been set back since it was due. */
        *out = (struct settlement){.next_ms =
                                       f->ended_ms > f->due_ms ? f->ended_ms : f->due_ms,
                                   .final = "",
                                   .disposition = ""};
        return;
    }
    *out = (struct settlement){.counted = 1, .final = "", .disposition = name};
    if (f->opted_out) {
        out->final = "opted_out";
    } else if (f->callback_ms > 0) {
        out->next_ms = f->callback_ms;
        out->callback = true;
    } else {
        retry_plan(rules,
                   &(struct retry_ended){.how = f->disposition,
                                         .attempt_number = f->attempt_number,
                                         .at_ms = f->ended_ms,
                                         .seed = f->seed,
                                         .answers_ms = f->answers_ms,
                                         .answer_count = f->answer_count,
                                         .zone = f->zone},
                   &plan);
        if (plan.outcome == RETRY_FINAL) {
            out->final = name;
            return;
        }
        out->next_ms = plan.at_ms;
        out->shift = plan.shift;
    }
}
