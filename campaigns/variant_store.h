/*
 * variant_store - the variants of a campaign: pinned when it is created, given to
 * contacts when they are claimed, counted for the report.
 *
 * Inside the caller's transaction unless it says otherwise. Errors are pg.h's.
 */
#ifndef CAMPAIGNS_VARIANT_STORE_H
#define CAMPAIGNS_VARIANT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/cohort.h"

struct pg;
struct attempt_row;
struct campaign_doc;

/* revisions[i]: the flow revision of doc->variants.at[i]. */
NODISCARD int variant_pin(struct pg *pg, int tenant_id, int64_t campaign_id,
                          const struct campaign_doc *doc, const int64_t *revisions);

/* The pinned revisions in the order of the document; *n at most VARIANTS_MAX. Its own
 * transaction when none is open. */
NODISCARD int variant_revisions(struct pg *pg, int tenant_id, int64_t campaign_id,
                                int64_t out[VARIANTS_MAX], size_t *n);

/* Gives each row (claimed together, one campaign) its variant and flow revision; none
 * that is in quarantine while another is not. */
NODISCARD int variant_assign(struct pg *pg, const struct campaign_doc *doc,
                             struct attempt_row *rows, size_t n);

struct variant_result {
    char name[VARIANT_NAME_MAX];
    int64_t contacts, calls; /* called at all; attempts sent */
    /* Of the calls; answered: not by what was heard to be a machine, and of these: */
    int64_t answered, shorts, completed, opt_outs;
};
/* Its own transaction. *n 0: the campaign has no variants. */
NODISCARD int variant_report(struct pg *pg, int tenant_id, int64_t campaign_id,
                             struct variant_result out[VARIANTS_MAX], size_t *n);

#endif
