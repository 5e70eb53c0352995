/* content_copy - files to and from the content store, for verbs of several groups. */
#ifndef CLI_CONTENT_COPY_H
#define CLI_CONTENT_COPY_H

#include "base/content.h"
#include "cli/cli.h"

/* from may be a device or a pipe. */
NODISCARD int content_copy_file(const char *from, const char *to, struct errtext *e);
/* Writes content to a new file and says so; an exit code. A file that is there already is
 * left alone. */
int content_save(const struct cli *cli, enum content_shelf shelf, const char *sha256,
                 const char *file);

#endif
