/*
 * ivr - the flow engine: compiles flow documents and walks calls through them.
 *
 * Pure: no I/O, no clock, no randomness, no globals, no log. ivr_compile() turns the
 * JSON text into a program once; ivr_step() maps (program, environment, state, input)
 * to (new state, effects, events). A host (dialer, server, command line) commits the
 * state with the rows the effects stand for, then carries the effects out in their
 * order; it needs to know nothing about nodes. A back end (ivr/backend.h) turns
 * effects into a switch's or a provider's words and their answers into inputs.
 *
 * Memory: everything returned lives in the arena that was passed, until
 * ivr_arena_free(). Text is UTF-8, borrowed, never NULL unless said.
 * Errors: 0 or an errno; ENOMEM is passed on and the call may be repeated.
 * Thread: any; a compiled program is read-only and may be shared, an arena may not.
 * Units: *_ms are milliseconds, *at_ms epoch milliseconds UTC.
 */
#ifndef IVR_IVR_H
#define IVR_IVR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

enum {
    IVR_MAX_DEPTH = 8,        /* sub-flows within sub-flows */
    IVR_DIGITS_MAX = 64,      /* keys of one entry */
    IVR_SOURCE_MAX = 1 << 20, /* bytes of one flow document */
    IVR_HASH_BYTES = 32,
};

/* ---- memory ---- */

struct ivr_allocator {
    void *(*alloc)(void *arg, size_t size);
    void (*free)(void *arg, void *p); /* never asked to free NULL */
    void *arg;
};

struct ivr_arena;

/* NULL takes malloc and free. *out is the caller's, to ivr_arena_free(). */
NODISCARD int ivr_arena_new(struct ivr_arena **out, const struct ivr_allocator *a);
void ivr_arena_free(struct ivr_arena *arena); /* NULL is allowed */

/* ---- compiling ---- */

struct ivr_prog;

struct ivr_issue {
    bool warning;
    const char *flow;        /* the sub-flow it is in, "" for the flow itself */
    const char *pointer;     /* RFC 6901; "" is the document */
    int line, column;        /* 1-based, bytes */
    const char *text, *hint; /* hint may be "" */
};

struct ivr_issues {
    const struct ivr_issue *list;
    size_t n, errors;
};

/* The text of a flow that a subflow node names. sha256: the pin, 64 hex digits, or ""
 * for the newest. *text stays valid until ivr_compile() returns. ENOENT: no such flow. */
typedef int(ivr_resolve_fn)(const char *name, const char *sha256, const char **text,
                            size_t *len, void *arg);
typedef void(ivr_sha256_fn)(const void *data, size_t len, uint8_t hash[IVR_HASH_BYTES]);

struct ivr_compile_options {
    ivr_sha256_fn *sha256;
    ivr_resolve_fn *resolve; /* NULL: sub-flows are errors */
    void *arg;
    /* Back ends by name, NULL-terminated: what one of them cannot do is an error then,
     * what it does otherwise a warning. NULL: nothing is asked. EINVAL: one of them is
     * none. */
    const char *const *backends;
    /* Languages that the host of those speaks by itself where they have no voice,
     * NULL-terminated; NULL: none. */
    const char *const *host_voices;
};

/* EBADMSG: the document has errors, all of them in *issues. Warnings alone are 0. */
NODISCARD int ivr_compile(struct ivr_prog **out, const char *text, size_t len,
                          const struct ivr_compile_options *options,
                          struct ivr_arena *arena, struct ivr_issues *issues);

const char *ivr_prog_name(const struct ivr_prog *p);
/* Of the text and of every sub-flow's text: what a session is pinned to. Equal to the
 * hash of the text alone when there are no sub-flows. */
const uint8_t *ivr_prog_hash(const struct ivr_prog *p);

/* What a prompt is in the talk. */
enum ivr_part {
    IVR_PART_TOLD,      /* something is told */
    IVR_PART_ASKED,     /* by the node that waits for keys: takes nothing for granted */
    IVR_PART_NOT_TAKEN, /* why it is asked again */
};

struct ivr_prompt {
    const char *asset;        /* content id of recorded audio, or "" */
    const char *text;         /* to speak, when there is no asset */
    const char *lang, *voice; /* voice "" is the language's usual one */
    bool bargeable;           /* a key stops it */
    enum ivr_part part;
};
/* The prompts that need nothing of a call (an asset, or text without expressions), so
 * that a host can fetch or synthesise them first. False when i is past the last. */
bool ivr_prog_prompt(const struct ivr_prog *p, size_t i, struct ivr_prompt *out);
/* May a call of it ask to be called back? Then its env wants open. */
bool ivr_prog_calls_back(const struct ivr_prog *p);

/* ---- state ---- */

enum ivr_status { IVR_WAITING, IVR_ENDED };

enum ivr_wait_kind {
    IVR_WAIT_NONE, /* ended */
    IVR_WAIT_KEYS,
    IVR_WAIT_RECORDING,
    IVR_WAIT_DIAL,
    IVR_WAIT_QUEUE,
    IVR_WAIT_HTTP,
    IVR_WAIT_DATA,
};

/* The wait's token is the state's seq: an input with another one is stale. */
struct ivr_wait {
    enum ivr_wait_kind kind;
    uint16_t media_node;    /* whose prompts are being heard; IVR_NO_NODE none */
    int64_t deadline_at_ms; /* send DEADLINE then, unless an input came first */
};

enum { IVR_NO_NODE = 0xffff };

enum ivr_type {
    IVR_NULL,
    IVR_BOOL,
    IVR_INT,
    IVR_DECIMAL, /* i / 10^scale */
    IVR_TEXT,
    IVR_JSON,  /* a list or map of the contact; never stored */
    IVR_FAULT, /* an error as a value, text says which; never stored */
};

struct ivr_value {
    enum ivr_type type;
    uint8_t scale;
    int64_t i; /* also of BOOL */
    const char *text;
    const json_t *json;
};

struct ivr_var {
    const char *name;
    struct ivr_value value;
};

struct ivr_frame {
    uint16_t flow, node; /* indices into the program */
    uint16_t attempts;   /* used up at the waiting node */
};

struct ivr_state {
    uint32_t seq; /* sprint number: 1 after START, or env.seq + 1 */
    enum ivr_status status;
    char session[64]; /* the call's id */
    int64_t tenant;
    uint8_t prog_hash[IVR_HASH_BYTES];
    uint8_t depth; /* frames in use; the last one waits */
    struct ivr_frame stack[IVR_MAX_DEPTH];
    struct ivr_wait wait;
    char lang[16];
    char outcome[32]; /* once ended: completed, hung_up, failed, opted_out, interrupted,
                         or the hangup node's own */
    uint32_t total_steps;
    int64_t started_at_ms, hard_stop_at_ms;
    bool on_error_used, opted_out, callback_asked;
    bool offered; /* waits to hear whether an earlier call is gone on with; the frames and
                     variables are that call's */
    size_t var_count;
    const struct ivr_var *vars; /* sorted by name */
};

/* For the durable copy between two steps. *bytes lives in the arena. */
NODISCARD int ivr_state_write(const struct ivr_state *s, struct ivr_arena *arena,
                              const uint8_t **bytes, size_t *len);
/* EBADMSG: not a state, or of another version. */
NODISCARD int ivr_state_read(const void *bytes, size_t len, struct ivr_arena *arena,
                             const struct ivr_state **out);

/* ---- step ---- */

enum ivr_cap {
    IVR_CAP_SMS = 1 << 0,
    IVR_CAP_CALLBACK = 1 << 1,
    IVR_CAP_TRANSFER = 1 << 2,
    IVR_CAP_QUEUE = 1 << 3,
    IVR_CAP_HTTP = 1 << 4,
    IVR_CAP_RECORD = 1 << 5,
    IVR_CAP_ALL = (1 << 6) - 1,
};

/* Half open. */
struct ivr_span {
    int64_t from_ms, until_ms;
};

/* All that depends on time, identity or configuration. Borrowed for the call. */
struct ivr_env {
    int64_t now_ms;
    uint64_t seed;       /* for random(); the same call, the same seed */
    int tz_min;          /* the contact's offset from UTC, for {{call.hour}} */
    int64_t tenant;      /* must be the state's */
    const char *session; /* the call's id, taken into the state at START */
    bool inbound;
    const char *phone;    /* the other party, E.164 with +; "" withheld */
    const char *dialled;  /* the number or extension called */
    const char *language; /* remembered for the party; "" unknown */
    /* Languages the host has a voice for, NULL-terminated; NULL: any. */
    const char *const *voices;
    const json_t *contact; /* object behind {{contact.*}}; NULL: none */
    uint32_t caps;         /* enum ivr_cap */
    uint32_t
        seq; /* at START: of the call's state in the flow before; 0: there was none */
    /* When the party may be called, in order; a callback asked for outside of them is
     * moved to the next. NULL: any time. */
    const struct ivr_span *open;
    size_t open_count;
    /* At START: where an earlier call of the party dropped (ivr_state_may_go_on). The
     * flow asks whether to go on from there; what does not fit the program is passed
     * over. NULL: none. Its parts live as long as out's. */
    const struct ivr_state *kept;
};

enum ivr_input_kind {
    IVR_IN_START,
    IVR_IN_DIGITS,       /* a complete entry, or the part there was when time ran out */
    IVR_IN_SAID,         /* in place of keys: words, spoken or typed */
    IVR_IN_NO_INPUT,     /* first_ms passed without a key */
    IVR_IN_MEDIA_FAILED, /* a prompt of the last sprint could not be played */
    IVR_IN_RECORDED,     /* after a hang-up: this first, then HANGUP */
    IVR_IN_DIAL_ENDED,
    IVR_IN_QUEUE_LEFT,
    IVR_IN_QUEUE_NEWS, /* it is to be said how long it still takes; the wait goes on */
    IVR_IN_HTTP_DONE,
    IVR_IN_DATA_DONE,
    IVR_IN_DEADLINE,
    IVR_IN_HANGUP, /* the party is gone; any token */
    IVR_IN_STOP,   /* the operator or a shutdown ends the call; any token */
};

enum ivr_recorded { IVR_RECORDED_OK, IVR_RECORDED_EMPTY, IVR_RECORDED_FAILED };
enum ivr_dialled {
    IVR_DIALLED_COMPLETED,
    IVR_DIALLED_BUSY,
    IVR_DIALLED_NO_ANSWER,
    IVR_DIALLED_FAILED,
};
enum ivr_left {
    IVR_LEFT_SERVED,
    IVR_LEFT_TIMEOUT,
    IVR_LEFT_FULL,
    IVR_LEFT_BY_KEY,
    IVR_LEFT_FAILED,
};
enum ivr_data_result {
    IVR_DATA_DONE,   /* there was a row; the new one is in the table */
    IVR_DATA_NONE,   /* no row fits; there is one with that key */
    IVR_DATA_LOCKED, /* a secret was guessed too often */
    IVR_DATA_FAILED, /* no such table or column, a value of another type */
};
enum ivr_http_result { IVR_HTTP_ANSWERED, IVR_HTTP_TIMEOUT, IVR_HTTP_FAILED };

/* Texts may be NULL for "". */
struct ivr_input {
    enum ivr_input_kind kind;
    uint32_t token; /* seq of the state whose wait this answers */
    union {
        struct {
            const char *digits; /* 0-9 * #, without the finishing key */
            char finish;        /* the finishing key, or 0 */
            bool barged;
        } keys;
        struct {
            const char *text; /* UTF-8 */
        } said;
        struct {
            enum ivr_recorded result;
            const char *ref; /* the recording's name */
            int64_t duration_ms;
            const char *reason; /* silence, key, max, hangup, …; for the event */
        } recorded;
        struct {
            enum ivr_dialled result;
            int64_t talked_ms;
            int cause; /* Q.850, 0 unknown */
        } dialled;
        struct {
            enum ivr_left result;
            int64_t waited_ms;
            const char *agent;
        } left;
        struct {
            int position;    /* 1: the next */
            int64_t wait_ms; /* until an agent, as the host guesses */
        } news;
        struct {
            enum ivr_http_result result;
            int status;
            const char *body;
            size_t body_len;
        } http;
        struct {
            enum ivr_data_result result;
            const char *row; /* DONE: the first row as it is now, a JSON object without
                                its secrets */
            size_t row_len;
        } data;
        struct {
            int cause; /* Q.850 */
        } hangup;
    };
};

/* Those marked with a star block: a sprint that waits ends with exactly one of them.
 * HANGUP stands last in a sprint that ends while the party is still there. */
enum ivr_effect_kind {
    IVR_FX_PROMPT,
    IVR_FX_COLLECT, /* * */
    IVR_FX_RECORD,  /* * */
    IVR_FX_DIAL,    /* * a request to the gate */
    IVR_FX_ENQUEUE, /* * */
    IVR_FX_HTTP,    /* * */
    IVR_FX_DATA,    /* * carried out in the transaction of the step's commit */
    IVR_FX_SMS,
    IVR_FX_SUBMIT,   /* a command for the jobs */
    IVR_FX_CALLBACK, /* a request to the gate */
    IVR_FX_OPT_OUT,  /* committed with the step, acts at once */
    IVR_FX_LANG,     /* remember for the party */
    IVR_FX_HANGUP,   /* * once every PROMPT before it has ended */
};

struct ivr_collect {
    int min, max;                   /* keys; max has room for the longest global key */
    const char *finish;             /* keys that end the entry, "" none */
    int64_t first_ms;               /* after the prompts, until the first key */
    int64_t inter_ms;               /* between two keys */
    bool sensitive;                 /* never log */
    const char *hears;              /* "en-US": words in it do as well; "" or NULL none */
    int own_max;                    /* complete at this many keys, unless they … */
    const char *const *global_keys; /* … begin one of these; NULL-terminated */
};
/* Is this entry complete without waiting inter_ms for more? */
bool ivr_collect_is_complete(const struct ivr_collect *c, const char *digits);

enum ivr_finish { IVR_FINISH_NONE, IVR_FINISH_ANY, IVR_FINISH_STAR, IVR_FINISH_HASH };

struct ivr_record {
    int64_t max_ms, silence_ms; /* silence 0: does not end it */
    enum ivr_finish finish;
    bool beep;
    const char *purpose;     /* record, voicemail */
    const char *pipeline;    /* none, transcribe, command, callback */
    const char *on_done_sms; /* template name, "" none */
    const char *node;
    uint32_t step; /* recording name = <channel id>-<step> */
};

/* Either a recording that was made in this call, by its name, for a pipeline; or what was
 * keyed in: an intent with its entities, a JSON object. */
struct ivr_submit {
    const char *recording, *pipeline; /* recording "": */
    const char *intent, *entities;
    const char *node;
};

struct ivr_header {
    const char *name, *value;
};

/* {secret:NAME} in headers and url is the host's to fill in. */
struct ivr_http {
    const char *method, *url;
    const struct ivr_header *headers;
    size_t header_count;
    const char *body; /* NULL: none */
    int64_t timeout_ms;
    const char *mock_body; /* for simulators; NULL: no mock */
    int mock_status;
};

enum ivr_data_op { IVR_DATA_FIND, IVR_DATA_INSERT, IVR_DATA_UPDATE, IVR_DATA_DELETE };

/*
 * On a table of the tenant (campaigns/table.h). where: {"column": value} or {"column":
 * {test: value}}, test one of not, more, less, at_least, at_most; all must hold; a value
 * for a column of secrets is compared with its hash. change: {"column": value} or
 * {"column": {"add": number}}. Both may hold what is in no event: never log them.
 */
struct ivr_data {
    enum ivr_data_op op;
    const char *table;
    const char *where, *change; /* JSON objects */
    const char *mock;           /* a row, for hosts without tables; NULL: none */
};

struct ivr_effect {
    enum ivr_effect_kind kind;
    union {
        struct ivr_prompt prompt;
        struct ivr_collect collect;
        struct ivr_record record;
        struct {
            const char *to; /* ext:2001, sip:…, +251… */
            const char *from;
            int64_t ring_ms, max_ms;
            bool record;
            char confirm_key; /* who answers presses it before they are put through; 0 */
        } dial;
        struct {
            const char *queue;
            int priority;
            int64_t max_wait_ms;
            char exit_key;       /* 0: none */
            int64_t announce_ms; /* between two QUEUE_NEWS; 0: none are wanted */
        } enqueue;
        struct ivr_http http;
        struct ivr_data data;
        struct {
            const char *to, *lang, *text;
        } sms;
        struct ivr_submit submit;
        struct {
            int64_t at_ms;
            const char *to, *flow; /* flow "": the same */
        } callback;
        struct {
            const char *scope; /* campaign, topic or tenant */
        } opt_out;
        struct {
            const char *tag;
        } lang;
        struct {
            const char *reason;  /* normal, busy, time_limit, error, stopped */
            const char *outcome; /* as the state's */
            const char *details; /* a JSON object for phones that are programs, or "" */
        } hangup;
    };
};

enum ivr_event_kind {
    IVR_EV_STARTED,
    IVR_EV_ENTERED,
    IVR_EV_LEFT,    /* name: the exit; value: the operand */
    IVR_EV_RESULT,  /* name, value, category */
    IVR_EV_VAR_SET, /* name, value */
    IVR_EV_WARNING, /* name: code; value: detail */
    IVR_EV_ERROR,   /* likewise */
    IVR_EV_ENDED,   /* name: outcome */
};

struct ivr_event {
    enum ivr_event_kind kind;
    const char *flow, *node;             /* node "" for the call itself */
    const char *name, *value, *category; /* "" where they mean nothing */
};
const char *ivr_event_name(enum ivr_event_kind kind); /* "entered", … */

enum ivr_verdict {
    IVR_OK,
    IVR_STALE,        /* token of another wait: carry out the stored output again */
    IVR_WRONG_WAIT,   /* no answer to this wait; nothing changed */
    IVR_OVER,         /* the flow has ended */
    IVR_PIN_MISMATCH, /* state of another program or tenant */
    IVR_CORRUPT,      /* state does not fit its own program */
};

struct ivr_out {
    enum ivr_verdict verdict;
    /* Only when OK: */
    const struct ivr_state *state;
    const struct ivr_effect *effects;
    size_t effect_count;
    const struct ivr_event *events;
    size_t event_count;
};

/* state is NULL for START and only for it (else EINVAL). out's parts live in the arena
 * and borrow from prog, env, state and input as well. ENOMEM. */
NODISCARD int ivr_step(const struct ivr_prog *prog, const struct ivr_env *env,
                       const struct ivr_state *state, const struct ivr_input *input,
                       struct ivr_arena *arena, struct ivr_out *out);

/* A sprint that waits for data is followed at once by another: what it was to say goes
 * before what that one does. Only prompts are taken from `first`; its parts and then's
 * live in the arenas they came from. ENOMEM. */
NODISCARD int ivr_out_follow(const struct ivr_out *first, struct ivr_out *then,
                             struct ivr_arena *arena);

/* The waiting node's id, "" when the flow has ended; borrowed from prog. */
const char *ivr_state_node(const struct ivr_prog *prog, const struct ivr_state *state);
/* What the waiting node asks for in keys; false: it waits for nothing of the kind. Global
 * keys are left out. */
bool ivr_state_entry(const struct ivr_prog *prog, const struct ivr_state *state,
                     struct ivr_collect *out);
/* The cases of the waiting node that are keys: the i-th, in the document's order; NULL:
 * there are no more, or it does not wait for keys. */
const char *ivr_state_key(const struct ivr_prog *prog, const struct ivr_state *state,
                          size_t i);

/* Should a call that drops here be kept, for the party to go on with? When the flow
 * offers that, somebody has done something in it, and it waits for the party. */
bool ivr_state_may_go_on(const struct ivr_prog *prog, const struct ivr_state *state);

/* For a worker that checks its row: does this state wait so, at the node of that name? */
bool ivr_state_expects(const struct ivr_prog *prog, const struct ivr_state *state,
                       enum ivr_wait_kind kind, const char *node);

#endif
