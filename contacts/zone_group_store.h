/*
 * zone_group_store - the row that stands for a region and the zones a number of it
 * may lie in; what the hopper opens and closes as one. A set that says nothing about
 * the hour, in summer or in winter, is kept as no zones: unknown.
 */
#ifndef CONTACTS_ZONE_GROUP_STORE_H
#define CONTACTS_ZONE_GROUP_STORE_H

#include <stdint.h>

#include "base/attrs.h"
#include "contacts/zones.h"

struct pg;

/* Finds the group or makes it; in the caller's transaction when one is open. Errors
 * as base/pg.h. */
NODISCARD int zone_group_id(struct pg *pg, int tenant_id, const char *region,
                            const struct zone_set *zones, int64_t now_ms, int64_t *id);

#endif
