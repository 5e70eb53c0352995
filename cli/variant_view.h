/* variant_view - how the variants of a campaign did, for `campaign report`. */
#ifndef CLI_VARIANT_VIEW_H
#define CLI_VARIANT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "campaigns/variant_store.h"

/* Lines of the report, or of its CSV; nothing when there are no variants. */
void variants_print(const struct variant_result *list, size_t n, bool csv, FILE *to);
/* An array; the caller owns the reference. */
json_t *variants_to_json(const struct variant_result *list, size_t n);

#endif
