/*
 * volatile_envelope - a losable job as the text that lies in Redis:
 *
 *   {"v":1,"id":uuid,"tenant":1,"tries":0,"key":"…","payload":{…},"why":"…"}
 *
 * key and why may be missing. Pure; any thread.
 */
#ifndef WORKERS_VOLATILE_ENVELOPE_H
#define WORKERS_VOLATILE_ENVELOPE_H

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"

enum { VOLATILE_KEY_MAX = 128 };

struct volatile_envelope {
    struct uuid id;
    int tenant_id;
    int tries;       /* finished ones */
    const char *key; /* NULL: none; points into root */
    json_t *payload; /* an object; borrowed from root */
    json_t *root;    /* NULL for one that is to be written */
};

/* EBADMSG: no losable job. The caller's to volatile_envelope_clear(). */
NODISCARD int volatile_envelope_read(const char *text, struct volatile_envelope *out);
void volatile_envelope_clear(struct volatile_envelope *v);
/* The caller's to free(); why may be NULL. */
char *volatile_envelope_text(const struct volatile_envelope *v, const char *why);

#endif
