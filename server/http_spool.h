/*
 * http_spool - a request's body that is too long for memory: written to a file without a
 * name as it comes, then mapped to be read. The file goes with the request, also when the
 * process dies. One request's, one thread at a time.
 */
#ifndef SERVER_HTTP_SPOOL_H
#define SERVER_HTTP_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct spool {
    int fd; /* -1: none */
    size_t len;
    void *map; /* NULL: not mapped */
};

enum { SPOOLS_MAX = 64 }; /* of a process at a time */

void spool_init(struct spool *s);
/* A file in dir. EBUSY: there are SPOOLS_MAX; others: of the system. */
NODISCARD int spool_open(struct spool *s, const char *dir);
NODISCARD int spool_add(struct spool *s, const void *data, size_t len);
/* NULL: it cannot be. Borrowed until spool_free(). */
const char *spool_map(struct spool *s);
void spool_free(struct spool *s);
/* Whether one was refused a little while ago, for EBUSY. */
bool spool_is_short(void);

#endif
