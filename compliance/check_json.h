/*
 * check_json - the rarer facts as JSON: what check_json.c and the rule cases share. What
 * is not known is left out. Internal to compliance/.
 */
#ifndef COMPLIANCE_CHECK_JSON_H
#define COMPLIANCE_CHECK_JSON_H

#include "compliance/check.h"

/* Arrays that facts_more_from_json allocates; their texts are the JSON's. */
struct facts_more {
    struct compliance_list *lists;
    struct compliance_wash *washes;
    struct compliance_abandon *abandon;
    struct compliance_registration *registrations;
    struct compliance_block *blocks;
};

void facts_more_to_json(const struct compliance_facts *f, json_t *json);
/* EBADMSG: not of that form. The JSON must outlive the facts. */
NODISCARD int facts_more_from_json(struct compliance_facts *f, struct facts_more *more,
                                   const json_t *json);
void facts_more_free(struct facts_more *more);

#endif
