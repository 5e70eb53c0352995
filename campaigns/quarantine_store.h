/*
 * quarantine_store - variants and lists of a campaign that rest, because it said that bad
 * ones should (quarantine.h) and they were. A hold stands until a person releases it.
 *
 * The people of a held variant are shared out among the others (cohort.h). Of a held list
 * nobody is picked: its waiting contacts are set aside (next_attempt_at is
 * QUARANTINE_HELD_MS), who is enrolled later or comes back from a call is set aside by
 * the claim that meets them, and promised calls are kept. Counted are the newest
 * QUARANTINE_CALLS calls of the last QUARANTINE_DAYS days; what led to a hold is not
 * counted again after its release.
 *
 * In the caller's transaction unless it says otherwise. Errors are pg.h's.
 */
#ifndef CAMPAIGNS_QUARANTINE_STORE_H
#define CAMPAIGNS_QUARANTINE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/campaign.h"
#include "campaigns/quarantine.h"

struct pg;

enum { QUARANTINE_NAME_MAX = 128 };

/* next_attempt_at of who is set aside; after ATTEMPT_HELD_MS. */
#define QUARANTINE_HELD_MS INT64_C(253402214400000)

enum quarantine_kind { QUARANTINE_VARIANT, QUARANTINE_LIST, QUARANTINE_KINDS };
const char *quarantine_kind_name(enum quarantine_kind k); /* "variant" */

struct quarantine_hold {
    enum quarantine_kind kind;
    char name[QUARANTINE_NAME_MAX];
    int64_t held_at_ms;
    char why[QUARANTINE_WHY_MAX];
};

/* Counts anew and holds what is bad, for a running campaign's check. *held counts. */
NODISCARD int quarantine_check(struct pg *pg, int64_t campaign_id,
                               const struct campaign_doc *doc, int64_t now_ms,
                               size_t *held);

/* For a claim: the held ones of doc->variants, as cohort_of() takes them; and the ids of
 * held lists, at most CAMPAIGN_LISTS_MAX. Nothing when the document asks for none. */
NODISCARD int quarantine_variants(struct pg *pg, int64_t campaign_id,
                                  const struct campaign_doc *doc, unsigned *held);
NODISCARD int quarantine_lists(struct pg *pg, int64_t campaign_id,
                               const struct campaign_doc *doc,
                               int64_t out[CAMPAIGN_LISTS_MAX], size_t *n);
/* Sets these contacts aside. */
NODISCARD int quarantine_put_aside(struct pg *pg, int64_t campaign_id,
                                   const int64_t *contacts, size_t n);
/* Sets aside again whoever waits of held lists, after everybody was made due. */
NODISCARD int quarantine_put_aside_all(struct pg *pg, int64_t campaign_id);

/* name NULL: all of the kind. Contacts of released lists are due at once, behind those
 * who wait already. by: who, for the history. *released counts. */
NODISCARD int quarantine_release(struct pg *pg, int64_t campaign_id,
                                 const struct campaign_doc *doc,
                                 enum quarantine_kind kind, const char *name,
                                 const char *by, int64_t now_ms, size_t *released);

/* What is held, oldest first. *out: free(). A transaction of its own when none is open.
 */
NODISCARD int quarantine_list(struct pg *pg, int tenant_id, int64_t campaign_id,
                              struct quarantine_hold **out, size_t *n);

/* Why a waiting contact with this number is not picked, "" when no hold keeps it. A
 * transaction of its own when none is open. */
enum { QUARANTINE_TEXT_MAX = 360 };
NODISCARD int quarantine_why(struct pg *pg, int tenant_id, int64_t campaign_id,
                             int64_t phone, char why[QUARANTINE_TEXT_MAX]);

#endif
