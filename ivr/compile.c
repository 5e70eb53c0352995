#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ivr/backend.h"
#include "ivr/compile.h"

/* jansson has one allocator for the whole process; documents are dropped before the
 * compiler returns. */
static void drop_json(json_t **j)
{
    json_decref(*j);
}

bool flow_has_language(const struct flow *f, const char *lang)
{
    for (size_t i = 0; i < f->language_count; i++)
        if (strcmp(f->languages[i], lang) == 0)
            return true;
    return false;
}

/* ---- the members of a document ---- */

static void read_languages(struct compiler *c, const json_t *doc, struct flow *f)
{
    const json_t *list = json_object_get(doc, "languages");
    const char *lang = json_string_value(json_object_get(doc, "language"));
    const json_t *item = NULL;
    size_t i = 0, was = 0;

    if (!lang || !is_lang(lang)) {
        complain(c, "e.g. \"language\": \"en\"", "the flow needs a language");
        lang = "en";
    }
    f->language = keep_text(c, lang);
    if (!list) {
        f->languages[f->language_count++] = f->language;
        return;
    }
    was = path_in(c, "languages");
    if (!json_is_array(list) || json_array_size(list) > LANGUAGES_MAX)
        complain(c, "", "a list of up to %d languages is needed here", LANGUAGES_MAX);
    for (; i < json_array_size(list) && i < LANGUAGES_MAX; i++) {
        size_t inner = path_in_index(c, i);
        item = json_array_get(list, i);
        const char *tag = want_text(c, item);
        if (tag && !is_lang(tag))
            complain(c, "e.g. \"am\"", "'%s' is not the tag of a language", tag);
        else if (tag && !flow_has_language(f, tag))
            f->languages[f->language_count++] = keep_text(c, tag);
        path_out(c, inner);
    }
    if (json_is_array(list) && !flow_has_language(f, f->language))
        complain(c, "", "'%s', the flow's language, is not among its languages",
                 f->language);
    path_out(c, was);
}

static void read_limit(struct compiler *c, const char *key, const json_t *j,
                       struct flow *f)
{
    const struct {
        const char *name;
        int64_t *out;
        int64_t high, unit;
    } known[] = {{"max_s", &f->max_ms, 14400, 1000},
                 {"steps", &f->sprint_steps, SPRINT_STEPS_MAX, 1},
                 {"session_steps", &f->session_steps, SESSION_STEPS_MAX, 1},
                 {"visits", &f->visits, SPRINT_STEPS_MAX, 1}};
    double v = 0;

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, key) != 0)
            continue;
        size_t was = path_in(c, key);
        if (want_number(c, j, 1, (double)known[i].high, &v))
            *known[i].out = (int64_t)v * known[i].unit;
        path_out(c, was);
        return;
    }
    complain_key(c, key, "known: max_s, steps, session_steps, visits",
                 "there is no limit '%s'", key);
}

static void read_limits(struct compiler *c, const json_t *j, struct flow *f)
{
    size_t was = path_in(c, "limits");
    const char *key = NULL;
    json_t *value = NULL;

    f->max_ms = 1800 * 1000;
    f->sprint_steps = SPRINT_STEPS_MAX;
    f->session_steps = SESSION_STEPS_MAX;
    f->visits = VISITS_MAX;
    if (j && want_object(c, j))
        json_object_foreach(loose(j), key, value) read_limit(c, key, value, f);
    path_out(c, was);
}

static void read_prompts(struct compiler *c, const json_t *j)
{
    size_t was = path_in(c, "prompts");
    const char *id = NULL;
    json_t *value = NULL;
    struct source *src = c->src;

    src->prompts = keep(c, (json_object_size(j) + 1) * sizeof(*src->prompts));
    if (!src->prompts || (j && !want_object(c, j))) {
        path_out(c, was);
        return;
    }
    json_object_foreach(loose(j), id, value)
    {
        size_t inner = path_in(c, id);
        struct prompt *p = &src->prompts[src->prompt_count++];
        p->id = keep_text(c, id);
        c->prompt = p;
        compile_prompt(c, value, p);
        c->prompt = NULL;
        path_out(c, inner);
    }
    path_out(c, was);
}

static void check_id(struct compiler *c, const char *id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-";
    size_t len = strlen(id);

    if (len == 0 || len > 40 || strspn(id, allowed) != len)
        complain_key(c, id, "up to 40 letters, digits, - and _",
                     "'%s' cannot be a node's name", id);
    if (strcmp(id, "end") == 0 || strcmp(id, "repeat") == 0)
        complain_key(c, id, "", "the name '%s' has a meaning of its own", id);
}

/* The names first, so that exits may lead forward. */
static void read_node_names(struct compiler *c, const json_t *doc, struct flow *f)
{
    struct source *src = c->src;
    size_t was = path_in(c, "nodes");
    const char *id = NULL;
    json_t *value = NULL;

    src->nodes = json_object_get(doc, "nodes");
    size_t n = json_object_size(src->nodes);
    if (!src->nodes) {
        path_out(c, was);
        complain(c, "", "the flow has no \"nodes\"");
    } else if (!want_object(c, src->nodes)) {
        src->nodes = NULL;
    } else if (n == 0 || n > NODES_MAX) {
        complain(c, "", "a flow has 1 to %d nodes, not %zu", NODES_MAX, n);
        n = 0;
    }
    src->list = keep(c, (n + 1) * sizeof(*src->list));
    src->sets = keep(c, (n + 1) * sizeof(*src->sets));
    if (n > 0 && !c->err) {
        json_object_foreach(loose(src->nodes), id, value)
        {
            check_id(c, id);
            src->list[f->node_count++].id = keep_text(c, id);
        }
    }
    f->nodes = src->list;
    path_out(c, was);
}

static void read_nodes(struct compiler *c, const struct flow *f)
{
    size_t was = path_in(c, "nodes");

    for (uint16_t i = 0; i < f->node_count && !c->err; i++) {
        struct node *n = &c->src->list[i];
        size_t inner = path_in(c, n->id);
        c->node = i;
        compile_node(c, json_object_get(c->src->nodes, n->id), n);
        c->node = IVR_NO_NODE;
        path_out(c, inner);
    }
    path_out(c, was);
}

static uint16_t read_target(struct compiler *c, const json_t *doc, const char *key)
{
    const json_t *j = json_object_get(doc, key);
    size_t was = path_in(c, key);
    uint16_t target = j ? compile_target(c, j) : IVR_NO_NODE;

    if (target == TARGET_END) {
        complain(c, "", "the name of a node is needed here");
        target = IVR_NO_NODE;
    }
    path_out(c, was);
    return target;
}

static int64_t opt_out_scope(const char *action)
{
    static const struct {
        const char *action;
        int64_t scope;
    } actions[] = {{"opt_out", SCOPE_TENANT},
                   {"opt_out_campaign", SCOPE_CAMPAIGN},
                   {"opt_out_topic", SCOPE_TOPIC}};

    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].action, action) == 0)
            return actions[i].scope;
    return SCOPE_NONE;
}

static void read_action(struct compiler *c, const json_t *j, struct global_key *g)
{
    const char *name = json_string_value(j);

    if (name && strcmp(name, "repeat") == 0) {
        g->target = TARGET_REPEAT;
    } else if (name && opt_out_scope(name) != SCOPE_NONE) {
        g->target = TARGET_OPT_OUT;
        g->scope = opt_out_scope(name);
    } else {
        g->target = compile_target(c, j);
    }
}

static void read_global(struct compiler *c, const char *keys, const json_t *j,
                        struct global_key *g)
{
    g->keys = keep_text(c, keys);
    g->target = IVR_NO_NODE;
    if (is_keys(keys))
        read_action(c, j, g);
    else
        complain(c, "", "'%s' is not keys of a telephone", keys);
}

static void read_globals(struct compiler *c, const json_t *j, struct flow *f)
{
    size_t was = path_in(c, "global_keys");
    const char *keys = NULL;
    json_t *value = NULL;

    f->after_opt_out = node_number(c, "opt_out");
    if (j && want_object(c, j)) {
        struct global_key *list = keep(c, json_object_size(j) * sizeof(*list));
        if (list) {
            f->globals = list;
            json_object_foreach(loose(j), keys, value)
            {
                size_t inner = path_in(c, keys);
                read_global(c, keys, value, &list[f->global_count++]);
                path_out(c, inner);
            }
        }
    }
    path_out(c, was);
}

static void read_global_words(struct compiler *c, const json_t *j, struct flow *f)
{
    size_t was = path_in(c, "global_words");
    const char *patterns = NULL;
    json_t *value = NULL;

    if (j && want_object(c, j)) {
        struct global_key *list = keep(c, json_object_size(j) * sizeof(*list));
        f->global_words = list;
        json_object_foreach(loose(list ? j : NULL), patterns, value)
        {
            size_t inner = path_in(c, patterns);
            read_action(c, value, &list[f->global_word_count]);
            list[f->global_word_count++].keys = keep_text(c, patterns);
            path_out(c, inner);
        }
    }
    path_out(c, was);
}

/* {"prompt": …, "key": "1"} */
static void read_go_on(struct compiler *c, const json_t *j, struct flow *f)
{
    const char *name = NULL;
    json_t *value = NULL;
    size_t was = path_in(c, "go_on");

    f->go_on_key = "1";
    if (j && want_object(c, j)) {
        json_object_foreach(loose(j), name, value)
        {
            size_t inner = path_in(c, name);
            const char *key = strcmp(name, "key") == 0 ? want_text(c, value) : NULL;
            if (strcmp(name, "prompt") == 0)
                compile_prompts(c, value, &f->go_on_prompt);
            else if (strcmp(name, "key") != 0)
                complain(c, "known: prompt, key", "go_on has no property '%s'", name);
            else if (key && (strlen(key) != 1 || !is_keys(key)))
                complain(c, "", "one key of a telephone is needed here");
            else if (key)
                f->go_on_key = keep_text(c, key);
            path_out(c, inner);
        }
        if (!json_object_get(j, "prompt"))
            complain(c, "what is asked", "go_on has no \"prompt\"");
    }
    path_out(c, was);
}

static void check_members(struct compiler *c, const json_t *doc)
{
    static const char *const known[] = {
        "furrow",    "name",        "language",     "languages", "entry",
        "limits",    "global_keys", "prompts",      "nodes",     "on_error",
        "on_hangup", "ui",          "global_words", "go_on"};
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(loose(doc), key, value)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found = found || strcmp(known[i], key) == 0;
        if (!found)
            complain_key(c, key,
                         "known: furrow, name, language, languages, entry, limits, "
                         "global_keys, global_words, prompts, nodes, on_error, "
                         "on_hangup, go_on, ui",
                         "a flow has no property '%s'", key);
    }
}

static void read_head(struct compiler *c, const json_t *doc, struct flow *f)
{
    const char *name = json_string_value(json_object_get(doc, "name"));
    const json_t *version = json_object_get(doc, "furrow");

    if (!json_is_integer(version) || json_integer_value(version) != 1)
        complain(c, "", "a flow begins with \"furrow\": 1");
    if (!name || !*name || strlen(name) > 64)
        complain(c, "", "the flow needs a name of up to 64 bytes");
    f->name = keep_text(c, name ? name : "");
}

static void read_document(struct compiler *c, const json_t *doc, struct flow *f)
{
    if (!want_object(c, doc))
        return;
    check_members(c, doc);
    read_head(c, doc, f);
    read_languages(c, doc, f);
    read_limits(c, json_object_get(doc, "limits"), f);
    if (c->err)
        return;
    read_prompts(c, json_object_get(doc, "prompts"));
    read_node_names(c, doc, f);
    if (c->err)
        return;
    read_nodes(c, f);
    f->entry = read_target(c, doc, "entry");
    if (!json_object_get(doc, "entry"))
        complain(c, "the node a call begins with", "the flow has no \"entry\"");
    f->on_error = read_target(c, doc, "on_error");
    f->on_hangup = read_target(c, doc, "on_hangup");
    read_go_on(c, json_object_get(doc, "go_on"), f);
    read_globals(c, json_object_get(doc, "global_keys"), f);
    read_global_words(c, json_object_get(doc, "global_words"), f);
    if (c->errors == c->portable_errors && !c->err) {
        check_graph(c);
        check_portable(c);
    }
}

/* Everything but ENOMEM is an issue. */
static void compile_text(struct compiler *c, const char *text, size_t len,
                         const char *issue_name)
{
    CLEANUP(drop_json) json_t *doc = NULL;
    json_error_t e;
    struct flow *f = keep(c, sizeof(*f));
    struct source src = {.text = text, .len = len, .flow = f, .issue_name = issue_name};
    struct source *outer = c->src;
    char pointer[POINTER_MAX];
    size_t pointer_len = c->pointer_len;
    uint16_t node = c->node;

    if (!f)
        return;
    memcpy(pointer, c->pointer, sizeof(pointer));
    path_out(c, 0);
    c->src = &src;
    c->node = IVR_NO_NODE;
    c->open_flows[c->depth] = (uint16_t)c->prog->flow_count;
    c->prog->flows[c->prog->flow_count++] = f;
    f->entry = f->on_error = f->on_hangup = f->after_opt_out = IVR_NO_NODE;
    c->options->sha256(text, len, f->hash);
    c->depth++;
    if (len > IVR_SOURCE_MAX) {
        complain(c, "", "the flow is longer than %d bytes", IVR_SOURCE_MAX);
    } else if (len == 0) {
        complain(c, "", "the flow is empty");
    } else {
        int err = value_load_json(&doc, text, len, JSON_REJECT_DUPLICATES, &e);
        if (!err)
            read_document(c, doc, f);
        else if (err == ENOMEM)
            c->err = ENOMEM;
        else
            complain_syntax(c, &e);
    }
    c->depth--;
    c->src = outer;
    c->node = node;
    memcpy(c->pointer, pointer, sizeof(pointer));
    c->pointer_len = pointer_len;
}

static void hash_text(const uint8_t *hash, char *out)
{
    for (int i = 0; i < IVR_HASH_BYTES; i++)
        snprintf(out + (size_t)2 * i, 3, "%02x", hash[i]);
}

static uint16_t find_flow(struct compiler *c, const uint8_t *hash)
{
    for (size_t i = 0; i < c->prog->flow_count; i++)
        if (memcmp(c->prog->flows[i]->hash, hash, IVR_HASH_BYTES) == 0)
            return (uint16_t)i;
    return IVR_NO_NODE;
}

uint16_t compile_subflow(struct compiler *c, const char *name, const char *sha256)
{
    const struct ivr_compile_options *o = c->options;
    uint8_t hash[IVR_HASH_BYTES];
    char hex[2 * IVR_HASH_BYTES + 1];
    const char *text = NULL;
    size_t len = 0, was = path_in(c, "flow");
    uint16_t number = IVR_NO_NODE;

    int err = o->resolve ? o->resolve(name, sha256, &text, &len, o->arg) : ENOENT;
    if (err == ENOMEM) {
        c->err = ENOMEM;
    } else if (err) {
        complain(c, o->resolve ? "publish it first" : "sub-flows are not available here",
                 "there is no flow '%s'", name);
    } else {
        o->sha256(text, len, hash);
        hash_text(hash, hex);
        number = find_flow(c, hash);
        bool open = false;
        for (int i = 0; i < c->depth && i < IVR_MAX_DEPTH; i++)
            open = open || c->open_flows[i] == number ||
                   (c->open[i + 1] && strcmp(c->open[i + 1], name) == 0);
        if (*sha256 && strcmp(sha256, hex) != 0)
            complain(c, "", "the flow '%s' has the hash %s", name, hex);
        else if (open || c->depth >= IVR_MAX_DEPTH)
            complain(c, "", "the sub-flow '%s' %s", name,
                     open ? "calls itself" : "is nested too deeply");
        else if (number == IVR_NO_NODE && c->prog->flow_count == FLOWS_MAX)
            complain(c, "", "there are more than %d sub-flows", FLOWS_MAX - 1);
        else if (number == IVR_NO_NODE) {
            number = (uint16_t)c->prog->flow_count;
            const char *kept = keep_text(c, name);
            c->open[c->depth] = kept;
            compile_text(c, text, len, kept);
            c->open[c->depth] = NULL;
        }
    }
    path_out(c, was);
    return number;
}

static int finish(struct compiler *c, struct ivr_prog **out, struct ivr_issues *issues)
{
    struct ivr_prog *p = c->prog;

    if (c->err)
        return c->err;
    *issues = (struct ivr_issues){c->issues, c->issue_count, c->errors};
    if (c->errors > 0)
        return EBADMSG;
    memcpy(p->hash, p->flows[0]->hash, sizeof(p->hash));
    if (p->flow_count > 1) {
        uint8_t all[FLOWS_MAX * IVR_HASH_BYTES];
        for (size_t i = 0; i < p->flow_count; i++)
            memcpy(all + i * IVR_HASH_BYTES, p->flows[i]->hash, IVR_HASH_BYTES);
        c->options->sha256(all, p->flow_count * IVR_HASH_BYTES, p->hash);
    }
    p->prompts = c->still;
    p->prompt_count = c->still_count;
    *out = p;
    return 0;
}

EXPORT int ivr_compile(struct ivr_prog **out, const char *text, size_t len,
                       const struct ivr_compile_options *options, struct ivr_arena *arena,
                       struct ivr_issues *issues)
{
    struct compiler *c = arena_alloc(arena, sizeof(*c));

    *issues = (struct ivr_issues){0};
    if (!options || !options->sha256)
        return EINVAL;
    for (const char *const *name = options->backends; name && *name; name++)
        if (!ivr_backend_find(*name))
            return EINVAL;
    if (!c)
        return ENOMEM;
    c->arena = arena;
    c->options = options;
    c->node = IVR_NO_NODE;
    c->prog = keep(c, sizeof(*c->prog));
    if (c->prog)
        compile_text(c, text, len, "");
    return finish(c, out, issues);
}

EXPORT const char *ivr_prog_name(const struct ivr_prog *p)
{
    return p->flows[0]->name;
}

EXPORT const uint8_t *ivr_prog_hash(const struct ivr_prog *p)
{
    return p->hash;
}

EXPORT bool ivr_prog_calls_back(const struct ivr_prog *p)
{
    for (size_t i = 0; i < p->flow_count; i++)
        for (size_t k = 0; k < p->flows[i]->node_count; k++)
            if (p->flows[i]->nodes[k].kind == NODE_CALLBACK)
                return true;
    return false;
}

EXPORT bool ivr_prog_prompt(const struct ivr_prog *p, size_t i, struct ivr_prompt *out)
{
    if (i >= p->prompt_count)
        return false;
    *out = p->prompts[i];
    return true;
}
