#include "campaigns/machine_rule.h"

#include "base/str.h"
#include "campaigns/doc_reader.h"

void machine_rule_default(struct machine_rule *out)
{
    *out = (struct machine_rule){
        .greeting_ms = 1800, .pause_ms = 700, .total_ms = 4000, .beep_wait_s = 30};
}

static void check_flow(struct doc_reader *r, const char *pointer,
                       const struct machine_rule *rule)
{
    char at[DOC_POINTER_MAX];

    str_cut(at, sizeof(at), pointer);
    if (rule->action == MACHINE_MESSAGE && !rule->flow[0]) {
        doc_issue(r, at, JSON_PLACE_VALUE,
                  "e.g. {\"action\": \"message\", \"flow\": "
                  "\"voicemail\"}",
                  "a message needs the 'flow' that speaks it");
    } else if (rule->action != MACHINE_MESSAGE && rule->flow[0]) {
        json_pointer_add(at, sizeof(at), "flow");
        doc_issue(r, at, JSON_PLACE_KEY, "leave it out, or use \"action\": \"message\"",
                  "only a message has a 'flow'");
    }
}

void machine_rule_read(struct doc_reader *r, json_t *value, const char *pointer,
                       struct machine_rule *out)
{
    static const char *const words[] = {"hang_up", "message", "human", NULL};
#define IN(member) .offset = offsetof(struct read, rule.member)
    struct read {
        struct machine_rule rule;
        int action;
    } read = {.rule = *out};
    const struct doc_field fields[] = {
        {.key = "action",
         .kind = DOC_CHOICE,
         .offset = offsetof(struct read, action),
         .required = true,
         .words = words,
         .hint = "hang_up, message (of 'flow', after the beep), or human: as a person"},
        {.key = "flow",
         .kind = DOC_TEXT,
         IN(flow),
         .size = sizeof(out->flow),
         .hint = "the published flow that leaves the message"},
        {.key = "greeting_ms",
         .kind = DOC_INT,
         IN(greeting_ms),
         .min = 500,
         .max = 10000,
         .hint = "who speaks so long without a pause is a machine"},
        {.key = "pause_ms",
         .kind = DOC_INT,
         IN(pause_ms),
         .min = 200,
         .max = 2000,
         .hint = "a pause so long after a short word is a person's; with it the call "
                 "must speak within two seconds"},
        {.key = "total_ms",
         .kind = DOC_INT,
         IN(total_ms),
         .min = 1000,
         .max = 10000,
         .hint = "after that it is taken for a person"},
        {.key = "beep_wait_s",
         .kind = DOC_INT,
         IN(beep_wait_s),
         .min = 2,
         .max = 120,
         .hint = "how long the greeting of a machine is waited for"},
    };
#undef IN
    size_t before = r->issues->found;

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), &read);
    if (r->issues->found != before)
        return;
    read.rule.action = (enum machine_action)(read.action + MACHINE_HANG_UP);
    *out = read.rule;
    check_flow(r, pointer, out);
}
