#include "campaigns/settle.h"

#include <stddef.h>

bool settle_needs_rules(const struct settle_facts *f)
{
    return f->state != ATTEMPT_WITHDRAWN && !f->opted_out && f->callback_ms <= 0;
}

void settle_contact(const struct settle_facts *f, const struct retry_rules *rules,
                    struct settlement *out)
{
    const char *name = disposition_name(f->disposition);
    int64_t delay_s = 0;

    if (f->state == ATTEMPT_WITHDRAWN) {
        *out =
            (struct settlement){.next_ms = f->ended_ms, .final = "", .disposition = ""};
        return;
    }
    *out = (struct settlement){.counted = 1, .final = "", .disposition = name};
    if (f->opted_out) {
        out->final = "opted_out";
    } else if (f->callback_ms > 0) {
        out->next_ms = f->callback_ms;
        out->callback = true;
    } else if (retry_next(rules, f->disposition, f->attempt_number, &delay_s) ==
               RETRY_AGAIN) {
        out->next_ms = f->ended_ms + delay_s * 1000;
    } else {
        out->final = name;
    }
}
