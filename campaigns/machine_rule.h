/*
 * machine_rule - what a campaign does when a machine answers. Pure.
 */
#ifndef CAMPAIGNS_MACHINE_RULE_H
#define CAMPAIGNS_MACHINE_RULE_H

#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct doc_reader;

enum machine_action {
    MACHINE_NOT_ASKED, /* every answer is a person's */
    MACHINE_HANG_UP,
    MACHINE_MESSAGE, /* another flow speaks after its beep */
    MACHINE_AS_HUMAN /* only told apart, for reports */
};

/* "machine" of a campaign's document. */
struct machine_rule {
    enum machine_action action;
    char flow[128];  /* of MACHINE_MESSAGE: "voicemail" or "voicemail@3" */
    int greeting_ms; /* who speaks so long without a pause is a machine */
    int pause_ms;    /* a pause so long after a shorter word is a person's */
    int total_ms;    /* then it is left open, and taken for a person */
    int beep_wait_s; /* how long a machine's greeting is waited for */
};

void machine_rule_default(struct machine_rule *out);
/* The document's part, what is wrong with it as issues. */
void machine_rule_read(struct doc_reader *r, json_t *value, const char *pointer,
                       struct machine_rule *out);

#endif
