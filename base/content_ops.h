/* content_ops - the seam below content.h: content_local.c and content_s3.c. */
#ifndef BASE_CONTENT_OPS_H
#define BASE_CONTENT_OPS_H

#include "base/content.h"

enum { CONTENT_NAME_MAX = 640 };

struct content_ops {
    bool over_http; /* http is never NULL then */
    /* path may be taken (renamed) or left. */
    int (*put)(const struct content *c, struct http *http, const char *name,
               const char *sha256, const char *path, int64_t bytes, struct errtext *e);
    /* Not verified yet. */
    int (*open)(const struct content *c, struct http *http, const char *name, int *fd,
                struct errtext *e);
    int (*has)(const struct content *c, struct http *http, const char *name,
               struct errtext *e);
    int (*remove)(const struct content *c, struct http *http, const char *name,
                  struct errtext *e);
    int (*check)(const struct content *c, struct http *http, struct errtext *e);
};

extern const struct content_ops content_local, content_s3;

/* Fills c->base and c->signing of a bucket. */
NODISCARD int content_s3_init(struct content *c, struct errtext *e);

#endif
