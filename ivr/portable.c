/*
 * What a flow asks of a provider that the provider cannot do (an error), or does
 * otherwise than the other phones (a warning); said when the flow is checked and
 * published, not in a live call. Asterisk and the simulator do all of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ivr/compile.h"
#include "ivr/document_parts.h"

struct port {
    struct compiler *c;
    const struct doc_words *words;
    const char *provider;
};

/* A prompt that nodes share is told of once. */
static bool is_told(const struct compiler *c, const char *text)
{
    for (size_t i = 0; i < c->issue_count; i++)
        if (strcmp(c->issues[i].text, text) == 0 &&
            strcmp(c->issues[i].pointer, c->pointer) == 0 &&
            strcmp(c->issues[i].flow, c->src->issue_name) == 0)
            return true;
    return false;
}

PRINTF_LIKE(4, 5)
static void tell(struct port *p, bool warning, const char *hint, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    int n = snprintf(text, sizeof(text), "%s ", p->provider);
    vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    va_end(args);
    if (is_told(p->c, text))
        return;
    if (warning) {
        warn(p->c, hint, "%s", text);
    } else {
        complain(p->c, hint, "%s", text);
        p->c->portable_errors++;
    }
}

/* ---- what is heard ---- */

/* The host's own speech: "am" for "am-ET", too. */
static bool host_speaks(const struct port *p, const char *lang)
{
    const char *const *v = p->c->options->host_voices;
    size_t plain = strcspn(lang, "-_");

    for (; v && *v; v++)
        if (strcmp(*v, lang) == 0 ||
            (strlen(*v) == plain && strncmp(*v, lang, plain) == 0))
            return true;
    return false;
}

static void check_variant(struct port *p, const struct variant *v)
{
    size_t was = path_in(p->c, v->lang);

    if (*v->asset || !v->has_text) {
        path_out(p->c, was);
        return;
    }
    if (doc_voice(p->words, v->lang)) {
        if (*v->voice && !p->words->is_voice(v->voice))
            tell(p, true, "",
                 "does not know the voice '%s': its usual one for '%s' speaks", v->voice,
                 v->lang);
    } else if (host_speaks(p, v->lang)) {
        tell(p, true, "", "has no voice for '%s': espeak-ng of furrow-server is heard",
             v->lang);
    } else if (*v->fallback) {
        tell(p, true, "", "has no voice for '%s': the fallback '%s' is heard", v->lang,
             v->fallback);
    } else {
        tell(p, false, "give it an \"audio\" in that language, or a \"fallback\"",
             "has no voice for '%s'", v->lang);
    }
    path_out(p->c, was);
}

static void check_prompt(struct port *p, const struct prompt *prompt)
{
    for (size_t i = 0; i < prompt->n; i++)
        check_variant(p, &prompt->variants[i]);
}

/* A prompt with a name lies in /prompts, the others where the node has them. */
static void check_prompts(struct port *p, const json_t *node, const char *key,
                          const struct prompts *list)
{
    const json_t *j = json_object_get(node, key);

    for (size_t i = 0; i < list->n; i++) {
        struct compiler *c = p->c;
        const char *id = list->list[i]->id;
        char pointer[POINTER_MAX];
        size_t len = c->pointer_len;

        memcpy(pointer, c->pointer, sizeof(pointer));
        if (*id) {
            path_out(c, 0);
            path_in(c, "prompts");
            path_in(c, id);
        } else {
            path_in(c, key);
            if (json_is_array(j))
                path_in_index(c, i);
        }
        check_prompt(p, list->list[i]);
        memcpy(c->pointer, pointer, sizeof(pointer));
        c->pointer_len = len;
    }
}

/* ---- keys ---- */

static int64_t longest_entry(const struct flow *f, const struct node *n)
{
    int64_t longest = n->max;

    for (size_t i = 0; i < f->global_count; i++) {
        int64_t len = (int64_t)strlen(f->globals[i].keys);
        longest = len > longest ? len : longest;
    }
    return longest;
}

static void tell_at(struct port *p, const char *key, const char *text)
{
    size_t was = path_in(p->c, key);

    tell(p, true, "", "%s", text);
    path_out(p->c, was);
}

static void check_timeouts(struct port *p, const struct node *n, int64_t keys)
{
    const struct doc_limits *l = &p->words->limits;
    int64_t whole_ms = n->first_ms + (keys - 1) * n->inter_ms;
    char text[200] = "";

    if (l->one_timeout && keys > 1 && n->first_ms != n->inter_ms)
        snprintf(
            text, sizeof(text), "has one time for the first key and between two: %ld s",
            doc_seconds(n->first_ms > n->inter_ms ? n->first_ms : n->inter_ms, 1, 3600));
    if (l->entry_max_s && keys > 1)
        snprintf(text, sizeof(text),
                 "bounds the whole entry, here %ld s: so long it waits for a first key",
                 doc_seconds(whole_ms, l->entry_min_s, l->entry_max_s));
    if (l->entry_max_s && whole_ms > l->entry_max_s * 1000L)
        snprintf(text, sizeof(text), "gives %ld s for the whole entry, not %ld s",
                 l->entry_max_s, doc_seconds(whole_ms, 0, 86400));
    if (whole_ms < l->entry_min_s * 1000L)
        snprintf(text, sizeof(text), "waits for keys at least %ld s, not %ld s",
                 l->entry_min_s, doc_seconds(whole_ms, 0, 86400));
    if (*text)
        tell_at(p, "timeout_s", text);
    if (l->key_max_s && keys > 1 &&
        (n->inter_ms < l->key_min_s * 1000L || n->inter_ms > l->key_max_s * 1000L)) {
        snprintf(text, sizeof(text), "waits %ld to %ld s between two keys, not %ld s",
                 l->key_min_s, l->key_max_s, doc_seconds(n->inter_ms, 0, 86400));
        tell_at(p, "inter_s", text);
    }
}

static void check_keys(struct port *p, const struct flow *f, const struct node *n)
{
    const struct doc_limits *l = &p->words->limits;
    int64_t keys = longest_entry(f, n);
    size_t was = path_in(p->c, "max");

    if (l->keys_max && keys > l->keys_max)
        tell(p, n->min <= l->keys_max, "", "takes %ld keys of an entry at most",
             l->keys_max);
    else if (keys > n->max && n->kind == NODE_COLLECT)
        tell(p, true, "press the finishing key",
             "waits for a longer global key before an entry of %d is complete",
             (int)n->max);
    path_out(p->c, was);
    was = path_in(p->c, "finish");
    if (strlen(n->finish) > 1)
        tell(p, true, "", "knows one finishing key: only '%c' ends an entry",
             n->finish[0]);
    path_out(p->c, was);
    check_timeouts(p, n, keys);
}

/* A global key against one collect or language node. */
static void check_global(struct port *p, const char *keys, const struct flow *f,
                         const struct node *n)
{
    size_t was = p->c->pointer_len;
    char pointer[POINTER_MAX];

    memcpy(pointer, p->c->pointer, sizeof(pointer));
    path_out(p->c, 0);
    path_in(p->c, "global_keys");
    path_in(p->c, keys);
    if (*n->finish && strchr(keys, n->finish[0]))
        tell(p, false, "take another key, or give those nodes another \"finish\"",
             "never hears it where '%c' ends an entry", n->finish[0]);
    else if (longest_entry(f, n) > (int64_t)strlen(keys))
        tell(p, true, "",
             "hears it only once the time for another key is over, where entries are "
             "longer");
    memcpy(p->c->pointer, pointer, sizeof(pointer));
    p->c->pointer_len = was;
}

/* ---- the other kinds ---- */

static void check_transfer(struct port *p, const struct node *n)
{
    const char *to =
        n->to.n > 0 && n->to.parts[0].kind == PART_LITERAL ? n->to.parts[0].literal : "";

    if (strncmp(to, "ext:", 4) == 0)
        tell_at(p, "to",
                "reaches an extension over SIP: the account needs its \"sip_domain\"");
}

static void check_queue(struct port *p)
{
    tell_at(p, "queue",
            "reaches agents at their extensions over SIP: the account needs its "
            "\"sip_domain\"");
}

static void check_hangup(struct port *p, const struct node *n)
{
    if (strcmp(words_reason[n->reason], "busy") == 0)
        tell_at(p, "reason", "tells 'busy' only to a call in that has heard nothing yet");
}

/* Of other languages the host could not read the words, and does not ask for them. */
static void check_words(struct port *p, const struct flow *f, const struct node *n)
{
    char text[120];

    if (n->hearing_count == 0 && !n->heard)
        return;
    for (size_t i = 0; i < f->language_count; i++) {
        const char *lang = f->languages[i];
        if (strncmp(lang, "en", 2) == 0 && (!lang[2] || lang[2] == '-'))
            continue;
        snprintf(text, sizeof(text), "hears words in English only: in '%.16s' keys alone",
                 lang);
        tell_at(p, n->heard ? "heard" : "words", text);
    }
}

static void check_node(struct port *p, const struct flow *f, const struct node *n)
{
    const json_t *j = json_object_get(p->c->src->nodes, n->id);
    size_t was = path_in(p->c, n->id);

    check_prompts(p, j, "prompt", &n->prompt);
    check_prompts(p, j, "retry_prompt", &n->retry_prompt);
    check_prompts(p, j, "invalid_prompt", &n->invalid_prompt);
    check_prompts(p, j, "no_input_prompt", &n->no_input_prompt);
    check_prompts(p, j, "unheard_prompt", &n->unheard_prompt);
    check_prompts(p, j, "announce", &n->announce);
    if (n->kind == NODE_COLLECT || n->kind == NODE_LANGUAGE) {
        check_keys(p, f, n);
        check_words(p, f, n);
        for (size_t i = 0; i < f->global_count; i++)
            check_global(p, f->globals[i].keys, f, n);
    }
    if (n->kind == NODE_TRANSFER)
        check_transfer(p, n);
    if (n->kind == NODE_QUEUE)
        check_queue(p);
    if (n->kind == NODE_HANGUP)
        check_hangup(p, n);
    path_out(p->c, was);
}

void check_portable(struct compiler *c)
{
    const struct flow *f = c->src->flow;

    for (const char *const *name = c->options->backends; name && *name; name++) {
        const struct ivr_backend *b = ivr_backend_find(*name);
        if (!b || !b->document)
            continue;
        struct port p = {c, b->document->words, b->document->provider};
        size_t was = path_in(c, "nodes");
        for (size_t i = 0; i < f->node_count && !c->err; i++)
            check_node(&p, f, &f->nodes[i]);
        path_out(c, was);
    }
}
