#include "campaigns/names_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "campaigns/doc_reader.h"

enum { NAMES_MAX = 200, NAMES_SHOWN = 8 };

int names_missing(struct pg *pg, const char *noun, const char *table, const char *written,
                  struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf names = {0};
    const char *all[NAMES_MAX];
    char sql[100];

    /* table is a literal of ours. */
    snprintf(sql, sizeof(sql), "SELECT name FROM %s ORDER BY name LIMIT %d", table,
             NAMES_MAX);
    int err = pg_run(pg, &res, sql, NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    size_t n = (size_t)PQntuples(res);
    for (size_t i = 0; i < n; i++) {
        all[i] = pg_text(res, (int)i, 0);
        if (i < NAMES_SHOWN)
            buf_printf(&names, "%s%s", i ? ", " : "", all[i]);
    }
    if (n > NAMES_SHOWN)
        buf_puts(&names, ", …");
    const char *near = doc_nearest(written, all, n);
    if (near)
        return errtext_set(e, ENOENT, 0, 0, "no %s '%.80s'; did you mean '%s'?", noun,
                           written, near);
    if (n == 0)
        return errtext_set(e, ENOENT, 0, 0, "no %s '%.80s'; there are none yet", noun,
                           written);
    return errtext_set(e, ENOENT, 0, 0, "no %s '%.80s'; there are: %s", noun, written,
                       names.data);
}
