/*
 * call_store - what live calls write: the call row, each step of its flow, its
 * recordings. One function commits a step: the session's new state (compare and
 * set on seq), its events, and the rows its effects stand for (opt-out, SMS with
 * job, recording, language, callback), in one transaction. The host renders the
 * step's effects only after this committed.
 *
 * Used by the dialer (live calls), later by the server (webhooks).
 * Errors are pg.h's; EEXIST: seq has moved on (a duplicate input), nothing was
 * changed.
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
    char flow_sha256[65];
    int tz_min; /* the clock of the contact's (first) zone, from UTC, at the start */
};

NODISCARD int call_begin(struct pg *pg, const struct call_start *start,
                         struct call_context *out);
void call_context_free(struct call_context *c);

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
    const struct call_recording *recording; /* starts now; NULL none */
    const char *opt_out;        /* NULL, "campaign", "topic" or "tenant": acts at once;
                                   without a campaign_id, or of a campaign without a
                                   topic, it is the tenant */
    const char *opt_out_source; /* "keypress", "speech" */
    const char *language;       /* remember it; NULL none */
    int64_t callback_at_ms;     /* 0 none; outbound: moves this contact's next attempt;
                                   inbound: see callback_campaign_id */
    int64_t callback_campaign_id;
};

/* EINVAL: an opt-out scope that is neither. */
NODISCARD int call_commit_step(struct pg *pg, const struct call_step *step);

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

/* After a crash: calls of the slot without an end and recordings still `live`. */
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
                          const struct uuid *call, /* NULL: of ended calls */
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

#endif
