/*
 * provider_rest - the REST APIs of providers that carry calls: what is asked of them and
 * what their answers mean. Pure but for memory: who sends is dialer/trunk_provider.c for
 * calls that are placed, server/provider_control for those that are up.
 *
 * Sources: twilio.com/docs/voice/api/call-resource, plivo.com/docs/voice/api/call.
 * Neither documents a key by which a repeated POST would be known, so there is one POST a
 * call.
 */
#ifndef CAMPAIGNS_PROVIDER_REST_H
#define CAMPAIGNS_PROVIDER_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/machine_rule.h"
#include "campaigns/provider.h"
#include "campaigns/provider_call.h"

/* Of a trunk over a provider. */
struct provider_trunk_settings {
    char from[32];    /* shown by campaigns that name no number; "" none */
    int time_limit_s; /* of a call, from its answer */
    int queued_max_s; /* what waits longer at the provider is taken back */
    int look_s;       /* between two looks at a call of which no webhook tells */
    int search_s;     /* so long an unconfirmed call is looked for before it is unknown */
};
/* EINVAL with a text: an unknown key, a value that cannot work. */
NODISCARD int provider_trunk_settings_read(struct provider_trunk_settings *out,
                                           const char *json, struct errtext *e);

struct provider_order { /* one call */
    struct uuid attempt;
    int64_t phone;
    char from[64];
    int ring_timeout_s, time_limit_s;
    struct machine_rule machine;
    const char *hook; /* provider_hook_url() */
};

struct provider_request {
    const char *method;
    char *url, *body; /* body NULL: none */
    bool json;        /* else a form */
};
void provider_request_free(struct provider_request *r); /* for CLEANUP */

struct buf;

enum provider_judgement {
    PROVIDER_TOOK,    /* there is a call */
    PROVIDER_REFUSED, /* there is none */
    PROVIDER_MAYBE,   /* there may be one: look for it, never send again */
};

/* A call as the provider shows it. */
struct provider_seen {
    struct provider_call_news news;
    char to[32], from[32]; /* digits; "" not shown */
    int64_t created_ms;    /* 0 not shown */
    int look; /* -1: shown whole; else look() of this number shows the rest */
};

enum provider_sight { PROVIDER_SEEN, PROVIDER_ABSENT, PROVIDER_NO_ANSWER };

enum { PROVIDER_SEEN_MAX = 50 };

struct provider_rest_ops {
    enum provider_kind kind;
    void (*originate)(const struct provider *p, const struct provider_order *o,
                      struct provider_request *out);
    /* Of an answer to it. Says the call's id, or cause, code and text. */
    enum provider_judgement (*judge)(long status, const char *body, size_t len,
                                     struct provider_call_news *out);
    /* The n-th way to see a call whose id is known; false: there are no more. */
    bool (*look)(const struct provider *p, const struct provider_call_news *known, int n,
                 struct provider_request *out);
    enum provider_sight (*see)(int n, long status, const char *body, size_t len,
                               struct provider_seen *out);
    /* The n-th list in which a call whose id is not known may stand; false: no more. */
    bool (*search)(const struct provider *p, const struct provider_order *o, int n,
                   struct provider_request *out);
    /* At most PROVIDER_SEEN_MAX of it. NO_ANSWER: it could not be had. */
    enum provider_sight (*list)(int n, long status, const char *body, size_t len,
                                struct provider_seen *out, size_t *count);
    /* Ends it. hard: the gentler way did not do it. */
    void (*end)(const struct provider *p, const struct provider_call_news *known,
                bool hard, struct provider_request *out);
    /* A call that is up asks for the document at url instead of what it is at. */
    void (*redirect)(const struct provider *p, const struct provider_call_news *known,
                     const char *url, struct provider_request *out);
};

/* What an answer to end or redirect says. Both may be sent again. */
enum provider_control {
    PROVIDER_CONTROL_DONE,
    PROVIDER_CONTROL_OVER,    /* the call was over before */
    PROVIDER_CONTROL_REFUSED, /* code and words say why */
    PROVIDER_CONTROL_MAYBE,
};
enum provider_control provider_judge_control(enum provider_kind kind, long status,
                                             const char *body, size_t len,
                                             struct provider_call_news *why);
/* NULL: it carries no calls. */
const struct provider_rest_ops *provider_rest_find(enum provider_kind kind);

extern const struct provider_rest_ops provider_rest_twilio, provider_rest_plivo;

/* Is it the call that was ordered? Between from_ms and to_ms it must have been made; 0:
 * whenever. */
bool provider_seen_is(const struct provider_seen *seen, const struct provider_order *o,
                      int64_t from_ms, int64_t to_ms);

/* For the two files of ops. */
void provider_form_add(struct buf *b, const char *name, const char *value);
void provider_form_add_int(struct buf *b, const char *name, int value);
/* <hook>/<what>/<attempt>; free(). */
char *provider_hook_of(const struct provider_order *o, const char *what);
/* The same for what is only told, again if need be; free(). */
char *provider_told_of(const struct provider_order *o, const char *what);
/* Digits alone. */
void provider_digits(const char *number, char out[32]);
/* What a provider says in words, its numbers masked: it is stored and shown. */
void provider_says(struct provider_call_news *news, const char *text);
enum provider_judgement provider_judge_status(long status);
/* Epoch ms of a time in strptime's form with its offset; 0: it is none. */
int64_t provider_time(const char *text, const char *form);

#endif
