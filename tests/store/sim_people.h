/*
 * sim_people - a campaign with people as a simulation should meet them: several zones,
 * priorities, persons with two numbers, opt-outs, consents, earlier calls; and a flow
 * that asks, records, calls back and lets people opt out. On ledger_fixture.h's rows.
 */
#ifndef TESTS_STORE_SIM_PEOPLE_H
#define TESTS_STORE_SIM_PEOPLE_H

#include "base/pg.h"
#include "campaigns/campaign_store.h"

/* The campaign's row; cps and channels as stated; more: members
 * of the document beside its own, "" none. Ends the program when it cannot. */
struct campaign_row sim_people(struct pg *pg, const char *name, int64_t contacts, int cps,
                               int channels, const char *more);

#endif
