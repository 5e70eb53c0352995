/*
 * list - what a do-not-call list or a wash said of a number. Values; pure.
 */
#ifndef COMPLIANCE_LIST_H
#define COMPLIANCE_LIST_H

#include <stdbool.h>
#include <stdint.h>

enum { LIST_NAME_MAX = 48 };

enum list_state { LIST_CLEAR, LIST_HIT, LIST_MISSING, LIST_STALE, LIST_CORRUPT };

/* name: "us.ftc", "ca.dncl", "gb.tps" national; "us-fl.dnc" of a state; "seller.…",
 * "litigator.…", "protected.…"; "tenant.internal" the tenant's own. */
struct compliance_list {
    const char *name;
    enum list_state state;
    int64_t obtained_at_ms; /* 0 not known, and so never stale */
    uint64_t generation;
};

/* An answer of a service that is sent numbers. */
struct compliance_wash {
    const char *name;
    bool hit;
    int64_t checked_at_ms, expires_at_ms;
};

#endif
