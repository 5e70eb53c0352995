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
    API_KEY_MAX = 64, /* "fk_" and 43 letters, with its NUL */
    API_KEY_NAME_MAX = 64,
};

/* "opt_outs": POST /v1/opt-outs. "sms": POST /v1/sms/inbound. */
bool api_key_scope_is_known(const char *scope);
bool api_key_name_is_sound(const char *name);

/* EEXIST: a key of that name works already. scopes: known ones. */
NODISCARD int api_key_create(struct pg *pg, int tenant_id, const char *name,
                             const char *const *scopes, size_t scope_count,
                             const char *by_user, int64_t now_ms,
                             char secret[API_KEY_MAX]);
/* ENOENT: no such key works. */
NODISCARD int api_key_revoke(struct pg *pg, int tenant_id, const char *name,
                             int64_t now_ms);
/* [{"name","scopes","by","created_ms","revoked_ms"}], the newest first; *out is the
 * caller's. */
NODISCARD int api_key_list(struct pg *pg, int tenant_id, json_t **out);

/* Whose key it is. ENOENT: nobody's, or it was revoked; EACCES: it lacks the scope. */
NODISCARD int api_key_find(struct pg *pg, const char *secret, const char *scope,
                           int *tenant_id, char name[API_KEY_NAME_MAX]);

#endif
