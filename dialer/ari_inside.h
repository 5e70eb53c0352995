/*
 * ari_inside - what the files of the ARI client share and nobody else includes.
 *
 * A struct ari_call is one channel with its second leg: of a call out from its
 * origination, of a call in from its StasisStart, until ChannelDestroyed. Answers of
 * Asterisk find it again by id; a late one finds nothing.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_ARI_INSIDE_H
#define DIALER_ARI_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/call_store.h"
#include "dialer/ari.h"
#include "dialer/ari_event.h"
#include "dialer/ari_socket.h"
#include "dialer/dialer.h"
#include "dialer/live.h"
#include "dialer/trunk.h"
#include "dialer/web.h"

enum {
    ARI_CHANNEL_MAX = 152,
    ARI_NAME_MAX = 176, /* of a recording */
    ARI_BUCKETS = 256,
    ARI_TICK_MS = 1000,
    ARI_LOUDNESS = 256, /* what counts as talk, in Asterisk's own measure */
    ARI_QUIET_MS = 300, /* of silence before Asterisk says that the talking is over */
};

enum ari_leg_state { LEG_NONE, LEG_RINGING, LEG_CONFIRMING, LEG_TALKING };

struct ari_call {
    struct ari_call *next;
    struct uuid id;
    char channel[ARI_CHANNEL_MAX];
    bool inbound, was_up;
    bool we_hung_up;
    const char *hang_up_reason; /* literal; asked again until it is gone. NULL: not */
    int64_t asked_hang_up_ms;   /* monotonic */
    char dial_status[16];       /* the last final one */
    int hangup_cause;           /* what the network said before the end; 0 nothing */
    bool leaving;               /* its end has begun: failing playbacks mean nothing */
    int64_t left_ms;            /* monotonic; its StasisEnd, 0 not yet */
    bool told_absent;           /* outbound: a query has told its end already */

    bool ended; /* over; only the fate of its recording is still asked */
    int end_cause, end_tech_cause;

    char dialled[32]; /* inbound */
    int64_t phone;
    bool decided; /* what becomes of it is known */
    struct call_extension extension;

    uint32_t play_id; /* being played, 0 none */
    char recording[ARI_NAME_MAX];
    int64_t record_from_ms;    /* monotonic; 0: it has not started, or unseen */
    int64_t record_from_at_ms; /* the same by the switch's clock; 0 not told */
    int64_t record_max_ms, record_silence_ms;
    bool record_beep;
    bool beeping; /* the tone before the recording is out */
    const char *record_terminate, *record_format; /* literals of ARI's */

    enum ari_leg_state leg;
    char leg_confirm_key; /* 0: none */
    int leg_number;       /* of its transfers */
    struct uuid leg_line; /* an agent's open line stands for the second leg; 0: none */
    int64_t leg_max_ms, leg_since_ms, leg_ring_until_ms; /* monotonic */
};

struct ari_line;
struct ari_wired;
struct ari_wired_list {
    struct ari_wired *head, **tail; /* tail: of what was added last */
};
struct ari_wire { /* ari_wire.c */
    bool speaks;  /* Asterisk has answered a request over the socket */
    bool spoilt;  /* it has said 409 there, and will say it again */
    int64_t last; /* number of a request */
    struct ari_wired_list open;
    int count;     /* of them */
    char *leaving; /* the text that was handed out last */
};

struct ari {
    struct dialer *dialer;
    struct trunk line; /* the phone of calls in */
    struct lws_context *library;
    uv_timer_t tick;             /* frees the ari when it has closed */
    char host[256], prefix[256]; /* prefix: path of the base URL */
    int port;
    bool tls;
    struct ari_socket *own, *in;
    struct ari_wire wire; /* requests over own */
    char own_app[80], in_app[80];
    bool replaced;           /* own: another process has our slot */
    int64_t blind_at_ms;     /* monotonic; replaced: when to ask for our calls again */
    char up_since[48];       /* Asterisk's own word; "" not heard yet */
    int64_t down_since_ms;   /* monotonic; 0: connected */
    int64_t strangers_at_ms; /* monotonic; 0: none are to be looked for */
    bool in_wanted, in_asking, in_leased;
    int64_t in_renew_ms; /* monotonic; next word with the database */
    int in_flight;       /* originations */
    size_t call_count;
    struct ari_call *calls[ARI_BUCKETS];
    struct ari_line *lines; /* of agents: ari_line.c */
    bool lines_bridge;      /* theirs is there */
};

/* ---- ari_call.c ---- */

/* "fw<installation>-<uuid>" or with "-b<n>" after it. False: not ours. */
bool ari_channel_parse(const struct ari *a, const char *channel, struct uuid *id,
                       int *leg);
void ari_channel_name(const struct ari *a, const struct uuid *id,
                      char out[ARI_CHANNEL_MAX]);
struct ari_call *ari_call_find(const struct ari *a, const struct uuid *id);
struct ari_call *ari_call_find_channel(const struct ari *a, const char *channel);
/* Finds or makes it. channel NULL: the one the id gives. */
struct ari_call *ari_call_get(struct ari *a, const struct uuid *id, const char *channel);
void ari_call_forget(struct ari *a, struct ari_call *call);
typedef void(ari_each_fn)(struct ari *a, struct ari_call *call);
void ari_each_call(struct ari *a, ari_each_fn *fn); /* fn may forget its call */
/* The channel is gone: tells live and placed, then forgets it. */
void ari_call_end(struct ari *a, struct ari_call *call, int cause, int tech_cause);
/* DELETE until it is gone; reason is a literal of ARI's. */
void ari_call_hang_up(struct ari *a, const struct uuid *id, const char *reason);

/* ---- ari_rest.c ---- */

/* Who asked: found again by id when the answer is there. */
struct ari_ask {
    struct uuid call;
    uint32_t n;
    char name[ARI_NAME_MAX];
    union {
        trunk_originated_fn *originated;
        trunk_query_fn *queried;
        trunk_recording_fn *recording;
    };
    void *arg;
};
/* d->ari may be NULL by then. */
typedef void(ari_reply_fn)(struct dialer *d, const struct web_resp *resp,
                           const struct ari_ask *ask);
struct ari_request {
    const char *method;
    const char *path; /* below the base URL, "/channels" */
    const char *body; /* JSON, or NULL */
    bool once;        /* web.h */
    bool brief;       /* answered without waiting for a channel: ari_wire.c */
    int timeout_ms;
};
/* fn is called once, later, never from inside; NULL: nobody cares. */
void ari_send(struct dialer *d, const struct ari_request *request, ari_reply_fn *fn,
              const struct ari_ask *ask);
/* The same with a path made of parts; each %s argument is escaped. */
void ari_sendf(struct dialer *d, const char *method, ari_reply_fn *fn,
               const struct ari_ask *ask, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The same for what is brief (struct ari_request). */
void ari_sendf_brief(struct dialer *d, const char *method, ari_reply_fn *fn,
                     const struct ari_ask *ask, const char *fmt, ...) PRINTF_LIKE(5, 6);
static inline bool ari_is_ok(const struct web_resp *resp)
{
    return !resp->err && resp->status >= 200 && resp->status < 300;
}
static inline bool ari_is_absent(const struct web_resp *resp)
{
    return !resp->err && resp->status == 404;
}

/* ---- ari_wire.c ---- */

/* Asterisk is asked over the socket, which is up, whether it takes requests there; the
 * application's filter lets answers pass already. */
void ari_wire_ask(struct ari *a);
/* a may be NULL. False: by HTTP. */
bool ari_wire_takes(const struct ari *a, const struct ari_request *request);
/* What ari_wire_takes(); as ari_send(), and web.h has the errors. */
void ari_wire_send(struct ari *a, const struct ari_request *request, ari_reply_fn *fn,
                   const struct ari_ask *ask);
void ari_wire_answered(struct ari *a, const json_t *answer);
const char *ari_wire_next(void *arg, size_t *len); /* ari_socket_ops.next */
void ari_wire_tick(struct ari *a, int64_t mono_now_ms);
/* The socket is gone: of what was handed to it, err; of the rest, that it was not sent,
 * unless err is ECANCELED. */
void ari_wire_lost(struct ari *a, int err);

/* ---- ari_phone.c ---- */

extern const struct live_phone_ops ari_phone_ops;
void ari_phone_played(struct ari *a, const struct ari_event *ev);
void ari_phone_recorded(struct ari *a, const struct ari_event *ev);
/* Events were missed: what has become of its playback and recording? */
void ari_phone_resync(struct ari *a, struct ari_call *call);
void ari_phone_ask_recording(struct ari *a, struct ari_call *call);

/* ---- ari_leg.c ---- */

void ari_leg_dial(void *phone, const struct uuid *id, const struct live_dial *dial);
void ari_leg_event(struct ari *a, struct ari_call *call, const struct ari_event *ev);
void ari_leg_drop(struct ari *a, struct ari_call *call); /* the call itself is over */
void ari_leg_tick(struct ari *a, struct ari_call *call, int64_t mono_now_ms);
void ari_leg_resync(struct ari *a, struct ari_call *call);

/* "PJSIP/{number}" and "2001" into "PJSIP/2001"; false: no such extension can be. */
bool ari_extension_endpoint(const struct dialer *d, const char *number, char *out,
                            size_t size);
/* A line that this call has: it is gone; its phone has pressed a key. */
void ari_leg_line_gone(struct ari *a, struct ari_call *call, int cause);
void ari_leg_line_key(struct ari *a, struct ari_call *call, char key);

/* ---- ari_line.c ---- */

void ari_line_channel(const struct ari *a, const struct uuid *line,
                      char out[ARI_CHANNEL_MAX]);
bool ari_line_is_known(const struct ari *a, const struct uuid *line);
/* True: the event is a line's. */
bool ari_line_event(struct ari *a, const struct uuid *id, const struct ari_event *ev);
/* The call has the open line of this extension from now on. False: none is free. */
bool ari_line_take(struct ari *a, const char *extension, const struct uuid *call,
                   struct uuid *out);
/* Back to the music; hung up when this dialer ends. */
void ari_line_give_back(struct ari *a, const struct uuid *id);
void ari_lines_resync(struct ari *a);
void ari_lines_free(struct ari *a);

/* ---- ari_inbound.c ---- */

void ari_inbound_start(struct ari *a, const struct ari_event *ev);
void ari_inbound_tick(struct ari *a, int64_t mono_now_ms); /* the lease */
void ari_inbound_resync(struct ari *a);
void ari_inbound_close(struct ari *a);

/* ---- ari.c ---- */

/* An application is told of what we act on and nothing else: of twenty events of a call
 * half would be thrown away. Without it all come, so nothing waits for the answer. */
void ari_filter_events(struct ari *a, const char *app, ari_reply_fn *fn);
void ari_open_socket(struct ari *a, struct ari_socket **out, const char *app,
                     const struct ari_socket_ops *ops);
void ari_handle(struct ari *a, bool in, const char *text, size_t len);
/* Channels of the application that nobody knows are hung up. */
void ari_hang_up_strangers(struct ari *a, const char *app);

#endif
