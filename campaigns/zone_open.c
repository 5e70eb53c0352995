#include "campaigns/zone_open.h"

#include <string.h>

#include "base/xalloc.h"
#include "contacts/zones.h"

bool zone_is_open(const struct policy *policy, const char *region,
                  const char *const *zones, size_t zone_count,
                  const struct compliance_holiday *holidays, size_t holiday_count,
                  int64_t now_ms, int64_t *until_ms)
{
    *until_ms = 0;
    return !policy_has_region(policy, region) ||
           compliance_is_open(policy, region, zones, zone_count, holidays, holiday_count,
                              now_ms, until_ms);
}

bool zone_list_is_open(const struct policy *policy, const char *region, const char *list,
                       const struct compliance_holiday *holidays, size_t holiday_count,
                       int64_t now_ms, int64_t *until_ms)
{
    CLEANUP(free_cleanup) char *text = xstrdup(list);
    const char *zones[ZONES_MAX];
    size_t n = 0;

    for (char *at = text; *at && n < ZONES_MAX; n++) {
        zones[n] = at;
        at += strcspn(at, ",");
        if (*at)
            *at++ = '\0';
    }
    return zone_is_open(policy, region, zones, n, holidays, holiday_count, now_ms,
                        until_ms);
}
