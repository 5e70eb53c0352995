/*
 * ledger_fixture - rows that ledger tests and benchmarks begin with: a list, a flow,
 * a trunk, running campaigns, contacts of open and closed zones. Tenant 1, a virtual
 * clock. Single-threaded.
 */
#ifndef TESTS_STORE_LEDGER_FIXTURE_H
#define TESTS_STORE_LEDGER_FIXTURE_H

#include <stdint.h>

#include "base/pg.h"

enum { TENANT = 1 };

/* Tuesday 2026-11-24 08:00 UTC: 11:00 in Addis Ababa (open), 22:00 on Monday in
 * Honolulu (closed until 19:00 UTC). */
#define T0             INT64_C(1795507200000)
#define HONOLULU_OPENS INT64_C(1795546800000)

void ledger_fixture_start(struct pg *pg);
/* Its id; rules is JSON of further members, "" none. */
int64_t ledger_campaign(struct pg *pg, const char *name, const char *rules);
int64_t ledger_zone(struct pg *pg, const char *region, const char *zone);
/* A contact and its pending row; priority as given. */
int64_t ledger_contact(struct pg *pg, int64_t campaign_id, int64_t zone_group,
                       int64_t phone, int priority);
/* printf-like pgtest_i64 / pgtest_run */
int64_t ledger_i64(struct pg *pg, const char *fmt, ...) PRINTF_LIKE(2, 3);
void ledger_run(struct pg *pg, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* 1 when the first column of the query is this text. */
int ledger_is(struct pg *pg, const char *wanted, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
