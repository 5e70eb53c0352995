/* files - whole-file reads and writes that do not surprise. Thread-safe. */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include <stddef.h>

#include "base/attrs.h"

/* mkdir -p, mode 0755. */
NODISCARD int files_mkdirs(const char *path);
/* The directories above path. */
NODISCARD int files_mkdirs_for(const char *path);
/* *out is the caller's to free(), NUL-terminated beyond *len. EMSGSIZE over max. */
NODISCARD int files_read(const char *path, size_t max, char **out, size_t *len);
/* Write beside, fsync, rename: a reader sees the old file or the new one. */
NODISCARD int files_write_atomic(const char *path, const void *data, size_t len);

#endif
