/*
 * multipart - the parts of a multipart/form-data body (RFC 7578) that lies in memory or
 * in a mapped file. Strict: what is no such body is refused as a whole, with a word on
 * why. Data is borrowed and never copied. Pure, any thread.
 */
#ifndef BASE_MULTIPART_H
#define BASE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/errors.h"

enum {
    MULTIPART_PARTS_MAX = 16,
    MULTIPART_HEAD_MAX = 4096, /* bytes of a part's headers */
    MULTIPART_NAME_MAX = 64,
    MULTIPART_FILENAME_MAX = 256,
    MULTIPART_BOUNDARY_MAX = 71, /* 70 and its NUL */
};

struct multipart_part {
    char name[MULTIPART_NAME_MAX];
    bool is_file;                          /* it has a filename, be it empty */
    char filename[MULTIPART_FILENAME_MAX]; /* what the client calls it: a label only, cut
                                            */
    const char *data;
    size_t len;
};

struct multipart {
    struct multipart_part parts[MULTIPART_PARTS_MAX];
    size_t n;
};

/* Of a Content-Type header. EINVAL: it is another type; EBADMSG: no sound boundary. */
NODISCARD int multipart_boundary(const char *content_type,
                                 char out[MULTIPART_BOUNDARY_MAX]);
/* EBADMSG: it does not parse, or was cut off; E2BIG: too many parts. */
NODISCARD int multipart_read(struct multipart *out, const char *boundary,
                             const char *body, size_t len, struct errtext *e);
/* The first of that name; NULL: none. */
const struct multipart_part *multipart_find(const struct multipart *m, const char *name);

#endif
