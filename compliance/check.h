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
#include "compliance/list.h"
#include "compliance/policy.h"
#include "compliance/reason.h"
#include "contacts/phone.h"

struct buf;
struct pack;

struct compliance_call { /* an earlier attempt that counts (campaigns/attempt.h) */
    int64_t at_ms;       /* business time at which it was released */
    int64_t campaign_id;
    bool open; /* still alive */
    enum outcome outcome;
    bool other_number;              /* of the same person, not the number at hand */
    bool other_debt, other_subject; /* than the call at hand */
    bool said_no; /* in it they asked for no more such calls: it counts as refused too */
};

/* Of calls that were answered in an anchored period, never a rolling one
 * (docs/campaigns.md, "Modes and agents"). */
struct compliance_abandon {
    int limit_ppm; /* 30000 is 3 % */
    int64_t answered, abandoned;
    int64_t unbacked; /* calls in flight without a reserved agent */
};

struct compliance_block { /* an emergency order */
    char region[8];
    int64_t from_ms, until_ms; /* until 0: open */
};

struct compliance_registration {
    char region[8];
    int64_t until_ms; /* 0: for ever */
};

enum rnd_answer { RND_NONE, RND_NO, RND_YES, RND_NO_DATA };

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

    bool kill_switch;
    bool emergency, protected_line, lead_closed;
    char state[8];          /* zones_state_of(): "US-FL"; "" none */
    char address_region[8]; /* "US-CA", "FR"; "" not known */
    const char *const *address_zones;
    size_t address_zone_count;
    bool tz_confirmed; /* the person said so: only address_zones count */
    enum line_class_fact {
        LINE_FACT_NONE,
        LINE_FACT_MOBILE,
        LINE_FACT_FIXED,
        LINE_FACT_VOIP
    } line;
    int64_t line_checked_ms;
    const struct compliance_list *lists;
    size_t list_count;
    const struct compliance_wash *washes;
    size_t wash_count;
    int64_t dnc_added_day; /* of the tenant's own entry, with policy.internal_years; 0
                              unknown */
    int64_t consent_given_ms;
    bool consent_evidence;
    char consent_seller[32];
    enum rnd_answer rnd;
    int64_t rnd_checked_ms;
    bool reserved_agent;
    const struct compliance_abandon *abandon;
    size_t abandon_count;
    const struct compliance_registration *registrations;
    size_t registration_count;
    const struct compliance_block *blocks;
    size_t block_count;
    char tzdata[16];       /* tz_version(); "" not asked */
    int64_t decided_at_ms; /* of the permit; 0 none yet */
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

/* Every rule that is asked, its answer and its source:
 * [{"rule","answer":"pass|refuse","reason", "pack","row","cite","checked_on","grade"}],
 * in the order of asking. The caller owns it. */
json_t *compliance_explain(const struct policy *policy,
                           const struct compliance_facts *facts, int64_t now_ms);
/* The packs that hold for it; how many. They live as long as the policy's. */
enum { COMPLIANCE_PACKS_MAX = 80 };
size_t compliance_packs_of(const struct policy *policy,
                           const struct compliance_facts *facts,
                           const struct pack *out[COMPLIANCE_PACKS_MAX]);

/* The window part alone, for the hopper (is this zone group open?) and for the send
 * instant. *until_ms: when it closes (open) or opens (closed), 0 not within 60 days. */
bool compliance_is_open(const struct policy *policy, const char *region,
                        const char *const *zones, size_t zone_count,
                        const struct compliance_holiday *holidays, size_t holiday_count,
                        int64_t now_ms, int64_t *until_ms);

/* What a verdict was made from, for the decision row: enough to run it again. Appends one
 * line of JSON, canonical: sorted keys, no blanks, so that its hash is that of any equal
 * JSON. The policy is named by the hash of its canonical JSON (NULL: there was none), the
 * packs by theirs; clock: "real" or "virtual". EBADMSG: some text is not UTF-8. */
NODISCARD int compliance_inputs_write(struct buf *out, const struct policy *policy,
                                      const char *policy_hash,
                                      const struct compliance_facts *facts,
                                      const char *clock);
/* The body of a pack or a policy by the sha256 of its canonical JSON: a new reference, or
 * NULL. */
typedef json_t *(inputs_blob_fn)(const char *sha256, void *arg);
/* Runs a stored decision again, with the packs of that day: blob (NULL: none) is asked
 * for them, then this installation's own. EBADMSG: inputs are not of this form; ENOENT: a
 * pack that held then is not to be had. */
NODISCARD int compliance_check_again(const json_t *inputs, int64_t now_ms,
                                     inputs_blob_fn *blob, void *arg,
                                     struct verdict *out);

/* compliance_explain() of a stored decision; *out is the caller's. Errors likewise. */
NODISCARD int compliance_explain_again(const json_t *inputs, int64_t now_ms,
                                       inputs_blob_fn *blob, void *arg, json_t **out);

#endif
