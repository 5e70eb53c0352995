/*
 * sms_sender - how a message is handed to each kind of provider: the request, and what
 * the answer to it means. Sends nothing itself. Pure; any thread.
 */
#ifndef WORKERS_SMS_SENDER_H
#define WORKERS_SMS_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/http.h"
#include "base/str.h"
#include "base/uuid.h"
#include "campaigns/provider.h"
#include "workers/job.h"

struct sms_out {
    const struct provider *account; /* with its token */
    const char *sender;             /* number, short code or name; "" the account's own */
    struct uuid id;                 /* ours */
    int64_t phone;
    const char *body;       /* UTF-8 */
    const char *report_url; /* where delivery reports go; "" when unknown */
};

enum { SMS_HEADERS_MAX = 16, SMS_PROVIDER_ID_MAX = 128 };

struct sms_request {
    char *url;
    const char *method;
    struct buf body;                    /* empty: none */
    char *headers[SMS_HEADERS_MAX + 1]; /* NULL-terminated */
    size_t header_count;
    char user[PROVIDER_TEXT_MAX]; /* with the account's token as password; "" none */
};

enum sms_verdict {
    SMS_TAKEN,     /* it will be sent */
    SMS_REFUSED,   /* not this message to this number, now or later */
    SMS_STOPPED,   /* the person opted out at the provider */
    SMS_AGAIN,     /* it may go better later */
    SMS_SET_RIGHT, /* nothing goes until a person changes account, sender or balance */
};

struct sms_answer {
    enum sms_verdict verdict;
    char provider_id[SMS_PROVIDER_ID_MAX]; /* "": it named none */
    char why[JOB_WHY_MAX];                 /* unless taken */
    int64_t price_micros;                  /* 0: not said */
    char currency[8];
};

struct sms_sender {
    /* EINVAL with a text: the account's settings do not say how. */
    int (*build)(const struct sms_out *m, struct sms_request *out, struct errtext *e);
    void (*judge)(const struct sms_out *m, const struct http_resp *resp,
                  struct sms_answer *out);
};

extern const struct sms_sender sms_twilio, sms_plivo, sms_africastalking, sms_http;
const struct sms_sender *sms_sender_of(enum provider_kind kind);

void sms_request_free(struct sms_request *r); /* for CLEANUP */

/* ---- what senders share ---- */

void sms_header(struct sms_request *r, const char *name, const char *value);
/* name=value, escaped, after what is there. */
void sms_form_add(struct buf *form, const char *name, const char *value);
/* By the HTTP status alone, of an answer that is no 2xx. */
enum sms_verdict sms_verdict_of(long status);
/* "the provider answered 400: text"; text may be NULL. */
void sms_say(struct sms_answer *a, enum sms_verdict verdict, long status,
             const char *text);

#endif
