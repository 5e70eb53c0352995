/*
 * check - may this number be called now? One pure function decides, fails closed
 * and gives every reason. It runs when a contact is claimed, again at release
 * under the number's lock, and its window part once more at the send instant.
 *
 * Nothing here reads a clock, a database or a file: everything is an argument
 * (zone rules come from contacts/tz.h, which reads the system's tzdata).
 */
#ifndef COMPLIANCE_CHECK_H
#define COMPLIANCE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "compliance/policy.h"
#include "compliance/reason.h"
#include "contacts/phone.h"

struct compliance_call { /* an earlier attempt that counts (campaigns/attempt.h) */
    int64_t at_ms;       /* business time at which it was released */
    int64_t campaign_id;
    bool open; /* still alive */
};

struct compliance_holiday {
    char region[3]; /* "*" every region */
    int64_t day;    /* tz_day_number of the called party's local date */
};

/* All that is known of the number. Borrowed for the call. */
struct compliance_facts {
    int64_t phone;
    enum phone_type type;
    bool valid;
    char region[PHONE_REGION_MAX];
    const char *const *zones; /* every zone it may lie in; none: unknown */
    size_t zone_count;
    int64_t campaign_id;
    bool dnc_tenant, dnc_campaign;
    enum consent_level consent;          /* the best one given and not revoked */
    bool consent_revoked;                /* the newest word about it was a revocation */
    const struct compliance_call *calls; /* oldest first; without the attempt at hand */
    size_t call_count;
    const struct compliance_holiday *holidays;
    size_t holiday_count;
    bool history_known;    /* false: refuse */
    bool clock_trusted;    /* false: refuse */
    bool campaign_running; /* false: refuse */
    int64_t zones_date_ms; /* zones_date_ms(); older than 400 days: refuse */
};

enum { VERDICT_REASONS_MAX = 24 };

struct verdict {
    bool allow;
    enum reason reason; /* the primary one, ALLOW when allowed */
    size_t n;
    enum reason reasons[VERDICT_REASONS_MAX]; /* all, most severe first */
    /* The first instant at which all time rules hold together; 0 when some reason is
     * not a matter of time, or there is none within 60 days. */
    int64_t next_allowed_ms;
    /* When allowed: the window (less its guard) closes then; 0 never. */
    int64_t open_until_ms;
};

/* Cannot fail: what cannot be evaluated refuses. policy NULL: POLICY_MISSING. */
void compliance_check(const struct policy *policy, const struct compliance_facts *facts,
                      int64_t now_ms, struct verdict *out);

/* The window part alone, for the hopper (is this zone group open?) and for the send
 * instant. *until_ms: when it closes (open) or opens (closed), 0 not within 60 days. */
bool compliance_is_open(const struct policy *policy, const char *region,
                        const char *const *zones, size_t zone_count,
                        const struct compliance_holiday *holidays, size_t holiday_count,
                        int64_t now_ms, int64_t *until_ms);

/* What a verdict was made from, for the decision row: enough to run it again. */
json_t *compliance_inputs_to_json(const struct policy *policy,
                                  const struct compliance_facts *facts);
/* Runs a stored decision again. EBADMSG: inputs are not of this form. */
NODISCARD int compliance_check_again(const json_t *inputs, int64_t now_ms,
                                     struct verdict *out);

#endif
