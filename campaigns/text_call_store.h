/*
 * text_call_store - calls of phones that are programs: pages and chats that send keys and
 * words over HTTP (rows of text_calls). In the caller's transaction of that tenant;
 * errors are pg.h's, and as stated.
 */
#ifndef CAMPAIGNS_TEXT_CALL_STORE_H
#define CAMPAIGNS_TEXT_CALL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/uuid.h"

struct pg;

enum { TEXT_CALL_ID_MAX = 128, TEXT_CALL_NUMBER_MAX = 64, TEXT_CALL_INPUTS_MAX = 1000 };

struct text_call_row {
    struct uuid call;
    int tenant_id;
    char public_id[TEXT_CALL_ID_MAX];
    char caller_number[TEXT_CALL_NUMBER_MAX];
    int64_t flow_revision_id;
    char flow_sha256[SHA256_TEXT_MAX];
    char language[16];
    char current_menu[48], input_buffer[80];
    json_t *menu_path, *inputs, *variables, *unheard; /* unheard may be NULL */
    int64_t due_at_ms;                                /* 0: silence is no matter */
    bool ended;
    /* Of ivr_sessions; NULL before the first step. */
    uint8_t *state;
    size_t state_len;
};
void text_call_row_free(struct text_call_row *r); /* for CLEANUP too */

/* EEXIST: that public id is taken; the transaction is not spoiled. */
NODISCARD int text_call_add(struct pg *pg, const struct text_call_row *r, int64_t now_ms);
/* Locks it until the transaction ends: its requests come one by one. ENOENT. */
NODISCARD int text_call_find(struct pg *pg, int tenant_id, const char *public_id,
                             struct text_call_row *out);
NODISCARD int text_call_write(struct pg *pg, const struct text_call_row *r,
                              int64_t now_ms);
/* Calls that number has begun since then; one transaction at a time may ask for a number,
 * so that what it adds counts for the next. */
NODISCARD int text_call_count_of(struct pg *pg, int tenant_id, const char *caller_number,
                                 int64_t since_ms, int64_t *out);
/* Public ids of calls whose silence has lasted too long, the longest first. */
NODISCARD int text_calls_due(struct pg *pg, int tenant_id, int64_t now_ms,
                             char (*out)[TEXT_CALL_ID_MAX], size_t max, size_t *n);
NODISCARD int text_calls_count(struct pg *pg, int tenant_id, int64_t *live,
                               int64_t *ended);

#endif
