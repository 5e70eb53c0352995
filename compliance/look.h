/*
 * look - one run of the gate over one call: what check.c and its parts share. Every rule
 * that is asked says its answer through look_answer(), which fills the verdict and, when
 * somebody wants to know why, the trace. Internal to compliance/.
 */
#ifndef COMPLIANCE_LOOK_H
#define COMPLIANCE_LOOK_H

#include <jansson.h>

#include "compliance/check.h"
#include "compliance/pack.h"
#include "compliance/windows.h"

enum { LOOK_ROWS_MAX = 512 };

#define SECOND_MS ((int64_t)1000)
#define DAY_MS    (86400 * SECOND_MS)

struct look {
    const struct policy *p;
    const struct compliance_facts *f;
    int64_t now_ms;
    struct verdict *v;
    json_t *trace; /* NULL: nobody asks */
    const struct pack *packs[COMPLIANCE_PACKS_MAX];
    size_t pack_count;
    bool uncovered; /* a country without a pack */
    struct windows windows;
    bool zoned;
    /* Found on the way: the first instant from now on that is inside every window for
     * longer than the guard; 0: not looked for, or none soon. */
    int64_t opens_ms;
};

/* The answer of a rule: ALLOW or why not. row NULL: the policy's or the platform's own.
 */
void look_answer(struct look *l, const char *rule, const struct pack *pack,
                 const struct pack_row *row, enum reason reason);
/* Does the row hold for this purpose, voice and (in any zone) date? */
bool look_row_holds(const struct look *l, const struct pack_row *row);
/* Mobile, or not known to be anything else. */
bool look_is_mobile(const struct look *l);

void look_at_suppression(struct look *l); /* check_lists.c */
void look_at_consent(struct look *l);     /* check_consent.c */
void look_at_hours(struct look *l);       /* check_hours.c */
void look_at_history(struct look *l);     /* check_history.c */
/* The first instant from which history rules hold; INT64_MAX never. */
int64_t look_history_ends_ms(const struct look *l);

#endif
