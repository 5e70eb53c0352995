/*
 * prog - a compiled flow as the steps read it. Inside ivr/ only; immutable.
 */
#ifndef IVR_PROG_H
#define IVR_PROG_H

#include "ivr/expr.h"
#include "ivr/ivr.h"

enum {
    NODES_MAX = 500,
    FLOWS_MAX = 32, /* of one program, sub-flows included */
    LANGUAGES_MAX = 16,
    PROMPTS_OF_NODE_MAX = 8, /* heard one after the other */
    VARS_BYTES_MAX = 32 * 1024,
    SPRINT_STEPS_MAX = 100,
    SESSION_STEPS_MAX = 1000,
    VISITS_MAX = 10,         /* of one node in one sprint */
    ERROR_STEPS = 30,        /* what on_error and on_hangup may still take */
    TARGET_END = 0xfffe,     /* an exit wired to "end" */
    TARGET_REPEAT = 0xfffd,  /* global keys only */
    TARGET_OPT_OUT = 0xfffc, /* global keys only */
};

enum node_kind {
    NODE_PLAY,
    NODE_SAY,
    NODE_COLLECT,
    NODE_BRANCH,
    NODE_API,
    NODE_DATA,
    NODE_SET,
    NODE_RECORD,
    NODE_VOICEMAIL,
    NODE_TRANSFER,
    NODE_QUEUE,
    NODE_CALLBACK,
    NODE_SMS,
    NODE_SUBMIT,
    NODE_LANGUAGE,
    NODE_SUBFLOW,
    NODE_HANGUP,
    NODE_KINDS,
};

/* A prompt in one language; without asset and text it only names its fallback. */
struct variant {
    const char *lang, *asset, *voice, *fallback; /* "" for none */
    bool has_text;
    struct template_ text;
};

struct prompt {
    const char *id; /* "" when written in the node itself */
    size_t n;
    const struct variant *variants;
};

struct prompts {
    size_t n;
    const struct prompt *list[PROMPTS_OF_NODE_MAX];
};

struct node_exit {
    const char *name;
    uint16_t target;
};

struct node_case {
    const char *exit;
    const struct expr *when; /* or: */
    size_t n;
    const struct ivr_value *values;
};

/* A literal, or a template; one whole expression keeps its type. */
struct assignment {
    const char *name;
    bool is_template;
    struct ivr_value literal;
    struct template_ text;
};

struct http_header {
    const char *name;
    struct template_ value;
};

struct extract {
    const char *name;
    const char *const *path; /* NULL-terminated tokens of a JSON Pointer */
};

/* Phrases that are as good as a case's keys. */
struct hearing {
    const char *exit;
    const char *patterns; /* words_have() */
};

struct choice {
    const char *keys, *lang;
};

/* One shape for every kind: what a kind does not use is zero. */
struct node {
    const char *id;
    enum node_kind kind;
    size_t exit_count;
    const struct node_exit *exits;
    struct prompts prompt, retry_prompt, invalid_prompt, no_input_prompt, text, announce;
    bool barge_in, sensitive, beep, record, skip_if_known, in_each_language;
    const char *into; /* a variable, "" none */
    /* collect, language */
    int64_t min, max, attempts, first_ms, inter_ms;
    const char *finish;
    const struct expr *valid;
    size_t choice_count;
    const struct choice *choices;
    size_t hearing_count;
    const struct hearing *hearings;
    const struct expr *heard;
    struct prompts unheard_prompt;
    int64_t silences; /* in a row; 0: they count as attempts */
    /* branch */
    const struct expr *on;
    size_t case_count;
    const struct node_case *cases;
    /* set */
    size_t set_count;
    const struct assignment *set;
    /* record, voicemail */
    int64_t max_ms, silence_ms, finish_any;
    int64_t pipeline, scope, reason, method; /* indices of words */
    const char *on_done_sms, *outcome;
    /* transfer, queue, callback, sms */
    struct template_ to, from, at;
    bool has_to, has_at;
    int64_t ring_ms, wait_ms, priority;
    const char *queue, *exit_key, *confirm_key, *flow_name, *wait_into;
    const struct expr *in_s;
    /* api */
    struct template_ url, body;
    bool has_body, body_is_json;
    size_t header_count, extract_count;
    const struct http_header *headers;
    const struct extract *extracts;
    int64_t timeout_ms;
    const char *mock_body; /* NULL: none */
    int mock_status;
    /* data: mock_body and extracts as api */
    const char *table;
    int64_t op;
    struct template_ where, change;
    /* submit: a recording, or an intent with its entities */
    struct template_ recording, entities;
    bool has_recording;
    int64_t intent;
    /* hangup */
    bool has_details;
    struct template_ details;
    /* subflow */
    uint16_t flow;
};

struct global_key {
    const char *keys; /* or patterns */
    uint16_t target;
    int64_t scope; /* of TARGET_OPT_OUT */
};

struct flow {
    const char *name, *language;
    uint8_t hash[IVR_HASH_BYTES];
    size_t language_count, node_count, global_count, global_word_count;
    const char *languages[LANGUAGES_MAX];
    const struct node *nodes;
    const struct global_key *globals, *global_words;
    uint16_t entry, on_error, on_hangup; /* IVR_NO_NODE: none */
    uint16_t after_opt_out;              /* the node "opt_out", or IVR_NO_NODE */
    struct prompts go_on_prompt;         /* none: a dropped call is not gone on with */
    const char *go_on_key;
    int64_t max_ms, sprint_steps, session_steps, visits;
};

struct ivr_prog {
    uint8_t hash[IVR_HASH_BYTES];
    size_t flow_count;
    const struct flow *flows[FLOWS_MAX]; /* the first is the root */
    size_t prompt_count;                 /* those that need nothing of a call */
    const struct ivr_prompt *prompts;
};

extern const char *const words_pipeline[],
    *const words_scope[], *const words_reason[], *const words_method[],
                                                     *const words_op[],
                                                         *const words_intent[];
enum { SCOPE_NONE, SCOPE_CAMPAIGN, SCOPE_TENANT, SCOPE_TOPIC, SCOPE_ALL };

const char *node_kind_name(enum node_kind kind);
bool flow_has_language(const struct flow *f, const char *lang);

#endif
