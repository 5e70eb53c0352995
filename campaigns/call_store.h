/*
 * call_store - what live calls write: the call row, each step of its flow, its
 * recordings. One function commits a step: the session's new state (compare and
 * set on seq), its events, and the rows its effects stand for (opt-out, SMS with
 * job, recording, language, callback), in one transaction. The host renders the
 * step's effects only after this committed (but for questions: dialer/live.h).
 *
 * Used by the dialer (live calls) and the server (webhooks): in the caller's transaction
 * of that tenant when one is open, else in one of their own. Errors are pg.h's; EEXIST:
 * seq has moved on (a duplicate input), nothing was changed.
 */
#ifndef CAMPAIGNS_CALL_STORE_H
#define CAMPAIGNS_CALL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;
struct ivr_data;
struct table_result;

/* campaign_contacts.priority of a request to be called: above every list and rule. */
enum { CALLBACK_PRIORITY = 10000 };

struct call_start {
    struct uuid id; /* of the attempt when outbound */
    int tenant_id;
    bool inbound;
    int64_t campaign_id, contact_id; /* 0 none */
    int64_t phone;                   /* 0 withheld */
    const char *extension;           /* NULL when outbound */
    int64_t flow_revision_id;
    int slot;
    int64_t at_ms;
};

/* What the flow starts with. The caller's to call_context_free(). */
struct call_context {
    json_t *contact;   /* {{contact.*}}: attrs plus phone, region */
    char language[16]; /* remembered for the number, "" when none */
    char *flow_source; /* the pinned revision's JSON text */
    uint8_t
        *kept; /* inbound: where an earlier call dropped (kept_call_store.h), or NULL */
    size_t kept_len;
    char flow_sha256[65];
    int tz_min; /* the clock of the contact's (first) zone, from UTC, at the start */
};

NODISCARD int call_begin(struct pg *pg, const struct call_start *start,
                         struct call_context *out);
void call_context_free(struct call_context *c);

/* Many calls out of one tenant whose contacts are known, in one transaction (the caller's
 * when one is open): errs[i] is 0, and out[i] the caller's to call_context_free(), or
 * ENOENT: no such revision. Any error that is returned: nothing was changed. */
NODISCARD int calls_begin(struct pg *pg, const struct call_start *const *starts, size_t n,
                          struct call_context *out, int *errs);

/* Many inbound calls at once, in the caller's transaction: what each begins with, and
 * then the rows of those that do begin. alone: it wants what cannot be done for many (an
 * unknown number or one that is only rung, a call that is gone on with, one that the
 * account has already); nothing else is said of it then. */
struct call_ask {
    int64_t account_id, phone, at_ms;
    const char *provider_call_id, *dialled;
    /* The answer: */
    bool alone;
    int64_t flow_revision_id, callback_campaign_id;
    struct call_context context; /* without flow_source */
};
/* Asked with pg_ask(), and answered when its turn comes. */
NODISCARD int calls_ask(struct pg *pg, const struct call_ask *asks, size_t n);
NODISCARD int calls_answer(struct pg *pg, struct call_ask *asks, size_t n);
/* Sent with the next statement, which returns the error; n may be 0. */
NODISCARD int calls_add(struct pg *pg, const struct call_start *const *starts, size_t n);

struct call_event {
    const char *kind, *node;
    json_t *data; /* borrowed; NULL is {} */
};

/* Text already rendered by the engine; the worker that sends it fills in the row's
 * encoding and segments. */
struct call_sms {
    int64_t phone;
    const char *language, *text;
    const char *dedupe_key; /* unique per tenant, e.g. <call>-<seq>-<n> */
};

/* A command for the jobs: a recording of this call, by its name, that now goes through a
 * pipeline; or, when recording is "", what was keyed in, which is a recording without
 * audio that is understood already. */
struct call_submit {
    const char *recording, *pipeline;
    const char *intent, *entities; /* entities: a JSON object */
    const char *node, *language;
};

struct call_recording {
    struct uuid id;
    const char *name;     /* <channel id>-<step> */
    const char *source;   /* "ari" or "simulated" */
    const char *location; /* ARI base URL, or the simulated file */
    const char *node, *language, *pipeline, *on_done_sms;
};

struct call_step {
    struct uuid call_id;
    int tenant_id;
    int64_t at_ms, phone, campaign_id;
    int seq; /* of the new state; the stored one must be seq - 1 (or absent) */
    const char *status;
    const void *state;
    size_t state_len;
    const struct call_event *events;
    size_t event_count;
    const struct call_sms *sms;
    size_t sms_count;
    const struct call_submit *submits;
    size_t submit_count;
    const struct call_recording *recording; /* starts now; NULL none */
    const char *opt_out;        /* NULL, "campaign", "topic" or "tenant": acts at once;
                                   without a campaign_id, or of a campaign without a
                                   topic, it is the tenant */
    const char *opt_out_source; /* "keypress", "speech" */
    const char *language;       /* remember it; NULL none */
    int64_t callback_at_ms;     /* 0 none; outbound: moves this contact's next attempt;
                                   inbound: see callback_campaign_id */
    int64_t callback_campaign_id;
    const struct ivr_data *data; /* on a table; NULL none. When it cannot be done that is
                                    its result, and the step is committed. */
    struct table_result *data_result;
    int64_t callback_to; /* another number is to be called: 0, the party's own; outbound
                            by campaign_id */
};

/* EINVAL: an opt-out scope that is neither. */
NODISCARD int call_commit_step(struct pg *pg, const struct call_step *step);

/* Is this one of those that only write state and events? */
bool call_step_is_plain(const struct call_step *step);
/* Many plain steps of one tenant, each of another call, in one transaction (the caller's
 * when one is open): errs[i] is 0 or EEXIST as above. Any error that is returned: nothing
 * was changed. */
NODISCARD int call_commit_steps(struct pg *pg, const struct call_step *const *steps,
                                size_t n, int *errs);
/* The same in the caller's transaction, all or none: sent with the next statement, which
 * fails when one of them is not the next of its call. */
NODISCARD int call_steps_write(struct pg *pg, const struct call_step *const *steps,
                               size_t n);

/* A recording ended: `finished` and its fetch job, or `empty` / `lost_media` /
 * `failed` with why. Idempotent; the first end wins, but one that was taken for lost
 * may still turn out finished. ENOENT: no such recording. */
NODISCARD int call_recording_end(struct pg *pg, int tenant_id, const char *name,
                                 const char *state, int duration_ms, const char *error,
                                 int64_t now_ms);

struct call_end {
    struct uuid id;
    int tenant_id;
    int64_t at_ms;
    const char *outcome; /* completed, hung_up, failed, opted_out, interrupted */
    json_t *results;     /* {name: {value, category}}; borrowed; NULL keeps */
};
/* Idempotent; the first end wins. Recordings of the call still `live` are left
 * to their own end (RecordingFinished may come later). */
NODISCARD int call_finish(struct pg *pg, const struct call_end *end);

/* Of many, in the caller's transaction; sent with the next statement, which returns the
 * error. n may be 0. */
NODISCARD int calls_finish(struct pg *pg, const struct call_end *const *ends, size_t n);

/* After a crash: calls of the slot without an end and recordings still `live`. Not those
 * over a provider: their flows run on in furrow-server. */
struct call_open {
    struct uuid id;
    int tenant_id;
    bool inbound;
};
NODISCARD int call_list_open(struct pg *pg, int tenant_id, int slot,
                             struct call_open **out, size_t *n);
struct call_live_recording {
    char name[160];
    struct uuid call_id;
};
NODISCARD int
call_list_live_recordings(struct pg *pg, int tenant_id,
                          const struct uuid *call, /* NULL: of ended calls; in both cases
                                                      none of those at providers */
                          struct call_live_recording **out, size_t *n);

/* An inbound number: tenant and flow. ENOENT when nothing is published for it. */
struct call_extension {
    int tenant_id;
    int64_t flow_revision_id, callback_campaign_id;
    bool missed_call;
};
NODISCARD int call_find_extension(struct pg *pg, const char *dialled,
                                  struct call_extension *out);

/* Ask for a call back under the rules of that campaign: makes the contact in the
 * campaign's list when it is new (region, zones as contacts/ finds them) and a
 * pending campaign_contacts row due at at_ms with CALLBACK_PRIORITY. A contact that is
 * final waits anew, with its attempts counted from nothing. One open request per
 * number: while the contact is being called, or waits with that priority, a second is
 * nothing new (*duplicate, may be NULL). In the caller's transaction when one is open.
 * EINVAL: no number. ENOENT: no such campaign. */
NODISCARD int call_request_callback(struct pg *pg, int tenant_id, int64_t campaign_id,
                                    int64_t phone, int64_t at_ms, int64_t now_ms,
                                    bool *duplicate);

/* Whom to call back, and by which campaign, for what was said in a call: outbound its
 * own, inbound that of the number that was dialled. In the caller's transaction. ENOENT:
 * no such call. */
struct call_party {
    int64_t campaign_id; /* 0: none would */
    int64_t contact_id;  /* 0: inbound, the number is all there is */
    int64_t phone;       /* 0: withheld */
};
NODISCARD int call_find_party(struct pg *pg, const struct uuid *call,
                              struct call_party *out);

/* The call that was asked for in words, when they have been understood, as a key in the
 * call would have set it. In the caller's transaction. */
enum call_promise {
    CALL_PROMISED,
    CALL_PROMISE_DUPLICATE,   /* there is a promise that is still open */
    CALL_PROMISE_OPTED_OUT,   /* of this campaign, since */
    CALL_PROMISE_NOT_RUNNING, /* its campaign would not call: it is over, or not begun */
    CALL_PROMISE_NOBODY,      /* no number, or no campaign */
};
NODISCARD int call_promise(struct pg *pg, int tenant_id, const struct call_party *party,
                           int64_t at_ms, int64_t now_ms, enum call_promise *out);

#endif
