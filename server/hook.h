/*
 * hook - requests of providers: whose account it is, whether it is really them, whether
 * they have said it before. A handler runs in a transaction of the account's tenant; its
 * answer is kept with it, so that the same request again gets the same answer and does
 * nothing.
 *
 * Proof: Twilio and Plivo sign (server/signature.h); other kinds are known by the random
 * name in the path alone. What is wrong gets 403, is logged and counted, and nothing else
 * happens.
 */
#ifndef SERVER_HOOK_H
#define SERVER_HOOK_H

#include "base/form.h"
#include "campaigns/provider.h"
#include "server/server.h"

struct pg;
struct provider_event;
struct provider_answer;
struct voice_gather;

struct hook {
    const struct request *req;
    struct server *server;
    struct provider provider;
    char base[2 * PROVIDER_URL_MAX]; /* the account's webhooks, as the provider reaches
                                        them */
    struct form query, body;
    struct pg *pg; /* in the transaction */
    int64_t now_ms;
    bool at_once; /* nothing is asked that might not answer */
    /* Served with others (server/hook_many.h): pg is NULL, and what would be written is
     * gathered there. NULL: each statement is run where it stands. */
    struct voice_gather *gather;
    /* Whoever serves it calls hook_after(), and sends what comes later to the account's
     * own addresses: its calls may wait for an API or in a queue. */
    bool can_wait;
    /* Set by a handler: called once its transaction is over. done: it was committed. */
    void (*after)(struct server *s, void *arg, bool done);
    void *after_arg;
};

/* Calls it, if there is one. */
void hook_after(struct hook *h, bool done);

/* The parameter of that name, of the body before the query; "" when there is none.
 * Borrowed; UTF-8 without NUL. */
const char *hook_param(const struct hook *h, const char *name);

enum hook_group {
    HOOK_VOICE,    /* answered with a document; Plivo signs with V3 */
    HOOK_MESSAGES, /* Plivo signs with V2 */
};

/* Fills resp. An error: rolled back, and the request is answered as one that failed. */
typedef int(hook_fn)(struct hook *h, struct response *resp);

struct hook_route {
    enum hook_group group;
    hook_fn *run;
    /* Of a request that was answered before, in its transaction: what must be done all
     * the same. NULL: nothing. */
    int (*again)(struct hook *h);
    /* The answer to one that failed, or that cannot be served now; h->pg is NULL. NULL:
     * 503. */
    void (*failed)(const struct hook *h, struct response *resp);
};

/* hook: the name in the path. */
void hook_serve(const struct request *req, const char *hook,
                const struct hook_route *route, struct response *resp);

/* Its first part: whose it is, whether it is them, what they say. True: *ev names it, and
 * *h is to be hook_free()d in any case. False: the answer is in resp. */
bool hook_prepare(struct hook *h, const char *hook, const struct hook_route *route,
                  struct provider_event *ev, struct response *resp);
void hook_free(struct hook *h); /* for CLEANUP too */
/* Answers it as one that failed, and says so. */
void hook_fail(const struct hook *h, const struct hook_route *route,
               struct response *resp, const char *why, int err);
/* What was answered before; takes a->body. */
void hook_answer_again(struct provider_answer *a, struct response *resp);

/* One for which there is no time: what route->failed answers, else 503 with Retry-After.
 * Of an account that was seen before it must be proved, as always. */
void hook_shed(const struct request *req, const char *hook,
               const struct hook_route *route, struct response *resp);

/* Around a handler in its transaction, as hook_serve does: what was told before is
 * answered as it was then. nonce: NULL none. */
struct provider_event;
void hook_event(const struct hook *h, const char *nonce, struct provider_event *ev);
/* EACCES: the nonce was used for another request. */
NODISCARD int hook_find_before(struct hook *h, const struct provider_event *ev,
                               bool *known, struct response *resp);
/* EEXIST: somebody else has just answered it: roll back, and it is found. */
NODISCARD int hook_keep(struct hook *h, const struct provider_event *ev,
                        const struct response *resp);

/* Since the start; read by /metrics. */
enum hook_count {
    HOOK_DONE,
    HOOK_AGAIN,
    HOOK_REFUSED,
    HOOK_FAILED,
    HOOK_SHED,
    HOOK_COUNTS
};
const char *hook_count_name(enum hook_count which);
long hook_count_read(enum hook_count which);
void hook_count_one(enum hook_count which);

#endif
