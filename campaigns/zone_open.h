/*
 * zone_open - may contacts of a zone group be looked at now? One answer for the hopper,
 * the forecast and what people are shown. Pure.
 */
#ifndef CAMPAIGNS_ZONE_OPEN_H
#define CAMPAIGNS_ZONE_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "compliance/check.h"

/* Is its window open? A region that the campaign never calls waits for no hour: it is
 * open, so that the gate ends its contacts. *until_ms: when that changes, 0 not within
 * sixty days. */
bool zone_is_open(const struct policy *policy, const char *region,
                  const char *const *zones, size_t zone_count,
                  const struct compliance_holiday *holidays, size_t holiday_count,
                  int64_t now_ms, int64_t *until_ms);
/* The same of comma-separated names. */
bool zone_list_is_open(const struct policy *policy, const char *region, const char *list,
                       const struct compliance_holiday *holidays, size_t holiday_count,
                       int64_t now_ms, int64_t *until_ms);

#endif
