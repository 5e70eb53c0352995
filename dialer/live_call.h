/*
 * live_call - what the files of live calls share: live.c (calls, events, timers),
 * live_step.c (inputs to the engine), live_run.c (commands to the phone), live_door.c
 * (works for Postgres).
 *
 * The life of a call: BEGINNING (call row, flow) → COMMITTING (a step was made; its
 * rows go to Postgres while its prompts are made) → RUNNING (its commands, then its
 * wait) → COMMITTING … → HANGING (hung up by us) → gone. A step that only asks runs ahead
 * of its commit (live_step.c, runs_ahead).
 *
 * Memory: between two steps a call is its stored state (`bytes`), what of it is asked for
 * (`head`, without variables) and no arena. A step reads the state into an arena of its
 * own; its output may borrow from the input before it, so the one before stays too,
 * until nothing is left to carry out but to listen for keys.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_LIVE_CALL_H
#define DIALER_LIVE_CALL_H

#include <uv.h>

#include "base/latency.h"
#include "base/str.h"
#include "campaigns/call_store.h"
#include "campaigns/program_store.h"
#include "campaigns/table.h"
#include "dialer/dialer.h"
#include "dialer/live.h"
#include "ivr/backend.h"

enum {
    LIVE_BUCKETS = 1024,
    LIVE_BEGIN_WAIT_MS = 10000,   /* for the call's row and flow */
    LIVE_PROMPT_WAIT_MS = 8000,   /* for prompts that had to be made */
    LIVE_PLAY_GRACE_MS = 3000,    /* beyond the length of the prompts */
    LIVE_RECORDED_WAIT_MS = 5000, /* for the end of a recording cut by a hang-up */
    LIVE_HANGUP_WAIT_MS = 5000,   /* for the end of a channel we hung up */
    LIVE_DEADLINE_MIN_MS = 20000, /* of real time, on a virtual clock */
    LIVE_DEAF_MS = 300, /* the key that ended a recording may be told after its end */
    LIVE_NAME_MAX = 160,
    LIVE_SAY_MS = 30000, /* between two words about waits */
};

enum live_phase {
    LIVE_BEGINNING,
    LIVE_COMMITTING,
    LIVE_RUNNING,
    LIVE_HANGING,
};

enum live_timer {
    LIVE_TIMER_DOOR, /* begin, commit, prompts */
    LIVE_TIMER_PLAY,
    LIVE_TIMER_KEYS,
    LIVE_TIMER_DEADLINE,
    LIVE_TIMER_QUEUE,
    LIVE_TIMER_END, /* hang-up, cut recording */
    LIVE_TIMERS,
};

/* A warning of ours for the step to come. */
struct live_note {
    char code[32], detail[96];
};

/* A call in a queue node (live_queue.c). */
struct live_queue {
    enum { QUEUE_OUT, QUEUE_WAITING, QUEUE_RINGING, QUEUE_TALKING } at;
    bool asking;     /* the database, for an agent */
    unsigned serial; /* of queue nodes entered: an answer may be to an earlier one */
    char name[64];
    int priority, position;
    char exit_key;
    int64_t since_ms, until_ms, news_at_ms, announce_ms; /* monotonic; 0 none */
    int64_t since_at_ms;                                 /* since_ms, epoch */
    int64_t wait_ms;                                     /* guessed */
};

struct live_call {
    struct live_call *next; /* of its bucket */
    struct lives *lives;
    struct live_start start;
    char *extension; /* start's */
    char id[UUID_TEXT_MAX], channel[96];
    char phone[PHONE_TEXT_MAX];
    enum live_phase phase;
    bool stopping, hung_up;
    int cause;

    uv_timer_t timer;         /* rings for the earliest of: */
    int64_t due[LIVE_TIMERS]; /* monotonic; 0 off */

    struct program *program;
    json_t *contact, *results;
    char language[16];
    int tz_min;            /* the party's clock */
    struct ivr_span *open; /* when it may be called again; NULL: not asked */
    size_t open_count;
    const struct ivr_backend *backend;

    uint8_t *bytes; /* of the state as it is stored */
    size_t len;
    struct ivr_state head;         /* its variables are only in bytes */
    const struct ivr_state *state; /* head; NULL before START */
    void *dropped; /* the state of an earlier call of the party, until START; or NULL */
    size_t dropped_len;
    struct ivr_arena *arena, *before; /* NULL while nothing is to be carried out */
    struct ivr_out out;
    struct ivr_rendered rendered;
    size_t at;  /* the command to come */
    char *body; /* of the HTTP answer the step borrows from */
    struct {    /* what came of a step's work on a table, told with its commit */
        struct table_result result;
        uint32_t seq; /* 0: nothing yet */
        bool wanted;  /* its command has come */
    } data;
    bool committed; /* the state, or nobody waits for it any more */
    bool ahead;     /* it may be carried out before that */
    uint32_t kept;  /* seq of the last step that is known to be committed */
    size_t prompts_left;
    struct live_note note;

    struct ivr_keys keys;
    struct ivr_collect collect; /* what keys listens for; its texts are the program's */
    const char **global_keys;   /* of collect */
    bool collects;              /* it is the one command still to come */
    int64_t deaf_until_ms;      /* monotonic */
    uint32_t play_id;           /* of what plays; 0 nothing */
    bool play_bargeable, barged;
    bool moh;

    struct { /* the recording whose row has no end yet */
        char name[LIVE_NAME_MAX];
        uint32_t token;
        bool open, started;
        enum ivr_finish finish;
    } recording;
    char recorded_name[LIVE_NAME_MAX], recorded_reason[64]; /* the step borrows them */
    bool recorded_told; /* after a hang-up the flow has had its RECORDED */

    struct live_queue queue;
    char agent[64];         /* the latest one; the step borrows it */
    int64_t answered_ms;    /* monotonic */
    int64_t answered_at_ms; /* business */
    int64_t event_us;       /* of the event whose action is to come; 0: none is */

    bool opted_out, submitted; /* submitted: a command to the jobs */
    int64_t callback_at_ms;
    char outcome[32];
};

struct lives {
    struct dialer *d;
    struct live_call *buckets[LIVE_BUCKETS];
    size_t n;
    struct programs *programs;
    char *folder; /* prompts, absolute */
    struct flow_secrets *secrets;
    uint32_t play_ids;
    struct latency actions; /* from an event to its action, since: */
    struct latency commits; /* from a step to its commit, likewise */
    int64_t said_at_ms;     /* monotonic */
    bool stopping, closed;
    size_t pending; /* callbacks and handles that point here; the last one frees */
};

/* live.c */
struct live_call *live_find(const struct lives *l, const struct uuid *id);
void live_hold(struct lives *l);
void live_let_go(struct lives *l);
/* Business time as it passes for the party: it begins with the call's and is never set,
 * so that nobody is kept on the line or cut off when the machine's clock is put right. */
int64_t live_now_ms(const struct live_call *c);
void live_arm(struct live_call *c, enum live_timer which, int64_t real_ms);
void live_disarm(struct live_call *c, enum live_timer which);
void live_hang_up(struct live_call *c, const char *reason);
/* Why it cannot go on: hung up, ends as failed. */
void live_fail(struct live_call *c, const char *why, int err);
/* Its end goes to the door, the owner is told; c is gone. */
void live_finish(struct live_call *c, const char *outcome);
void live_begun(struct live_call *c);

/* live_step.c. False: the engine would not have it, nothing has changed. After true c
 * may be gone, unless the party has hung up: then the step is only committed. */
bool live_feed(struct live_call *c, const struct ivr_input *in);
void live_committed(struct live_call *c, uint32_t seq, int err);
void live_door_is_late(struct live_call *c);            /* while COMMITTING */
int64_t live_commit_wait_ms(const struct live_call *c); /* of the step being committed */
/* Nothing more is waited for: its commands may be carried out. */
bool live_is_ready(const struct live_call *c);
/* Everything of the step is carried out: its memory goes. */
void live_rest(struct live_call *c);
/* The party is gone: the flow's last inputs, then the end of the call. */
void live_feed_hang_up(struct live_call *c);

/* live_run.c */
void live_prepare(struct live_call *c); /* prompts of the step */
void live_go(struct live_call *c);      /* once committed and prepared */
void live_run(struct live_call *c);     /* commands from c->at on */
void live_take_keys(struct live_call *c);
/* Takes the result. */
void live_data_done(struct live_call *c, uint32_t seq, struct table_result *result);
void live_warn(struct live_call *c, const char *code, const char *detail);

/* live_queue.c */
void live_queue_enter(struct live_call *c, const struct ivr_effect *fx);
void live_queue_look(struct live_call *c); /* its timer */
void live_queue_key(struct live_call *c, char key);
void live_queue_bridged(struct live_call *c);
void live_queue_dialled(struct live_call *c, const struct live_event *ev);
/* The flow has gone on, or the party is gone. */
void live_queue_drop(struct live_call *c);

/* live_door.c */
NODISCARD int live_door_begin(struct live_call *c);
/* ECANCELED: the door is closed. */
NODISCARD int live_door_commit(struct live_call *c);
void live_door_recording_end(struct live_call *c, const char *name, const char *state,
                             int64_t duration_ms, const char *error);
/* The state where the call dropped, for the party to go on with when it calls again; it
 * is taken over. */
void live_door_keep(struct live_call *c, void *state, size_t len);
void live_door_finish(struct live_call *c, const char *outcome);

/* live_http.c */
/* Answered by a feed later; false: not sent, why is in the call's note. */
bool live_http_send(struct live_call *c, const struct ivr_http *http);

#endif
