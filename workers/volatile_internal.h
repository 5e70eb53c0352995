/* volatile_internal - shared by volatile_queue.c (taking, sending) and volatile_admin.c.
 */
#ifndef WORKERS_VOLATILE_INTERNAL_H
#define WORKERS_VOLATILE_INTERNAL_H

#include "base/redis.h"
#include "workers/volatile_queue.h"

enum { VOLATILE_NAME_MAX = 112, VOLATILE_KEY_NAME_MAX = 300 };

struct volatile_names {
    char stream[VOLATILE_NAME_MAX], later[VOLATILE_NAME_MAX], buried[VOLATILE_NAME_MAX];
    char paused[VOLATILE_NAME_MAX], counts[VOLATILE_NAME_MAX];
};

struct volatile_queue {
    const struct volatile_options *options;
    struct redis *redis; /* NULL until it answered once */
    struct volatile_names names[VOLATILE_KINDS_MAX];
    bool away, groups_made, groups_known;
    int wipes;
    int64_t redis_retry_ms; /* monotonic */
    char error[256];
};

/* The connection, or NULL: Redis is away. */
redisContext *volatile_redis(struct volatile_queue *q);
/* The next answer of a pipeline. ECONNRESET; EPROTO with q->error, *out is NULL then. */
NODISCARD int volatile_reply(struct volatile_queue *q, redisContext *ctx,
                             redisReply **out);
void volatile_key_name(const struct volatile_queue *q, int kind, int tenant_id,
                       const char *key, char out[VOLATILE_KEY_NAME_MAX]);

extern const char volatile_group[];

#endif
