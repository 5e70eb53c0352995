/*
 * migrate - brings a database to the schema this build expects: numbered SQL
 * files compiled into the program, forward only, one transaction each,
 * checksummed, under an advisory lock so that two runs never meet.
 */
#ifndef BASE_MIGRATE_H
#define BASE_MIGRATE_H

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

struct migration {
    int number;
    const char *name; /* file name */
    const char *sql;
};

/* Compiled in from migrations/. */
extern const struct migration migrations[];
extern const int migration_count;

/* Applies what is missing; *applied counts. pg must be connected as a role that
 * may create roles and tables (no SET ROLE). EPROTO: an applied file's text has
 * changed since, or the database is newer than this build; errtext says which. */
NODISCARD int migrate_run(struct pg *pg, int *applied, struct errtext *e);
/* 0 when nothing is missing; EINVAL with a text that says what to run. */
NODISCARD int migrate_check(struct pg *pg, struct errtext *e);

#endif
