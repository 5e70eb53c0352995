/*
 * The table of node kinds: one row each with its properties and exits. Whatever is not
 * in its row is an error in the flow.
 */
#include <string.h>

#include "ivr/compile.h"

enum field_type {
    FIELD_PROMPTS,
    FIELD_INT,
    FIELD_SECONDS, /* kept as milliseconds */
    FIELD_BOOL,
    FIELD_VAR,      /* the name of a variable the node sets */
    FIELD_TEXT,     /* as written; low and high bound its length */
    FIELD_KEYS,     /* keys of a telephone, or "" */
    FIELD_WORD,     /* one of words[] */
    FIELD_TEMPLATE, /* has: offset of its flag */
    FIELD_EXPR,
    FIELD_OWN, /* parsed by the row's function */
};

struct field {
    const char *name;
    enum field_type type;
    bool needed;
    size_t at, has;
    double low, high, usual;
    const char *const *words;
    void (*own)(struct compiler *c, const json_t *j, struct node *n);
};

struct kind {
    const char *name;
    const struct field *fields; /* ends with a NULL name */
    const char *const *exits;   /* NULL-terminated */
    const char *may_exit;       /* one that need not be wired; NULL none */
    bool digit_exits;           /* cases of a collect */
    bool case_exits;            /* cases of a branch */
    void (*check)(struct compiler *c, const json_t *j, struct node *n);
};

const char *const words_pipeline[] = {"none", "transcribe", "command", "callback", NULL};
const char *const words_scope[] = {"", "campaign", "tenant", "topic", "all", NULL};
const char *const words_reason[] = {"normal", "busy", NULL};
const char *const words_intent[] = {"",
                                    "record_commission",
                                    "record_receipt",
                                    "record_shipment",
                                    "record_transformation",
                                    "pack_batches",
                                    "unpack_batches",
                                    "split_batch",
                                    NULL};
const char *const words_op[] = {"find", "insert", "update", "delete", NULL};
const char *const words_method[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};

#define AT(member) .at = offsetof(struct node, member)
#define PROMPT(name)                                                                     \
    {                                                                                    \
#name, FIELD_PROMPTS, AT(name), .needed = false                                  \
    }
#define END_OF_FIELDS                                                                    \
    {                                                                                    \
        NULL                                                                             \
    }

/* ---- the rows ---- */

#define INTO                                                                             \
    {                                                                                    \
        "into", FIELD_VAR, AT(into)                                                      \
    }
#define KEYPAD                                                                           \
    PROMPT(prompt), PROMPT(retry_prompt), PROMPT(invalid_prompt),                        \
        PROMPT(no_input_prompt),                                                         \
        {"timeout_s", FIELD_SECONDS, AT(first_ms), .low = 1, .high = 60, .usual = 5},    \
        {"inter_s", FIELD_SECONDS, AT(inter_ms), .low = 1, .high = 30, .usual = 3},      \
        {"attempts", FIELD_INT, AT(attempts), .low = 0, .high = 10, .usual = 3},         \
    {                                                                                    \
        "barge_in", FIELD_BOOL, AT(barge_in), .usual = 1                                 \
    }
#define RECORDING(seconds)                                                               \
    PROMPT(prompt), {"max_s",  FIELD_SECONDS, AT(max_ms),                                \
                     .low = 1, .high = 3600,  .usual = (seconds)},                       \
        {"silence_s", FIELD_SECONDS, AT(silence_ms), .low = 0, .high = 60, .usual = 5},  \
        {"finish", FIELD_OWN, .own = own_finish},                                        \
        {"beep", FIELD_BOOL, AT(beep), .usual = 1},                                      \
        {"pipeline", FIELD_WORD, AT(pipeline), .words = words_pipeline},                 \
        {"on_done_sms", FIELD_TEXT, AT(on_done_sms), .high = 64}, INTO

static const struct field say_fields[] = {
    PROMPT(prompt),
    {"barge_in", FIELD_BOOL, AT(barge_in)},
    END_OF_FIELDS,
};

static const struct field collect_fields[] = {
    KEYPAD,
    {"min", FIELD_INT, AT(min), .low = 0, .high = IVR_DIGITS_MAX, .usual = 1},
    {"max", FIELD_INT, AT(max), .low = 1, .high = IVR_DIGITS_MAX, .usual = 1},
    {"finish", FIELD_KEYS, AT(finish), .high = 4},
    {"sensitive", FIELD_BOOL, AT(sensitive)},
    {"valid", FIELD_EXPR, AT(valid)},
    {"words", FIELD_OWN, .own = own_words},
    {"heard", FIELD_EXPR, AT(heard)},
    PROMPT(unheard_prompt),
    {"silences", FIELD_INT, AT(silences), .low = 1, .high = 10},
    INTO,
    END_OF_FIELDS,
};

static const struct field branch_fields[] = {
    {"on", FIELD_EXPR, AT(on)},
    {"cases", FIELD_OWN, .own = own_cases},
    END_OF_FIELDS,
};

static const struct field api_fields[] = {
    PROMPT(prompt),
    {"method", FIELD_WORD, AT(method), .words = words_method},
    {"url", FIELD_TEMPLATE, AT(url), .needed = true},
    {"headers", FIELD_OWN, .own = own_headers},
    {"body", FIELD_OWN, .own = own_body},
    {"timeout_s", FIELD_SECONDS, AT(timeout_ms), .low = 1, .high = 60, .usual = 10},
    {"into", FIELD_OWN, .own = own_extracts},
    {"mock", FIELD_OWN, .own = own_mock},
    END_OF_FIELDS,
};

static const struct field data_fields[] = {
    {"table", FIELD_TEXT, AT(table), .needed = true, .low = 1, .high = 31},
    {"do", FIELD_WORD, AT(op), .words = words_op},
    {"where", FIELD_OWN, .own = own_where},
    {"set", FIELD_OWN, .own = own_change},
    {"into", FIELD_OWN, .own = own_columns},
    {"mock", FIELD_OWN, .own = own_mock_row},
    END_OF_FIELDS,
};

static const struct field set_fields[] = {
    {"vars", FIELD_OWN, .own = own_set},
    {"opt_out", FIELD_WORD, AT(scope), .words = words_scope},
    END_OF_FIELDS,
};

static const struct field record_fields[] = {RECORDING(120), END_OF_FIELDS};

static const struct field transfer_fields[] = {
    PROMPT(prompt),
    {"to", FIELD_TEMPLATE, AT(to), .needed = true},
    {"from", FIELD_TEMPLATE, AT(from)},
    {"ring_s", FIELD_SECONDS, AT(ring_ms), .low = 5, .high = 120, .usual = 30},
    {"max_s", FIELD_SECONDS, AT(max_ms), .low = 10, .high = 14400, .usual = 3600},
    {"record", FIELD_BOOL, AT(record)},
    {"confirm_key", FIELD_KEYS, AT(confirm_key), .high = 1},
    END_OF_FIELDS,
};

static const struct field queue_fields[] = {
    PROMPT(prompt),
    {"queue", FIELD_TEXT, AT(queue), .needed = true, .low = 1, .high = 64},
    {"priority", FIELD_INT, AT(priority), .low = 0, .high = 100, .usual = 50},
    {"max_wait_s", FIELD_SECONDS, AT(wait_ms), .low = 5, .high = 3600, .usual = 300},
    {"exit_key", FIELD_KEYS, AT(exit_key), .high = 1},
    /* They are set before they are announced. */
    INTO,
    {"wait_into", FIELD_VAR, AT(wait_into)},
    PROMPT(announce),
    {"announce_every_s", FIELD_SECONDS, AT(inter_ms), .low = 5, .high = 600, .usual = 60},
    END_OF_FIELDS,
};

static const struct field callback_fields[] = {
    {"in_s", FIELD_EXPR, AT(in_s)},
    {"at", FIELD_TEMPLATE, AT(at), .has = offsetof(struct node, has_at)},
    {"to", FIELD_TEMPLATE, AT(to), .has = offsetof(struct node, has_to)},
    {"flow", FIELD_TEXT, AT(flow_name), .high = 64},
    {"into", FIELD_VAR, AT(into)},
    END_OF_FIELDS,
};

static const struct field sms_fields[] = {
    {"text", FIELD_PROMPTS, AT(text), .needed = true},
    {"to", FIELD_TEMPLATE, AT(to), .has = offsetof(struct node, has_to)},
    END_OF_FIELDS,
};

static const struct field submit_fields[] = {
    {"recording", FIELD_TEMPLATE, AT(recording),
     .has = offsetof(struct node, has_recording)},
    {"pipeline", FIELD_WORD, AT(pipeline), .words = words_pipeline},
    {"intent", FIELD_WORD, AT(intent), .words = words_intent},
    {"entities", FIELD_OWN, .own = own_entities},
    END_OF_FIELDS,
};

static const struct field language_fields[] = {
    KEYPAD,
    {"choices", FIELD_OWN, .needed = true, .own = own_choices},
    {"skip_if_known", FIELD_BOOL, AT(skip_if_known)},
    {"in_each_language", FIELD_BOOL, AT(in_each_language)},
    END_OF_FIELDS,
};

static const struct field subflow_fields[] = {
    {"flow", FIELD_OWN, .needed = true, .own = own_subflow},
    {"sha256", FIELD_TEXT, AT(flow_name), .low = 64, .high = 64},
    END_OF_FIELDS,
};

static const struct field hangup_fields[] = {
    PROMPT(prompt),
    {"outcome", FIELD_TEXT, AT(outcome), .low = 1, .high = 31},
    {"reason", FIELD_WORD, AT(reason), .words = words_reason},
    {"opt_out", FIELD_WORD, AT(scope), .words = words_scope},
    {"details", FIELD_OWN, .own = own_details},
    END_OF_FIELDS,
};

#define EXITS(...)                                                                       \
    (const char *const[])                                                                \
    {                                                                                    \
        __VA_ARGS__, NULL                                                                \
    }

static const struct kind kinds[] = {
    [NODE_PLAY] = {"play", say_fields, EXITS("done", "failed"), .check = need_prompt},
    [NODE_SAY] = {"say", say_fields, EXITS("done", "failed"), .check = need_prompt},
    [NODE_COLLECT] = {"collect", collect_fields, EXITS("invalid", "no_input"),
                      .digit_exits = true, .check = check_collect},
    [NODE_BRANCH] = {"branch", branch_fields, EXITS("default"), .case_exits = true,
                     .check = check_branch},
    [NODE_API] = {"api", api_fields, EXITS("ok", "http_error", "timeout", "bad_body"),
                  .check = check_api},
    [NODE_DATA] = {"data", data_fields, EXITS("done", "none", "failed"),
                   .may_exit = "locked", .check = check_data},
    [NODE_SET] = {"set", set_fields, EXITS("done")},
    [NODE_RECORD] = {"record", record_fields, EXITS("recorded", "empty", "failed")},
    [NODE_VOICEMAIL] = {"voicemail", record_fields, EXITS("recorded", "empty", "failed")},
    [NODE_TRANSFER] = {"transfer", transfer_fields,
                       EXITS("completed", "busy", "no_answer", "failed")},
    [NODE_QUEUE] = {"queue", queue_fields,
                    EXITS("served", "timeout", "full", "left_by_key", "failed")},
    [NODE_CALLBACK] = {"callback", callback_fields,
                       EXITS("scheduled", "duplicate", "refused"), .may_exit = "moved",
                       .check = check_callback},
    [NODE_SMS] = {"sms", sms_fields, EXITS("queued", "refused")},
    [NODE_SUBMIT] = {"submit", submit_fields, EXITS("done", "failed"),
                     .check = check_submit},
    [NODE_LANGUAGE] = {"language", language_fields,
                       EXITS("chosen", "invalid", "no_input")},
    [NODE_SUBFLOW] = {"subflow", subflow_fields, EXITS("done", "failed"),
                      .check = check_subflow},
    [NODE_HANGUP] = {"hangup", hangup_fields, (const char *const[]){NULL}},
};
_Static_assert(ARRAY_LEN(kinds) == NODE_KINDS, "a row for each kind");

#define KIND_NAMES                                                                       \
    "play say collect branch api data set record voicemail transfer queue callback sms " \
    "submit language subflow hangup"

const char *node_kind_name(enum node_kind kind)
{
    return kinds[kind].name;
}

bool node_exit_is_good(const char *name)
{
    static const char *const bad[] = {"invalid",  "no_input",   "failed",
                                      "empty",    "http_error", "timeout",
                                      "bad_body", "none",       "locked"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (strcmp(bad[i], name) == 0)
            return false;
    return true;
}

/* ---- reading a row's properties ---- */

static void read_text(struct compiler *c, const struct field *f, const json_t *j,
                      const char **out)
{
    const char *text = want_text(c, j);

    if (!text)
        return;
    if (strlen(text) < (size_t)f->low || strlen(text) > (size_t)f->high)
        complain(c, "", "a text of %d%s%.0d bytes is needed here", (int)f->low,
                 f->high > f->low ? " to " : "", f->high > f->low ? (int)f->high : 0);
    else if (f->type == FIELD_KEYS && *text && !is_keys(text))
        complain(c, "", "'%s' is not keys of a telephone", text);
    else
        *out = keep_text(c, text);
}

static void read_word(struct compiler *c, const struct field *f, const json_t *j,
                      int64_t *out)
{
    struct growing known = {.arena = c->arena};
    const char *text = want_text(c, j);

    for (int i = 0; text && f->words[i]; i++) {
        if (*text && strcmp(text, f->words[i]) == 0) {
            *out = i;
            return;
        }
        growing_printf(&known, "%s%s", known.len ? ", " : "", f->words[i]);
    }
    const char *hint = growing_text(&known);
    if (!hint)
        keep(c, SIZE_MAX);
    else if (text)
        complain(c, hint, "\"%s\" cannot be '%s'", f->name, text);
}

static void read_var(struct compiler *c, const json_t *j, const char **out)
{
    const char *name = want_text(c, j);

    if (name && !expr_is_name(name)) {
        complain(c, "up to 31 letters a-z, digits and _, a letter first",
                 "'%s' cannot be a variable's name", name);
    } else if (name) {
        *out = keep_text(c, name);
        var_is_set(c, name);
    }
}

/* in_s may be a plain number. NULL: complained. */
static const struct expr *read_expr(struct compiler *c, const json_t *j,
                                    enum node_kind kind)
{
    double v = 0;

    if (json_is_string(j) || kind != NODE_CALLBACK)
        return want_expr(c, j, kind == NODE_COLLECT);
    if (!want_number(c, j, 1, 30 * 86400, &v))
        return NULL;
    struct expr *x = keep(c, sizeof(*x));
    if (x)
        *x = (struct expr){.kind = EXPR_VALUE, .value = value_int((int64_t)v)};
    return x;
}

static void read_field(struct compiler *c, const struct field *f, const json_t *j,
                       struct node *n)
{
    char *at = (char *)n + f->at;
    size_t was = path_in(c, f->name);
    double v = 0;

    switch (f->type) {
    case FIELD_PROMPTS:
        compile_prompts(c, j, (struct prompts *)(void *)at);
        break;
    case FIELD_INT:
        if (want_number(c, j, f->low, f->high, &v))
            *(int64_t *)(void *)at = (int64_t)v;
        break;
    case FIELD_SECONDS:
        if (want_number(c, j, f->low, f->high, &v))
            *(int64_t *)(void *)at = (int64_t)(v * 1000 + 0.5);
        break;
    case FIELD_BOOL:
        want_bool(c, j, (bool *)at);
        break;
    case FIELD_VAR:
        read_var(c, j, (const char **)(void *)at);
        break;
    case FIELD_TEXT:
    case FIELD_KEYS:
        read_text(c, f, j, (const char **)(void *)at);
        break;
    case FIELD_WORD:
        read_word(c, f, j, (int64_t *)(void *)at);
        break;
    case FIELD_TEMPLATE:
        want_template(c, j, (struct template_ *)(void *)at);
        if (f->has)
            *((bool *)n + f->has) = true;
        break;
    case FIELD_EXPR:
        *(const struct expr **)(void *)at = read_expr(c, j, n->kind);
        break;
    case FIELD_OWN:
        f->own(c, j, n);
        break;
    }
    path_out(c, was);
}

static void set_usual(const struct field *f, struct node *n)
{
    char *at = (char *)n + f->at;

    if (f->type == FIELD_INT)
        *(int64_t *)(void *)at = (int64_t)f->usual;
    else if (f->type == FIELD_SECONDS)
        *(int64_t *)(void *)at = (int64_t)(f->usual * 1000);
    else if (f->type == FIELD_BOOL)
        *(bool *)at = f->usual > 0;
}

static bool knows_exit(const struct kind *k, const struct node *n, const char *name)
{
    for (size_t i = 0; k->exits[i]; i++)
        if (strcmp(k->exits[i], name) == 0)
            return true;
    if (k->may_exit && strcmp(k->may_exit, name) == 0)
        return true;
    for (size_t i = 0; i < n->hearing_count; i++)
        if (strcmp(n->hearings[i].exit, name) == 0)
            return true;
    if (k->digit_exits)
        return strcmp(name, "any") == 0 || is_keys(name);
    if (!k->case_exits || n->case_count == 0)
        return k->case_exits;
    for (size_t i = 0; i < n->case_count; i++)
        if (strcmp(n->cases[i].exit, name) == 0)
            return true;
    return false;
}

static void need_exit(struct compiler *c, const json_t *exits, const char *name)
{
    if (!json_object_get(exits, name))
        complain(c, "\"end\" ends the flow", "the exit '%s' goes nowhere", name);
}

static void read_exits(struct compiler *c, const struct kind *k, const json_t *j,
                       struct node *n)
{
    const char *name = NULL;
    json_t *value = NULL;

    if (j && !want_object(c, j))
        return;
    struct node_exit *list = keep(c, json_object_size(j) * sizeof(*list));
    if (!list)
        return;
    n->exits = list;
    json_object_foreach(loose(j), name, value)
    {
        if (!knows_exit(k, n, name)) {
            complain_key(c, name, "", "a %s has no exit '%s'", k->name, name);
            continue;
        }
        size_t was = path_in(c, name);
        list[n->exit_count].name = keep_text(c, name);
        list[n->exit_count++].target = compile_target(c, value);
        path_out(c, was);
    }
    for (size_t i = 0; k->exits[i]; i++)
        need_exit(c, j, k->exits[i]);
    for (size_t i = 0; i < n->case_count; i++)
        if (*n->cases[i].exit)
            need_exit(c, j, n->cases[i].exit);
    for (size_t i = 0; i < n->hearing_count; i++)
        need_exit(c, j, n->hearings[i].exit);
}

static const struct field *find_field(const struct kind *k, const char *name)
{
    for (const struct field *f = k->fields; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static const struct kind *find_kind(struct compiler *c, const json_t *j, struct node *n)
{
    const char *name = json_string_value(j);

    for (size_t i = 0; name && i < NODE_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            n->kind = (enum node_kind)i;
            return &kinds[i];
        }
    }
    if (!j) {
        complain(c, "kinds: " KIND_NAMES, "the node has no \"kind\"");
        return NULL;
    }
    size_t was = path_in(c, "kind");
    complain(c, "kinds: " KIND_NAMES, "there is no kind of node '%s'",
             name ? name : "(not a text)");
    path_out(c, was);
    return NULL;
}

static void read_fields(struct compiler *c, const struct kind *k, const json_t *j,
                        struct node *n)
{
    const char *key = NULL;
    json_t *value = NULL;

    for (const struct field *f = k->fields; f->name; f++) {
        set_usual(f, n);
        if (f->needed && !json_object_get(j, f->name))
            complain(c, "", "the node has no \"%s\"", f->name);
    }
    /* In the table's order, so that what a node reads stands before what it sets. */
    for (const struct field *f = k->fields; f->name; f++) {
        const json_t *given = json_object_get(j, f->name);
        if (given)
            read_field(c, f, given, n);
    }
    json_object_foreach(loose(j), key, value)
    {
        bool common = strcmp(key, "kind") == 0 || strcmp(key, "exits") == 0 ||
                      strcmp(key, "note") == 0;
        if (!common && !find_field(k, key))
            complain_key(c, key, "docs/flows.md lists them", "a %s has no property '%s'",
                         k->name, key);
    }
}

void compile_node(struct compiler *c, const json_t *j, struct node *n)
{
    n->into = n->wait_into = n->on_done_sms = n->outcome = n->queue = n->exit_key =
        n->flow_name = n->table = "";
    n->confirm_key = "";
    n->finish = "#";
    n->finish_any = 3;
    if (!want_object(c, j))
        return;
    const struct kind *k = find_kind(c, json_object_get(j, "kind"), n);
    if (!k)
        return;
    read_fields(c, k, j, n);
    size_t was = path_in(c, "exits");
    const json_t *exits = json_object_get(j, "exits");
    if (!exits && k->exits[0])
        path_out(c, was);
    if (exits || k->exits[0])
        read_exits(c, k, exits, n);
    path_out(c, was);
    if (k->check)
        k->check(c, j, n);
}
