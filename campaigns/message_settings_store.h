/*
 * message_settings_store - how a tenant's messages leave, and what they came to today.
 * In the caller's transaction of that tenant, or in one of their own. Errors are pg.h's,
 * and as stated.
 */
#ifndef CAMPAIGNS_MESSAGE_SETTINGS_STORE_H
#define CAMPAIGNS_MESSAGE_SETTINGS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

struct message_settings {
    int64_t account_id;
    char account[64];     /* its name */
    char sender[64];      /* number, short code or name; "": the account's own */
    int64_t daily_cap;    /* messages in a day of the zone; 0: none */
    char zone[64];        /* whose midnight ends the day */
    bool transliterate;   /* GSM-7 look-alikes where they make a message cheaper */
    int64_t price_micros; /* of a segment, until a provider says another */
    char currency[8];     /* "" without a price */
    char service[64]; /* who we are, in what people read; "": the worker's sms_service,
                        and in answers the tenant's name */
};

/* ENOENT: none are set; messages go as the worker is configured. */
NODISCARD int message_settings_load(struct pg *pg, int tenant_id,
                                    struct message_settings *out);
/* The account by its name. EINVAL, ENOENT with a text: a value that cannot work, no such
 * account. */
NODISCARD int message_settings_save(struct pg *pg, int tenant_id,
                                    struct message_settings *s, int64_t now_ms,
                                    struct errtext *e);
/* ENOENT: none were set. */
NODISCARD int message_settings_remove(struct pg *pg, int tenant_id);

/* Of the day that now_ms lies in: {day, zone, until_ms, cap, counted, waiting, segments,
 * states: {queued: n, …}, costs: [{currency, micros}]}. Messages that wait are of any
 * day of the last month. json_decref(). */
NODISCARD int message_status(struct pg *pg, int tenant_id, int64_t now_ms, json_t **out);
/* Newest first: [{id, phone, kind, language, state, segments, encoding, error, …}];
 * state NULL: all. json_decref(). */
NODISCARD int message_list(struct pg *pg, int tenant_id, const char *state, int64_t limit,
                           json_t **out);

#endif
