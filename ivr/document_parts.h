/*
 * document_parts - what the two document back ends share: the walk over a sprint's
 * effects, wait words, and reading a request's fields. Inside ivr/ only.
 */
#ifndef IVR_DOCUMENT_PARTS_H
#define IVR_DOCUMENT_PARTS_H

#include "ivr/document.h"
#include "ivr/xml.h"

/* A language of flows and how the provider names it. */
struct voice {
    const char *lang, *tag, *voice;
};

/* A prompt as it will be heard: a URL, or text with a voice of the provider's. */
struct heard {
    const char *url; /* NULL: text */
    const char *text, *tag, *voice;
    bool bargeable;
};

struct doc {
    struct xml x;
    const struct doc_words *words;
    const struct ivr_call_ctx *call;
    const struct ivr_document_ctx *ctx;
    struct ivr_arena *arena;
    uint32_t token;
    bool ended; /* nothing may follow */
};

/* What it cannot do; for the check of flows. Seconds; 0: no such bound. */
struct doc_limits {
    long keys_max;                 /* of one entry */
    long entry_min_s, entry_max_s; /* from the prompts' end to the last key */
    long key_min_s, key_max_s;     /* between two keys */
    bool one_timeout;              /* for the first key and between two */
};

/* A provider's elements. Those that take an effect end the document. */
struct hold;
struct doc_words {
    size_t document_max, speech_max; /* bytes; characters of one spoken element */
    struct doc_limits limits;
    const struct voice *voices; /* ended by lang NULL; the first of a language counts */
    bool (*is_voice)(const char *voice); /* may a flow name it? */
    const char *speech;                  /* the element that speaks */
    void (*pause)(struct doc *d, long seconds);
    void (*collect)(struct doc *d, const struct ivr_collect *c, const struct heard *list,
                    size_t n);
    void (*record)(struct doc *d, const struct ivr_record *r);
    void (*dial)(struct doc *d, const struct ivr_effect *fx);
    /* What a caller in a queue hears, and then again. */
    void (*hold)(struct doc *d, const struct hold *h);
    /* The phone at `to`, of who takes the call; url: what the end of it leads to. */
    void (*ring)(struct doc *d, const char *to, const char *url);
    void (*hangup)(struct doc *d, const char *reason, bool refuse);
    /* Fields of its requests that say where a recording lies, and its id. */
    const char *recording_url, *recording_id;
};

/* What render of a document back end is. */
NODISCARD int doc_render(const struct doc_words *words, const struct ivr_out *step,
                         const struct ivr_call_ctx *call, struct ivr_arena *arena,
                         struct ivr_rendered *out);
/* A document of its own; doc_end gives its text. */
NODISCARD int doc_begin(struct doc *d, const struct doc_words *words,
                        const struct ivr_call_ctx *call, uint32_t token,
                        struct ivr_arena *arena);
NODISCARD int doc_end(struct doc *d, const char **document);

void doc_hear(struct doc *d, const struct heard *h);
/* {action_prefix}/{token}/{wait}; "" once memory has run out. */
PRINTF_LIKE(2, 3) const char *doc_url(struct doc *d, const char *format, ...);
/* What keys lead to. */
const char *doc_keys_url(struct doc *d);
/* The number that a DIAL shows; "" none. */
const char *doc_from(const struct doc *d, const struct ivr_effect *fx);
/* hold_url, or so many seconds of silence. */
void doc_music(struct doc *d, long seconds);
/* The tone, or the words, that ask who answers for the key. */
void doc_press(struct doc *d, const struct voice *v, char key);
/* Whole seconds, rounded up, within bounds. */
long doc_seconds(int64_t ms, long low, long high);
/* sip:…, +251…, or NULL: cannot be dialled from there. */
const char *doc_address(struct doc *d, const char *to);
const struct voice *doc_voice(const struct doc_words *words, const char *lang);

/* ---- document_elements.c: elements that both providers have alike ---- */

/* An element with nothing but a text. */
void doc_leaf(struct doc *d, const char *name, const char *text);
void doc_speak(struct doc *d, const struct heard *h, const char *text, size_t len);
void doc_play(struct doc *d, const char *url);
void doc_redirect(struct doc *d, const char *url);
/* Attributes of an element that is open: a URL that is asked for by POST; */
void doc_callback(struct doc *d, const char *name, const char *method, const char *url);
/* how long is recorded and what ends it; none: no key does; */
void doc_record_bounds(struct doc *d, const struct ivr_record *r, long max_s,
                       const char *none);
/* why a call is refused. */
void doc_refusal(struct doc *d, const char *reason);

/* ---- collect ---- */

/* The one key that ends an entry where a provider knows only one: 0 none. */
char doc_finish(const struct ivr_collect *c);

/* ---- wait words ---- */

/* "hold-1790000000-300-60-1790000060-7-s": numbers, and keys (digit, s *, h #, n none).
 */
struct wait_word {
    char name[16];
    int64_t n[5];
    char key; /* '0'…'9', '*', '#' or 0 */
};
/* EBADMSG. */
NODISCARD int wait_word_parse(const char *text, struct wait_word *out);
char wait_key(char key); /* '*' as s, 0 as n */

/* Where a queue stands: the arguments of a hold word, in seconds since the epoch. */
struct hold {
    int64_t since_s, max_s, announce_s, next_s; /* announce 0: none */
    int64_t count; /* of documents of this wait, so that no two requests are the same */
    char key;
};
struct hold hold_of_effect(const struct doc *d, const struct ivr_effect *fx);
struct hold hold_of_word(const struct wait_word *w);
const char *hold_url(struct doc *d, const struct hold *h);
/* The wait goes on, or the agent of the context is rung. Ends the document. */
void doc_wait(struct doc *d, const struct hold *h);
enum { AGENT_RING_S = 20, AGENT_TALK_S = 14400 };

/* ---- requests ---- */

struct reading {
    const struct doc_words *words;
    const struct ivr_request *req;
    const struct ivr_call_ctx *call;
    const struct ivr_state *state;
    struct ivr_arena *arena;
    uint32_t token;
    struct wait_word word;
    struct ivr_parsed *out;
};

/* "" when it is not there, NULL when it is too long. */
const char *reading_field(const struct reading *r, const char *name);
/* A whole number of seconds, also "12.4"; nothing is 0. EBADMSG. */
NODISCARD int reading_seconds(const struct reading *r, const char *name, int64_t *ms);
struct ivr_input *reading_input(struct reading *r, enum ivr_input_kind kind);
/* Keeps where the recording lies and its id; "" is NULL. */
NODISCARD int reading_recording(struct reading *r);
/* RECORDED, told beside the flow: no input. */
NODISCARD int reading_recorded_aside(struct reading *r, int64_t ms);
NODISCARD int reading_keys(struct reading *r, const char *digits);
/* The same where words may come in place of keys. */
NODISCARD int reading_keys_or_words(struct reading *r, const char *digits,
                                    const char *words);

/* A word of the provider and what it means here. */
struct meaning {
    const char *word;
    int result, cause;
};
/* NULL: it means nothing. list ends with word NULL. */
const struct meaning *meaning_of(const struct meaning *list, const char *word);

/* The end of an agent's part; read: that of a DIAL. */
NODISCARD int reading_rung(struct reading *r, int (*read)(struct reading *r));
/* A document for the phone of somebody else than the caller. */
NODISCARD int reading_aside(struct reading *r, struct doc *d);
/* HANGUP when CallStatus is one of these. */
NODISCARD int reading_status(struct reading *r, const struct meaning *ends);

struct reader {
    const char *word;
    int (*read)(struct reading *r);
};
/* What request of a document back end is. The common words (no_input, silent, undialled,
 * media_gone, recorded, http, hold) and those of the list, which ends with word NULL.
 * EBADMSG: it is no request of ours. */
NODISCARD int reading_run(const struct doc_words *words, const struct reader *list,
                          const struct ivr_request *req, const struct ivr_call_ctx *call,
                          const struct ivr_state *state, struct ivr_arena *arena,
                          struct ivr_parsed *out);

NODISCARD int doc_farewell(const struct doc_words *words, const char *url,
                           struct ivr_arena *arena, const char **document);
/* The entry of that language, or of its plain one ("am" for "am-ET"); else the first. */
const char *doc_apology(const char *const (*list)[2], size_t n, const char *lang);

#endif
