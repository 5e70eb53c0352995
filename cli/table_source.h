/* table_source - files of tables as the commands take them; what is wrong is said. */
#ifndef CLI_TABLE_SOURCE_H
#define CLI_TABLE_SOURCE_H

#include "base/attrs.h"
#include "campaigns/table.h"

/* path "-": standard input. *rows is the caller's. CLI_FAILED: it has been said why. */
NODISCARD int table_source_read(const char *path, struct table_def *def, json_t **rows);

#endif
