/* trunk_store - trunks: over what calls go out, how many a second and at once. */
#ifndef CAMPAIGNS_TRUNK_STORE_H
#define CAMPAIGNS_TRUNK_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

struct trunk_row {
    int64_t id;
    int tenant_id;
    char name[128];
    char kind[16];      /* ari, simulated, twilio, plivo */
    char endpoint[256]; /* ARI: PJSIP/{number}@trunk */
    double cps;
    int max_channels;
    char settings[4096]; /* JSON object, kind's own */
    /* Of twilio and plivo: the account it goes through, which bounds all its trunks. */
    char account[64];
    int64_t account_id;
    double account_cps; /* read with the row */
};

/* id and tenant_id of *row are filled in. EEXIST: the name is taken. EINVAL with
 * a text: a kind, rate, endpoint, settings or account that cannot work; ENOENT: there is
 * no such account. */
NODISCARD int trunk_add(struct pg *pg, int tenant_id, struct trunk_row *row,
                        int64_t now_ms, struct errtext *e);
NODISCARD int trunk_find(struct pg *pg, int tenant_id, const char *name,
                         struct trunk_row *out, struct errtext *e);
NODISCARD int trunk_load(struct pg *pg, int tenant_id, int64_t id, struct trunk_row *out);
NODISCARD int trunk_list(struct pg *pg, int tenant_id,
                         struct trunk_row **out, /* free() */
                         size_t *n);
/* Rate, channels, endpoint and settings of the trunk of that name become those of *row;
 * dialers follow rate and channels from the next call on, the others when they open it
 * anew. EINVAL as trunk_add, ENOENT with a text. */
NODISCARD int trunk_set(struct pg *pg, int tenant_id, const struct trunk_row *row,
                        struct errtext *e);
/* EBUSY with a text: campaigns use it. */
NODISCARD int trunk_remove(struct pg *pg, int tenant_id, const char *name,
                           struct errtext *e);

#endif
