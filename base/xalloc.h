/*
 * xalloc - allocation that never fails: programs abort when memory is out.
 * Check sizes that come from outside against a limit before calling.
 * Not for ivr/, which propagates ENOMEM.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stddef.h>

#include "base/attrs.h"

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* For CLEANUP(): frees the pointer variable it is attached to. */
void free_cleanup(void *pointer_to_pointer);

#endif
