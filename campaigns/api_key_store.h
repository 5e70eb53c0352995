/*
 * api_key_store - keys with which programs ask furrow-server over HTTP. A key belongs to
 * one tenant and may do what its scopes say. It is shown once, when it is made; only its
 * sha256 is kept: 32 random bytes need no slower hash.
 *
 * Each function is one transaction on the given connection. Errors are pg.h's.
 */
#ifndef CAMPAIGNS_API_KEY_STORE_H
#define CAMPAIGNS_API_KEY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct pg;

enum {
    API_KEY_MAX = 200, /* ours: "fk_" and 43 letters */
    API_KEY_MIN = 8,   /* of one that another system gave out */
    API_KEY_NAME_MAX = 64,
    API_KEY_PER_MINUTE_MAX = 1000000,
};

/* "opt_outs": POST /v1/opt-outs. "sms": POST /v1/sms/inbound. "voice": the voice API.
 * "admin": registrations of callers. */
bool api_key_scope_is_known(const char *scope);
bool api_key_name_is_sound(const char *name);

struct api_key_new {
    const char *name;
    const char *const *scopes; /* known ones */
    size_t scope_count;
    int per_minute;      /* how often it may ask; 0: as often as it likes */
    const char *given;   /* the secret that its user has already; NULL: a new one */
    const char *by_user; /* who makes it */
};

/* EEXIST: a key of that name works already, or the given secret was used before. */
NODISCARD int api_key_create(struct pg *pg, int tenant_id, const struct api_key_new *k,
                             int64_t now_ms, char secret[API_KEY_MAX]);
/* per_minute 0: no limit. ENOENT: no such key works. */
NODISCARD int api_key_limit(struct pg *pg, int tenant_id, const char *name,
                            int per_minute);
/* ENOENT: no such key works. */
NODISCARD int api_key_revoke(struct pg *pg, int tenant_id, const char *name,
                             int64_t now_ms);
/* [{"name","scopes","per_minute","by","created_ms","revoked_ms"}], the newest first; *out
 * is the caller's. */
NODISCARD int api_key_list(struct pg *pg, int tenant_id, json_t **out);

/* Whose key it is, and that it asks now. ENOENT: nobody's, or it was revoked; EACCES: it
 * lacks the scope; EBUSY: it asks more often than it may, *wait_s from now it may again.
 */
NODISCARD int api_key_find(struct pg *pg, const char *secret, const char *scope,
                           int *tenant_id, char name[API_KEY_NAME_MAX], int *wait_s);
/* Whether a key was ever made, whoever's. */
NODISCARD int api_key_exists(struct pg *pg, bool *out);

#endif
