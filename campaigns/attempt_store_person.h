/*
 * attempt_store_person - one conversation is enough for a person: when one number of
 * theirs is done with a campaign, the others are. Part of attempt_store.h; in the
 * caller's transaction.
 */
#ifndef CAMPAIGNS_ATTEMPT_STORE_PERSON_H
#define CAMPAIGNS_ATTEMPT_STORE_PERSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct pg;

#define ATTEMPT_FINAL_OTHER_NUMBER "other_number"

/* Of the persons of these contacts, pending contacts of the same campaign become final.
 * Two settlements never wait for each other: one number of a person is called at a time,
 * and what is being called is left alone. */
NODISCARD int attempt_settle_persons(struct pg *pg, int tenant_id,
                                     const int64_t *campaigns, const int64_t *contacts,
                                     size_t n, int64_t at_ms);

#endif
