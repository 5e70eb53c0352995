/*
 * reject_file - the rows an import did not take, as CSV: line, column, value,
 * reason, hint. Written beside its name and moved there by reject_file_finish, so
 * that a failed import leaves the file of an earlier one alone. Values that a
 * spreadsheet would run as a formula are defused. A path that is no plain file
 * (/dev/stdout, a pipe) is written directly. One thread.
 */
#ifndef CONTACTS_REJECT_FILE_H
#define CONTACTS_REJECT_FILE_H

#include "contacts/import.h"

struct reject_file;

NODISCARD int reject_file_open(struct reject_file **out, const char *path,
                               struct errtext *e);
NODISCARD int reject_file_add(struct reject_file *f, const struct import_reject *rejects,
                              size_t n, struct errtext *e);
/* One row of another kind of import; what failed is said by sync and finish. */
void reject_file_put(struct reject_file *f, int64_t line, const char *column,
                     const char *value, const char *reason, const char *hint);
/* Everything is on disk after this; what is left is the move to its name. */
NODISCARD int reject_file_sync(struct reject_file *f, struct errtext *e);
/* Frees f either way. */
NODISCARD int reject_file_finish(struct reject_file *f, struct errtext *e);
void reject_file_abandon(struct reject_file *f); /* NULL is allowed */

enum { REJECT_VALUE_MAX = 200 }; /* bytes of a value that are shown */
/* value cut to REJECT_VALUE_MAX bytes at a character, made UTF-8. */
void reject_value(const char *value, char out[REJECT_VALUE_MAX + 1]);

#endif
