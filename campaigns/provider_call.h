/*
 * provider_call - what a provider says of a call that it carries: one form for the
 * parameters of its webhooks and for the answers of its REST API. Pure; any thread.
 *
 * Its own codes are kept; beside them stands the Q.850 cause from which
 * disposition_from() gets the disposition. Source of the tables:
 * twilio.com/docs/voice/api/call-resource, RFC 3398 section 8.2.6 (SIP status to Q.850),
 * plivo.com/docs/voice/troubleshooting. Rows: campaigns/provider_call_store.h.
 */
#ifndef CAMPAIGNS_PROVIDER_CALL_H
#define CAMPAIGNS_PROVIDER_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/provider.h"

struct form;

/* In the order of a call's life: it never goes back. */
enum provider_call_status {
    PROVIDER_CALL_SILENT, /* not said */
    PROVIDER_CALL_QUEUED, /* it has the request, nothing was dialled yet */
    PROVIDER_CALL_DIALLED,
    PROVIDER_CALL_RINGING,
    PROVIDER_CALL_UP,
    PROVIDER_CALL_COMPLETED, /* it was up; this and the next are final */
    PROVIDER_CALL_BUSY,
    PROVIDER_CALL_NO_ANSWER,
    PROVIDER_CALL_FAILED,
    PROVIDER_CALL_CANCELED,
    PROVIDER_CALL_STATUSES,
};

enum provider_answered_by {
    PROVIDER_ANSWERED_UNSAID,
    PROVIDER_ANSWERED_UNSURE,
    PROVIDER_ANSWERED_HUMAN,
    PROVIDER_ANSWERED_MACHINE,
    PROVIDER_ANSWERED_COUNT,
};

enum { PROVIDER_CALL_ID_MAX = 72 };

/* One thing that was said. Zero-initialised with `sequence`, `duration_s` and
 * `price_micros` -1 it says nothing: begin with PROVIDER_CALL_NEWS. */
struct provider_call_news {
    struct uuid attempt;
    char call_id[PROVIDER_CALL_ID_MAX];    /* CallSid, CallUUID; "" not said */
    char request_id[PROVIDER_CALL_ID_MAX]; /* Plivo's request_uuid */
    enum provider_call_status status;
    int sequence; /* Twilio's SequenceNumber; -1 none */
    enum provider_answered_by answered_by;
    int cause, tech_cause;    /* Q.850, SIP; 0 not said */
    char code[16], says[128]; /* the provider's; "" not said */
    int duration_s;           /* of talk; -1 not said */
    int64_t price_micros;     /* -1 not said */
    char currency[8];         /* "" not said */
    bool opted_out;           /* by the flow, which runs in furrow-server */
    int64_t callback_at_ms;   /* the same; 0 none */
};
#define PROVIDER_CALL_NEWS                                                               \
    (struct provider_call_news)                                                          \
    {                                                                                    \
        .sequence = -1, .duration_s = -1, .price_micros = -1                             \
    }

/* What is known of a call: everything that was said, merged. */
struct provider_call {
    struct provider_call_news known;
    int tenant_id;
    int64_t account_id;
    int64_t version;
};

const char *provider_call_status_name(enum provider_call_status s); /* "" when silent */
NODISCARD bool provider_call_status_parse(const char *name,
                                          enum provider_call_status *out);
bool provider_call_is_over(enum provider_call_status s);
const char *provider_answered_by_name(enum provider_answered_by a);
NODISCARD bool provider_answered_by_parse(const char *name,
                                          enum provider_answered_by *out);

/* Of a status, answered-by or voice webhook; also of a Twilio or Plivo action. attempt is
 * not in it: it stands in the address. EBADMSG: no call id, or one of no sound form. */
NODISCARD int provider_call_read_form(enum provider_kind kind, const struct form *form,
                                      struct provider_call_news *out);

/* Words and codes, for whoever reads them elsewhere. */
enum provider_call_status provider_twilio_status(const char *word); /* SILENT: none */
enum provider_call_status provider_plivo_status(const char *word);
enum provider_answered_by provider_twilio_answered_by(const char *word);
/* Sets cause (and a machine's answer) by status, SIP status or Plivo's hangup code. */
void provider_twilio_cause(struct provider_call_news *news, const char *sip_status);
void provider_plivo_cause(struct provider_call_news *news, const char *code,
                          const char *name);
/* "-0.0075" as 7500, whichever its sign; -1: no amount. */
int64_t provider_micros(const char *amount);

/* Adds what news says to what is known; false: nothing new. A final state is never left,
 * a status never goes back, one of a lower sequence never overwrites; what was known of
 * the rest stays, but an unsure answer becomes a sure one. */
bool provider_call_merge(struct provider_call *call,
                         const struct provider_call_news *news);

#endif
