#include <errno.h>
#include <string.h>

#include "ivr/compile.h"

void *keep(struct compiler *c, size_t size)
{
    void *p = arena_alloc(c->arena, size ? size : 1);

    if (!p)
        c->err = ENOMEM;
    return p;
}

const char *keep_text(struct compiler *c, const char *text)
{
    const char *copy = arena_text(c->arena, text);

    if (!copy)
        c->err = ENOMEM;
    return copy ? copy : "";
}

/* ---- kinds of JSON values ---- */

bool want_object(struct compiler *c, const json_t *j)
{
    if (!json_is_object(j))
        complain(c, "", "an object {…} is needed here");
    return json_is_object(j);
}

const char *want_text(struct compiler *c, const json_t *j)
{
    if (!json_is_string(j)) {
        complain(c, "", "a text in quotes is needed here");
        return NULL;
    }
    return json_string_value(j);
}

void *want_members(struct compiler *c, const json_t *j, size_t size, member_fn *read,
                   size_t *n)
{
    const char *name = NULL;
    json_t *value = NULL;

    if (!want_object(c, j))
        return NULL;
    char *list = keep(c, json_object_size(j) * size);
    if (!list)
        return NULL;
    json_object_foreach(loose(j), name, value)
    {
        size_t was = path_in(c, name);
        *n += read(c, name, value, list + *n * size);
        path_out(c, was);
    }
    return list;
}

bool want_number(struct compiler *c, const json_t *j, double low, double high, double *v)
{
    *v = json_number_value(j);
    if (json_is_number(j) && *v >= low && *v <= high)
        return true;
    complain(c, "", "a number from %.6g to %.6g is needed here", low, high);
    return false;
}

bool want_bool(struct compiler *c, const json_t *j, bool *out)
{
    if (!json_is_boolean(j))
        complain(c, "", "true or false is needed here");
    *out = json_is_true(j);
    return json_is_boolean(j);
}

bool is_keys(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= IVR_DIGITS_MAX && strspn(text, "0123456789*#") == len;
}

bool is_lang(const char *text)
{
    size_t len = strlen(text);

    return len >= 2 && len < sizeof(((struct ivr_state *)0)->lang) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789-") == len;
}

/* ---- expressions ---- */

int var_number(struct compiler *c, const char *name)
{
    for (size_t i = 0; i < c->var_count; i++)
        if (strcmp(c->var_names[i], name) == 0)
            return (int)i;
    if (c->var_count == VARS_MAX)
        return -1;
    c->var_names[c->var_count] = keep_text(c, name);
    return (int)c->var_count++;
}

static bool add_use(struct compiler *c, struct var_use use)
{
    struct source *src = c->src;
    void *uses = src->uses;

    if (!arena_grow(c->arena, &uses, src->use_count, &src->use_cap, sizeof(use))) {
        c->err = ENOMEM;
        return false;
    }
    src->uses = uses;
    src->uses[src->use_count++] = use;
    return true;
}

static bool has_set(const struct compiler *c, int var)
{
    return c->node != IVR_NO_NODE &&
           c->src->sets[c->node].bits[var / 64] >> (var % 64) & 1;
}

static bool uses(void *arg, const char *name, bool provided)
{
    struct compiler *c = arg;
    int var = var_number(c, name);

    if (c->err)
        return false;
    if (var < 0) {
        complain(c, "", "there are more than %d variables", VARS_MAX);
        return true;
    }
    if (has_set(c, var))
        return true; /* by this node, further up */
    const char *pointer = arena_text(c->arena, c->pointer);
    if (!pointer) {
        c->err = ENOMEM;
        return false;
    }
    return add_use(
        c, (struct var_use){c->node, c->prompt, (uint16_t)var, provided, pointer});
}

void var_is_set(struct compiler *c, const char *name)
{
    int var = var_number(c, name);

    if (var < 0)
        complain(c, "", "there are more than %d variables", VARS_MAX);
    else if (c->node != IVR_NO_NODE)
        c->src->sets[c->node].bits[var / 64] |= UINT64_C(1) << (var % 64);
}

static bool settle(struct compiler *c, int err, const struct expr_error *e)
{
    if (err == ENOMEM)
        c->err = ENOMEM;
    else if (err)
        complain(c, e->hint, "%s", e->text);
    return err == 0;
}

bool want_template(struct compiler *c, const json_t *j, struct template_ *out)
{
    const struct expr_scope scope = {false, uses, c};
    struct expr_error e = {"", ""};
    const char *text = want_text(c, j);

    return text && settle(c, template_parse(out, text, &scope, c->arena, &e), &e);
}

bool want_json_template(struct compiler *c, const json_t *j, struct template_ *out)
{
    const struct expr_scope scope = {false, uses, c};
    struct expr_error e = {"", ""};

    return settle(c, template_parse_json(out, j, &scope, c->arena, &e), &e);
}

const struct expr *want_expr(struct compiler *c, const json_t *j, bool digits)
{
    const struct expr_scope scope = {digits, uses, c};
    struct expr_error e = {"", ""};
    struct template_ t = {0};
    const char *text = want_text(c, j);

    if (!text || !settle(c, template_parse(&t, text, &scope, c->arena, &e), &e))
        return NULL;
    if (!template_is_expr(&t)) {
        complain(c, "e.g. \"{{vars.crop}}\"", "one {{expression}} is needed here");
        return NULL;
    }
    return t.parts[0].expr;
}

bool want_value(struct compiler *c, const json_t *j, struct assignment *out)
{
    if (json_is_string(j)) {
        out->is_template = true;
        return want_template(c, j, &out->text);
    }
    if (json_is_object(j) || json_is_array(j)) {
        complain(c, "", "a text, a number, true, false or null is needed here");
        return false;
    }
    out->literal = value_of_json(j, c->arena);
    if (out->literal.type == IVR_FAULT)
        complain(c, "", "%s", out->literal.text);
    return out->literal.type != IVR_FAULT;
}

/* ---- prompts ---- */

static void note_still(struct compiler *c, const struct variant *v)
{
    void *still = c->still;

    if (!*v->asset && !(v->has_text && template_is_literal(&v->text)))
        return;
    if (!arena_grow(c->arena, &still, c->still_count, &c->still_cap,
                    sizeof(struct ivr_prompt))) {
        c->err = ENOMEM;
        return;
    }
    c->still = still;
    c->still[c->still_count++] = (struct ivr_prompt){
        .asset = v->asset,
        .text = *v->asset || v->text.n == 0 ? "" : v->text.parts[0].literal,
        .lang = v->lang,
        .voice = v->voice,
        .bargeable = true};
}

static void compile_variant_member(struct compiler *c, const char *key, const json_t *j,
                                   struct variant *v)
{
    size_t was = path_in(c, key);
    const char *text = NULL;

    if (strcmp(key, "text") == 0) {
        v->has_text = want_template(c, j, &v->text);
    } else if (strcmp(key, "audio") == 0) {
        text = want_text(c, j);
        v->asset = text ? keep_text(c, text) : "";
    } else if (strcmp(key, "voice") == 0) {
        text = want_text(c, j);
        v->voice = text ? keep_text(c, text) : "";
    } else if (strcmp(key, "fallback") == 0) {
        text = want_text(c, j);
        v->fallback = text ? keep_text(c, text) : "";
    } else {
        path_out(c, was);
        complain_key(c, key, "known: text, audio, voice, fallback",
                     "a prompt has no property '%s'", key);
        return;
    }
    path_out(c, was);
}

/* "en": "Hello" is short for "en": {"text": "Hello"}. */
static void compile_variant(struct compiler *c, const char *lang, const json_t *j,
                            struct variant *v)
{
    const char *key = NULL;
    json_t *value = NULL;

    *v = (struct variant){.lang = keep_text(c, lang), "", "", ""};
    if (!flow_has_language(c->src->flow, lang))
        complain(c, "add it to \"languages\"", "the flow has no language '%s'", lang);
    if (json_is_string(j)) {
        v->has_text = want_template(c, j, &v->text);
    } else if (want_object(c, j)) {
        json_object_foreach(loose(j), key, value)
            compile_variant_member(c, key, value, v);
        if (json_object_size(j) == 0 || (*v->voice && json_object_size(j) == 1))
            complain(c, "", "a prompt needs text, audio or fallback");
    }
    note_still(c, v);
}

static bool has_variant(const struct prompt *p, const char *lang)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->variants[i].lang, lang) == 0)
            return true;
    return false;
}

static void check_languages(struct compiler *c, const struct prompt *p)
{
    const struct flow *f = c->src->flow;

    for (size_t i = 0; i < p->n; i++) {
        const char *to = p->variants[i].fallback;
        if (*to && (!has_variant(p, to) || strcmp(to, p->variants[i].lang) == 0))
            complain(c, "", "the fallback '%s' is not another language of this prompt",
                     to);
    }
    for (size_t i = 0; i < f->language_count; i++)
        if (!has_variant(p, f->languages[i]))
            warn(c, "give it, or {\"fallback\": \"…\"}; calls in it take 'failed'",
                 "the prompt has no '%s'", f->languages[i]);
}

bool compile_prompt(struct compiler *c, const json_t *j, struct prompt *out)
{
    const char *lang = NULL;
    json_t *value = NULL;

    if (!want_object(c, j))
        return false;
    if (json_object_size(j) == 0) {
        complain(c, "e.g. {\"en\": {\"text\": \"Hello\"}}", "the prompt is empty");
        return false;
    }
    struct variant *list = keep(c, json_object_size(j) * sizeof(*list));
    if (!list)
        return false;
    out->variants = list;
    json_object_foreach(loose(j), lang, value)
    {
        size_t was = path_in(c, lang);
        compile_variant(c, lang, value, &list[out->n]);
        out->n++;
        path_out(c, was);
    }
    check_languages(c, out);
    return true;
}

static const struct prompt *find_prompt(struct compiler *c, const char *id)
{
    for (size_t i = 0; i < c->src->prompt_count; i++)
        if (strcmp(c->src->prompts[i].id, id) == 0)
            return &c->src->prompts[i];
    complain(c, "", "there is no prompt '%s'", id);
    return NULL;
}

/* The variables of a shared prompt are read by every node that plays it. */
static void copy_uses(struct compiler *c, const struct prompt *p)
{
    size_t n = c->src->use_count;

    for (size_t i = 0; i < n; i++) {
        struct var_use use = c->src->uses[i];
        if (use.prompt != p || use.node != IVR_NO_NODE || has_set(c, use.var))
            continue;
        use.node = c->node;
        if (!add_use(c, use))
            return;
    }
}

static void add_prompt(struct compiler *c, const json_t *j, struct prompts *out)
{
    const struct prompt *p = NULL;

    if (out->n == PROMPTS_OF_NODE_MAX) {
        complain(c, "", "more than %d prompts in a row", PROMPTS_OF_NODE_MAX);
        return;
    }
    if (json_is_string(j)) {
        p = find_prompt(c, json_string_value(j));
        if (p)
            copy_uses(c, p);
    } else if (json_is_object(j)) {
        struct prompt *own = keep(c, sizeof(*own));
        if (own) {
            own->id = "";
            p = compile_prompt(c, j, own) ? own : NULL;
        }
    } else {
        complain(c, "the id of a prompt, or {\"en\": {\"text\": \"…\"}}",
                 "a prompt is needed here");
    }
    if (p)
        out->list[out->n++] = p;
}

void compile_prompts(struct compiler *c, const json_t *j, struct prompts *out)
{
    json_t *item = NULL;
    size_t i = 0;

    if (!json_is_array(j)) {
        add_prompt(c, j, out);
        return;
    }
    if (json_array_size(j) == 0)
        complain(c, "", "the list of prompts is empty");
    json_array_foreach(j, i, item)
    {
        size_t was = path_in_index(c, i);
        add_prompt(c, item, out);
        path_out(c, was);
    }
}

/* ---- nodes by name ---- */

uint16_t node_number(const struct compiler *c, const char *id)
{
    for (size_t i = 0; i < c->src->flow->node_count; i++)
        if (strcmp(c->src->list[i].id, id) == 0)
            return (uint16_t)i;
    return IVR_NO_NODE;
}

uint16_t compile_target(struct compiler *c, const json_t *j)
{
    const char *id = want_text(c, j);

    if (!id)
        return IVR_NO_NODE;
    if (strcmp(id, "end") == 0)
        return TARGET_END;
    uint16_t n = node_number(c, id);
    if (n == IVR_NO_NODE)
        complain(c, "\"end\" ends the flow", "there is no node '%s'", id);
    return n;
}
