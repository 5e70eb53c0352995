/*
 * dnc_store - do-not-call entries of a tenant, of one topic or of one campaign. An entry
 * acts with its commit: adding takes the same lock on (tenant, number) as a release, so
 * no permit is minted after it. A removed entry stays as history.
 *
 * An entry stops messages (SMS) as it stops calls, and as widely: of its campaign, its
 * topic or the tenant. A START by SMS gives messages back and leaves the entry, but for
 * one that a STOP by SMS had made: that is removed. When an entry was there before a
 * STOP, it is marked, so that the second STOP is known as one.
 */
#ifndef COMPLIANCE_DNC_STORE_H
#define COMPLIANCE_DNC_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;

struct dnc_entry {
    int64_t phone, campaign_id; /* campaign 0: every campaign of the tenant */
    const char *source;         /* cli, import, keypress, speech, sms, api */
    const char *note;           /* may be NULL */
    const struct uuid *call;    /* NULL none */
    const char *topic; /* with campaign 0: only campaigns of this topic; NULL all */
};

/* In the caller's transaction when one is open, else its own. *added: it was not
 * there before. Adding twice is nothing new, but it ends what a START by SMS had given
 * back, and for source "sms" marks (see above). */
NODISCARD int dnc_add(struct pg *pg, int tenant_id, const struct dnc_entry *entry,
                      int64_t now_ms, bool *added);
/* Many at once (import): one transaction a batch; phones need not be distinct. */
NODISCARD int dnc_add_many(struct pg *pg, int tenant_id, const int64_t *phones, size_t n,
                           int64_t campaign_id, const char *source, const char *note,
                           int64_t now_ms, size_t *added);
/* ENOENT: there is no such entry. */
NODISCARD int dnc_remove(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
                         const char *note, int64_t now_ms);
NODISCARD int dnc_remove_topic(struct pg *pg, int tenant_id, int64_t phone,
                               const char *topic, const char *note, int64_t now_ms);

/* The person said START by SMS: nothing that stands now stops messages; calls are given
 * back by the end of a STOP's own entry only. The next dnc_add takes it back. *lifted:
 * something had stopped messages. */
NODISCARD int dnc_start_sms(struct pg *pg, int tenant_id, int64_t phone, int64_t now_ms,
                            bool *lifted);
/* Whether the number said STOP by SMS, and not START after it. */
NODISCARD int dnc_is_stopped_sms(struct pg *pg, int tenant_id, int64_t phone, bool *out);
/* Whether an entry stops a message to the number that is of that campaign (0: of none).
 */
NODISCARD int dnc_stops_sms(struct pg *pg, int tenant_id, int64_t phone,
                            int64_t campaign_id, bool *out);

struct dnc_row {
    int64_t phone, campaign_id, added_at_ms, removed_at_ms; /* removed 0: in force */
    const char *source, *note, *removed_note;
    const char *topic;       /* "" none */
    int64_t sms_again_at_ms; /* messages are wanted all the same, since; 0 not */
};
typedef int(dnc_row_fn)(const struct dnc_row *row, void *arg);
/* Entries of a number, those removed too, newest first. */
NODISCARD int dnc_find(struct pg *pg, int tenant_id, int64_t phone, dnc_row_fn *each,
                       void *arg);
/* Entries in force in the order they were added, a page of at most max: those after
 * *after (0: from the first), which moves on; *n is how many came, fewer than max at the
 * end. campaign_id 0: all, else only that campaign's own. */
NODISCARD int dnc_list(struct pg *pg, int tenant_id, int64_t campaign_id, size_t max,
                       int64_t *after, dnc_row_fn *each, void *arg, size_t *n);
NODISCARD int dnc_count(struct pg *pg, int tenant_id, int64_t *in_force);

#endif
