/*
 * zones - the time zones a telephone number may lie in.
 *
 * A dated table (contacts/zones_generate.py), asked type first: a mobile number
 * of most countries may be anywhere in its country. Area codes of +1 answer with
 * every zone of their ground and of their overlays. It never picks one zone of
 * several: all of them must be open. Pure; any thread.
 */
#ifndef CONTACTS_ZONES_H
#define CONTACTS_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "contacts/phone.h"

enum {
    ZONES_MAX = 64,                     /* no set has more */
    ZONES_SPREAD_LIMIT_S = 6 * 60 * 60, /* farther apart means unknown */
};

struct zone_set {
    size_t n;                 /* 0: unknown */
    const char *const *names; /* sorted, each a zone of tzdata */
};

/* Never NULL; static. type as phone_parse gave it. */
const struct zone_set *zones_of(int64_t e164, enum phone_type type);

/* How many digits the country code of an E.164 number has: 1 to 3. */
int zones_country_digits(int64_t e164);

/* The state or province of a +1 number by its area code, "US-FL", "CA-ON"; "" for every
 * other number, for toll-free ones and area codes that span several. Never NULL; static.
 */
const char *zones_state_of(int64_t e164);

/* What the numbering data alone says of an area code ("850"), without overlay families
 * and corrections: for rule cases that state their own. Never NULL; static. */
const struct zone_set *zones_of_npa_raw(const char *npa);

/* True when these zones say nothing about the clock on the wall at at_ms: none,
 * one that tzdata does not know, or offsets more than six hours apart. */
bool zones_are_unknown(const char *const *names, size_t n, int64_t at_ms);

/* When the table was made; epoch ms of that day's midnight UTC. */
int64_t zones_date_ms(void);

#endif
