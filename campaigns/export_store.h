/* export_store - contacts of a list, or of a campaign with how each stands there, to be
 * read by other programs. */
#ifndef CAMPAIGNS_EXPORT_STORE_H
#define CAMPAIGNS_EXPORT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

struct export_source {
    int64_t list_id, campaign_id; /* one of them; the other is 0 */
};

/* ENOENT names the lists there are. */
NODISCARD int export_find_list(struct pg *pg, int tenant_id, const char *name,
                               int64_t *list_id, struct errtext *e);
/* The names of all attributes, sorted: an array of texts. Reads every contact. */
NODISCARD int export_keys(struct pg *pg, int tenant_id, const struct export_source *from,
                          json_t **out);

/* {"phone", "region", "type", "person", "person_rank", "attrs": {…}} and, of a campaign,
 * "state", "attempts", "last_disposition", "final", "next_attempt_at" in ms. phone and
 * type are numbers, as they are stored. */
typedef int(export_fn)(const json_t *contact, void *arg);
/* In the order of their ids, a page of at most max after *after_id, which is moved on; *n
 * fewer than max: that was the last. A non-zero answer of each ends it. */
NODISCARD int export_page(struct pg *pg, int tenant_id, const struct export_source *from,
                          size_t max, int64_t *after_id, size_t *n, export_fn *each,
                          void *arg);

#endif
