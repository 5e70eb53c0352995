/*
 * attempt_store_person - a person with several numbers: one conversation is enough, so
 * when one number of theirs is done with a campaign, the others are; and where the
 * campaign says "numbers": "one_by_one", a number is held until those before it are
 * final. Part of attempt_store.h; in the caller's transaction.
 */
#ifndef CAMPAIGNS_ATTEMPT_STORE_PERSON_H
#define CAMPAIGNS_ATTEMPT_STORE_PERSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct pg;

#define ATTEMPT_FINAL_OTHER_NUMBER "other_number"

/* next_attempt_at of a held number: the year 9999. Later is quarantine_store.h's. */
#define ATTEMPT_HELD_MS INT64_C(253370764800000)

/* Of the persons of these contacts, pending contacts of the same campaign become final.
 * Two settlements never wait for each other: one number of a person is called at a time,
 * and what is being called is left alone. */
NODISCARD int attempt_settle_persons(struct pg *pg, const int64_t *campaigns,
                                     const int64_t *contacts, size_t n, int64_t at_ms);

/* These contacts are final without a conversation: of each person the next held number
 * is due. */
NODISCARD int attempt_next_numbers(struct pg *pg, const int64_t *campaigns,
                                   const int64_t *contacts, size_t n, int64_t at_ms);

/* Holds every waiting number of a campaign that has another before it. */
NODISCARD int attempt_hold_numbers(struct pg *pg, int64_t campaign_id);
/* Lets go of all of them. */
NODISCARD int attempt_let_numbers(struct pg *pg, int64_t campaign_id, int64_t at_ms);
/* When nobody but held numbers waits: lets go of those that no other is before any more,
 * say because its contact was taken out. For the sweep. */
NODISCARD int attempt_mend_numbers(struct pg *pg, int64_t campaign_id, int64_t at_ms);

#endif
