/*
 * check_json - the stored inputs of a verdict, as JSON: which keys there are (written by
 * check_json_write.c, read by check_json.c and check_json_facts.c). Internal to
 * compliance/.
 */
#ifndef COMPLIANCE_CHECK_JSON_H
#define COMPLIANCE_CHECK_JSON_H

#include "compliance/check.h"

/* A key that stands for one member of the facts. A rare one is left out while it says
 * nothing; the others are always there. */
struct inputs_key {
    const char *name;
    enum { INPUTS_I64, INPUTS_INT, INPUTS_BOOL, INPUTS_TEXT } kind;
    size_t offset, size;
    int max; /* INPUTS_INT: 0 to max */
    bool rare;
};

/* Sorted by name; *n: how many. */
const struct inputs_key *inputs_keys(size_t *n);

enum { INPUTS_VERSION = 2 };

enum {
    INPUTS_CALL_OPEN = 1,
    INPUTS_CALL_OTHER_NUMBER = 2,
    INPUTS_CALL_OTHER_DEBT = 4,
    INPUTS_CALL_OTHER_SUBJECT = 8,
    INPUTS_CALL_SAID_NO = 16,
};

/* Arrays that facts_more_from_json allocates; their texts are the JSON's. */
struct facts_more {
    struct compliance_list *lists;
    struct compliance_wash *washes;
    struct compliance_abandon *abandon;
    struct compliance_registration *registrations;
    struct compliance_block *blocks;
};

/* EBADMSG: not of that form. The JSON must outlive the facts. */
NODISCARD int facts_more_from_json(struct compliance_facts *f, struct facts_more *more,
                                   const json_t *json);
void facts_more_free(struct facts_more *more);

#endif
