/*
 * caller_store - the people who may call or write: their registration, its approval, and
 * who a telephone number is.
 *
 * Each is one transaction on the given connection, or part of the caller's own of that
 * tenant. Errors are pg.h's, and as stated.
 */
#ifndef BATCHES_CALLER_STORE_H
#define BATCHES_CALLER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct pg;

enum caller_role {
    ROLE_FARMER,
    ROLE_COOPERATIVE_MANAGER,
    ROLE_EXPORTER,
    ROLE_BUYER,
    ROLE_ADMIN,
};
enum { CALLER_ROLES = 5, CALLER_NAME_MAX = 160, CALLER_TEXT_MAX = 512 };

const char *caller_role_name(enum caller_role role); /* "COOPERATIVE_MANAGER" */
/* In any case, "-" and " " as "_". */
NODISCARD bool caller_role_parse(const char *name, enum caller_role *out);
/* Whether they may say what a batch really weighs. */
bool caller_role_verifies(enum caller_role role);

struct caller {
    int64_t id, phone;
    bool registered, approved; /* approved only when registered */
    enum caller_role role;
    char name[CALLER_NAME_MAX], organization[CALLER_NAME_MAX];
    char language[3]; /* en, am, om; "" not known */
};

/* 0 also for who is unknown: *out then says registered false. phone 0 (withheld) is
 * nobody. */
NODISCARD int caller_find(struct pg *pg, int tenant_id, int64_t phone,
                          struct caller *out);
/* By the id they write under: their telegram id, or their phone number with its +. */
NODISCARD int caller_find_user(struct pg *pg, int tenant_id, const char *user,
                               struct caller *out);

struct caller_new {
    int64_t phone;
    const char *name;
    enum caller_role role;
    const char *organization, *location, *language, *reason,
        *telegram_user_id; /* "" none */
};
/* Waits for approval. EEXIST: that number, or that telegram id, is registered already;
 * who was rejected may ask again. EINVAL: no name, number or language of ours. */
NODISCARD int caller_register(struct pg *pg, int tenant_id, const struct caller_new *n,
                              int64_t now_ms, int64_t *id);
struct caller_decision {
    bool approve, tell;    /* tell: who is let in now hears of it by SMS */
    const char *by, *note; /* who decides; why not, "" for an approval */
    int64_t at_ms;
};
/* ENOENT: no such registration; EALREADY: it was decided so before. */
NODISCARD int caller_decide(struct pg *pg, int tenant_id, int64_t id,
                            const struct caller_decision *d);
/* [{"id","phone","name","role","organization","location","language","state","reason",
 * "reviewed_by","reviewed_ms","review_note","created_ms"}], the oldest first; state NULL:
 * of any. *out is the caller's. */
NODISCARD int caller_list(struct pg *pg, int tenant_id, const char *state, json_t **out);

#endif
