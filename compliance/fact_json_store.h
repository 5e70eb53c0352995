/* fact_json_store - rows of one JSON column as an array. Internal to fact_store. */
#ifndef COMPLIANCE_FACT_JSON_STORE_H
#define COMPLIANCE_FACT_JSON_STORE_H

#include <jansson.h>

#include "base/attrs.h"

struct pg;
struct pg_args;

/* Inside the caller's transaction, or one of its own. *out is the caller's. */
NODISCARD int fact_json_rows(struct pg *pg, int tenant_id, const char *sql,
                             const struct pg_args *args, json_t **out);

#endif
