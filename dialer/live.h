/*
 * live - answered calls, in and out: runs the flow engine over a phone. One step is
 * input -> new state + effects; the step is committed (call_commit_step) before its
 * effects are rendered and carried out. One exception: a question that follows upon keys
 * is asked at once when every step before them is committed (live_step.c, runs_ahead).
 *
 * The phone (ARI channel, simulated party) is an ops struct; it reports back through
 * live_event(). A call is found by its id; a late event finds nothing.
 *
 * When Postgres is away a live call waits LIVE_COMMIT_WAIT_MS for its commit and then
 * goes on; the commits stay in the door's queue, in order (log: state=uncommitted). A
 * step that records does not: the switch is not told to record, nor the party to speak,
 * before the recording's row is committed. After record_wait_ms (dialer_config) it fails
 * instead.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_LIVE_H
#define DIALER_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "ivr/ivr.h"

struct dialer;
struct lives;

enum { LIVE_COMMIT_WAIT_MS = 3000 };

struct live_dial {
    const char *extension; /* digits */
    int64_t ring_ms, max_ms;
    char confirm_key; /* who answers hears a tone until they press it; 0: put through */
    bool line;        /* an agent: their open line is used when they have one */
};

/* None of these may call live_event() from inside; all texts are borrowed for the call.
 * phone is what live_start was given. */
struct live_phone_ops {
    const char *backend; /* ivr_backend_find(): "ari", "sim" */
    const char *source;  /* of recordings: "ari", "simulated" */
    const char *format;  /* of recordings: "wav16" */
    /* The channel id, for recording names. */
    void (*channel)(void *phone, const struct uuid *call, char *out, size_t size);
    /* One queue of media in this order; answered by one LIVE_PLAYED with play_id. */
    void (*play)(void *phone, const struct uuid *call, uint32_t play_id,
                 const char *const *media, size_t n);
    /* A key has stopped it; LIVE_PLAYED still comes. */
    void (*play_stop)(void *phone, const struct uuid *call, uint32_t play_id);
    /* Where the recording to come will be found: ARI base URL, or a file. */
    void (*recording_location)(void *phone, const struct uuid *call, const char *name,
                               char *out, size_t size);
    /* Answered by one LIVE_RECORDED with that name. */
    void (*record)(void *phone, const struct uuid *call, const char *name,
                   const struct ivr_record *record);
    void (*record_stop)(void *phone, const struct uuid *call, const char *name);
    void (*moh)(void *phone, const struct uuid *call, bool on);
    /* To an extension inside; LIVE_BRIDGED when both talk, and one LIVE_DIALLED at the
     * end, however it went. Other targets never come here: they would need a permit. */
    void (*dial)(void *phone, const struct uuid *call, const struct live_dial *dial);
    void (*hang_up)(void *phone, const struct uuid *call, const char *reason);
};

enum live_event_kind {
    LIVE_KEY,
    LIVE_PLAYED,
    LIVE_RECORDED,
    LIVE_BRIDGED, /* who was dialled and the party hear each other */
    LIVE_DIALLED,
    LIVE_HUNG_UP, /* the party, the network or we: the channel is gone */
};

struct live_event {
    enum live_event_kind kind;
    int64_t at_us; /* when it happened, mono_us(); 0: now */
    union {
        char key;
        struct {
            uint32_t play_id;
            bool failed;
        } played;
        struct {
            const char *name;
            enum ivr_recorded result;
            int64_t duration_ms;
            const char *reason; /* silence, key, max, hangup, failure's text */
        } recorded;
        struct {
            enum ivr_dialled result;
            int64_t talked_ms;
            int cause;
        } dialled;
        struct {
            int cause; /* Q.850 */
        } hung_up;
    };
};

/* What a call came to; told once, after its last step and end are committed (or are
 * in the door's queue). */
struct live_result {
    struct uuid call;
    bool opted_out;
    int64_t callback_at_ms; /* the party asked to be called then; 0 none */
    const char *outcome;    /* completed, hung_up, failed, opted_out, interrupted */
    int cause;              /* of LIVE_HUNG_UP */
};
typedef void(live_ended_fn)(struct dialer *d, const struct live_result *result);

struct live_start {
    struct uuid id; /* the attempt's when outbound */
    int tenant_id;
    bool inbound;
    int64_t campaign_id, contact_id; /* 0 none */
    int64_t phone;                   /* 0 withheld */
    const char *extension;           /* inbound; NULL else */
    int64_t flow_revision_id;
    int64_t callback_campaign_id;     /* inbound; 0 none */
    const struct live_phone_ops *ops; /* borrowed for ever */
    void *phone_arg;                  /* outlives the call */
    live_ended_fn *ended;             /* may be NULL */
};

/* d->loop, db, web, prompts (may be NULL) and config are used from the first call on. */
NODISCARD int lives_new(struct lives **out, struct dialer *d);
/* Calls that are left end untold (their rows stay open for recovery). The loop must run
 * until db, web and prompts have answered. */
void lives_free(struct lives *l);

/* The call is up. EEXIST: it runs already. When its flow cannot be run it is hung up
 * and ends as failed. */
NODISCARD int live_start(struct lives *l, const struct live_start *start);
/* Ignored when there is no such call. */
void live_event(struct lives *l, const struct uuid *call, const struct live_event *ev);
/* The media URI of the tone before a recording. ENOENT: there is none. */
NODISCARD int lives_beep(const struct lives *l, char *uri, size_t size);
bool live_is_running(const struct lives *l, const struct uuid *call);
size_t lives_count(const struct lives *l);
/* STOP to every flow (shutdown): polite end, then hang-up. New calls are refused
 * (ECANCELED). */
void lives_stop(struct lives *l);
/* Every second or so: says in the log, twice a minute, how long calls waited from an
 * event to what was done about it (log: action_p50_us and so on). */
void lives_tick(struct lives *l);
/* Makes the prompts of a flow that need nothing of a call, before the first call. */
void lives_warm(struct lives *l, int tenant_id, int64_t flow_revision_id);

#endif
