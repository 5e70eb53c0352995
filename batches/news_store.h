/*
 * news_store - what a person is told by SMS that others did or decided: that they were
 * let in, that their batch was verified, that a member of their cooperative brought one
 * in. A job `news` is made of it with what it is about, and reads it back here.
 *
 * In the caller's transaction of that tenant. Errors are pg.h's, and as stated.
 */
#ifndef BATCHES_NEWS_STORE_H
#define BATCHES_NEWS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "batches/batch_rules.h"
#include "batches/caller_store.h"
#include "batches/lot_store.h"

struct pg;

enum news_kind {
    NEWS_APPROVED, /* to who registered */
    NEWS_VERIFIED, /* to whose batch it is, unless they verified it themselves */
    NEWS_RECORDED, /* to the managers of the organization of whose batch it is */
};
enum { NEWS_KINDS = 3, NEWS_TO_MAX = 10 };

const char *news_kind_name(enum news_kind kind); /* "approved" */
NODISCARD bool news_kind_parse(const char *name, enum news_kind *out);

/* id: of the caller who was approved, else of the batch. */
NODISCARD int news_enqueue(struct pg *pg, int tenant_id, enum news_kind kind,
                           const char *id, int64_t now_ms);

struct news_to {
    int64_t caller_id; /* 0: not registered */
    int64_t phone;
    char language[3]; /* "" not known */
};
struct news {
    struct news_to to[NEWS_TO_MAX]; /* as many as it holds */
    size_t n;
    /* Not of NEWS_APPROVED. */
    struct batch batch; /* of NEWS_VERIFIED its id and what it weighs now */
    char member[CALLER_NAME_MAX], token[LOT_TOKEN_MAX]; /* of NEWS_RECORDED */
};
/* As it is now; n is 0 when there is nobody to tell, or it is not so any more. */
NODISCARD int news_load(struct pg *pg, enum news_kind kind, const char *id,
                        struct news *out);

#endif
