/* Properties of nodes with a shape of their own, and the checks of a whole node. */
#include <string.h>

#include "ivr/compile.h"

static const char *const words_finish[] = {"none", "any", "*", "#", NULL};

/* ---- properties with a shape of their own ---- */

void own_set(struct compiler *c, const json_t *j, struct node *n)
{
    const char *name = NULL;
    json_t *value = NULL;

    if (!want_object(c, j))
        return;
    struct assignment *list = keep(c, json_object_size(j) * sizeof(*list));
    if (!list)
        return;
    n->set = list;
    json_object_foreach(loose(j), name, value)
    {
        if (!expr_is_name(name)) {
            complain_key(c, name, "up to 31 letters a-z, digits and _, a letter first",
                         "'%s' cannot be a variable's name", name);
            continue;
        }
        size_t was = path_in(c, name);
        struct assignment *a = &list[n->set_count];
        a->name = keep_text(c, name);
        if (want_value(c, value, a))
            n->set_count++;
        var_is_set(c, name);
        path_out(c, was);
    }
}

static bool read_header(struct compiler *c, const char *name, const json_t *value,
                        void *place)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_";
    struct http_header *h = place;

    h->name = keep_text(c, name);
    if (*name && strspn(name, token) == strlen(name))
        return want_template(c, value, &h->value);
    complain(c, "", "'%s' cannot be a header's name", name);
    return false;
}

void own_headers(struct compiler *c, const json_t *j, struct node *n)
{
    n->headers = want_members(c, j, sizeof(*n->headers), read_header, &n->header_count);
}

/* "/data/0/price" as its tokens. */
static const char *const *split_pointer(struct compiler *c, const char *text)
{
    size_t n = 0;

    for (const char *p = text; *p; p++)
        n += *p == '/';
    const char **path = keep(c, (n + 1) * sizeof(*path));
    for (size_t i = 0; path && i < n && !c->err; i++) {
        size_t len = strcspn(++text, "/");
        char *token = arena_copy(c->arena, text, len), *to = token;
        if (!token) {
            keep(c, SIZE_MAX);
            return NULL;
        }
        for (const char *from = token; *from; from++) {
            if (*from == '~' && (from[1] == '0' || from[1] == '1'))
                *to++ = *++from == '0' ? '~' : '/';
            else
                *to++ = *from;
        }
        *to = '\0';
        path[i] = token;
        text += len;
    }
    return path;
}

static bool read_extract(struct compiler *c, const char *name, const json_t *value,
                         void *place)
{
    struct extract *e = place;
    const char *text = want_text(c, value);
    bool good = false;

    e->name = keep_text(c, name);
    if (!expr_is_name(name))
        complain(c, "", "'%s' cannot be a variable's name", name);
    else if (text && *text && *text != '/')
        complain(c, "e.g. \"/data/price\"", "a JSON Pointer begins with /");
    else
        good = text && (e->path = split_pointer(c, text)) != NULL;
    var_is_set(c, name);
    return good;
}

void own_extracts(struct compiler *c, const json_t *j, struct node *n)
{
    n->extracts =
        want_members(c, j, sizeof(*n->extracts), read_extract, &n->extract_count);
}

void own_body(struct compiler *c, const json_t *j, struct node *n)
{
    n->has_body = true;
    n->body_is_json = !json_is_string(j);
    if (n->body_is_json)
        want_json_template(c, j, &n->body);
    else
        want_template(c, j, &n->body);
}

void own_mock(struct compiler *c, const json_t *j, struct node *n)
{
    const json_t *body = json_object_get(j, "body");
    const char *key = NULL;
    json_t *value = NULL;
    double status = 200;

    if (!want_object(c, j))
        return;
    json_object_foreach(loose(j), key, value)
    {
        if (strcmp(key, "status") == 0) {
            size_t was = path_in(c, key);
            want_number(c, value, 100, 599, &status);
            path_out(c, was);
        } else if (strcmp(key, "body") != 0) {
            complain_key(c, key, "known: status, body", "a mock has no property '%s'",
                         key);
        }
    }
    n->mock_status = (int)status;
    n->mock_body = "";
    if (json_is_string(body)) {
        n->mock_body = keep_text(c, json_string_value(body));
    } else if (body) {
        const struct ivr_value v = {.type = IVR_JSON, .json = body};
        const char *text = value_to_text(&v, c->arena);
        if (!text)
            keep(c, SIZE_MAX);
        n->mock_body = text;
    }
}

static bool read_choice(struct compiler *c, const char *keys, const json_t *value,
                        void *place)
{
    struct choice *choice = place;
    const char *lang = want_text(c, value);

    if (!is_keys(keys))
        complain(c, "", "'%s' is not keys of a telephone", keys);
    else if (lang && !flow_has_language(c->src->flow, lang))
        complain(c, "add it to \"languages\"", "the flow has no language '%s'", lang);
    else if (lang) {
        *choice = (struct choice){keep_text(c, keys), keep_text(c, lang)};
        return true;
    }
    return false;
}

void own_choices(struct compiler *c, const json_t *j, struct node *n)
{
    if (json_is_object(j) && json_object_size(j) == 0)
        complain(c, "e.g. {\"1\": \"en\", \"2\": \"am\"}", "there is no choice");
    n->choices = want_members(c, j, sizeof(*n->choices), read_choice, &n->choice_count);
    n->min = 1;
    for (size_t i = 0; i < n->choice_count; i++)
        if (strlen(n->choices[i].keys) > (size_t)n->max)
            n->max = (int64_t)strlen(n->choices[i].keys);
}

void own_finish(struct compiler *c, const json_t *j, struct node *n)
{
    const char *text = want_text(c, j);

    for (int i = 0; text && words_finish[i]; i++) {
        if (strcmp(text, words_finish[i]) == 0) {
            n->finish_any = i;
            return;
        }
    }
    if (text)
        complain(c, "known: none, any, *, #", "'%s' is not a finishing key", text);
}

void own_subflow(struct compiler *c, const json_t *j, struct node *n)
{
    const char *name = want_text(c, j);

    (void)n;
    if (name && !*name)
        complain(c, "", "the name of a flow is needed here");
}

static bool read_values(struct compiler *c, const json_t *j, struct node_case *out)
{
    bool is_list = json_is_array(j);
    size_t n = is_list ? json_array_size(j) : 1;
    struct ivr_value *values = keep(c, n * sizeof(*values));

    if (!values)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = is_list ? json_array_get(j, i) : j;
        values[i] = value_of_json(item, c->arena);
        if (values[i].type == IVR_JSON || values[i].type == IVR_FAULT) {
            complain(c, "", "a text, a number, true or false is needed here");
            return false;
        }
    }
    out->values = values;
    out->n = n;
    return true;
}

static void read_case(struct compiler *c, const json_t *j, struct node_case *out)
{
    const char *key = NULL;
    json_t *value = NULL;
    int tests = 0;

    out->exit = "";
    if (!want_object(c, j))
        return;
    json_object_foreach(loose(j), key, value)
    {
        size_t was = path_in(c, key);
        if (strcmp(key, "exit") == 0) {
            const char *exit = want_text(c, value);
            out->exit = exit ? keep_text(c, exit) : "";
        } else if (strcmp(key, "if") == 0) {
            out->when = want_expr(c, value, false);
            tests++;
        } else if (strcmp(key, "is") == 0) {
            read_values(c, value, out);
            tests++;
        } else {
            path_out(c, was);
            complain_key(c, key, "known: exit, is, if", "a case has no property '%s'",
                         key);
            continue;
        }
        path_out(c, was);
    }
    if (!*out->exit)
        complain(c, "", "a case needs \"exit\"");
    if (tests != 1)
        complain(c, "\"is\" compares with \"on\", \"if\" stands alone",
                 "a case needs one of \"is\" and \"if\"");
}

void own_cases(struct compiler *c, const json_t *j, struct node *n)
{
    json_t *item = NULL;
    size_t i = 0;

    if (!json_is_array(j)) {
        complain(c, "", "a list of cases is needed here");
        return;
    }
    struct node_case *list = keep(c, json_array_size(j) * sizeof(*list));
    if (!list)
        return;
    n->cases = list;
    json_array_foreach(j, i, item)
    {
        size_t was = path_in_index(c, i);
        read_case(c, item, &list[n->case_count++]);
        path_out(c, was);
    }
}

/* ---- checks of a whole node ---- */

void need_prompt(struct compiler *c, const json_t *j, struct node *n)
{
    (void)n;
    if (!json_object_get(j, "prompt"))
        complain(c, "the id of a prompt, or {\"en\": {\"text\": \"…\"}}",
                 "the node has no \"prompt\"");
}

void check_collect(struct compiler *c, const json_t *j, struct node *n)
{
    bool any = false;

    for (size_t i = 0; i < n->exit_count; i++) {
        const char *name = n->exits[i].name;
        int64_t len = (int64_t)strlen(name);
        any = any || strcmp(name, "any") == 0;
        if (is_keys(name) && !strpbrk(name, "*#") &&
            (len < n->min || (json_object_get(j, "max") && len > n->max)))
            complain(c, "", "the case '%s' is not from %d to %d keys long", name,
                     (int)n->min, (int)n->max);
        if (is_keys(name) && *n->finish && strpbrk(name, n->finish))
            complain(c, "give another \"finish\"",
                     "the case '%s' holds the finishing key '%s'", name, n->finish);
        if (is_keys(name) && !json_object_get(j, "max") && len > n->max)
            n->max = len;
        if (is_keys(name) && n->sensitive && !strpbrk(name, "*#"))
            complain(c, "the exit 'any' and \"valid\"",
                     "a case would tell a sensitive entry");
    }
    if (any && !json_object_get(j, "max"))
        complain(c, "the number of keys that complete an entry",
                 "a collect with the exit 'any' needs \"max\"");
    if (n->min > n->max)
        complain(c, "", "min is more than max");
    if (n->heard && !any)
        complain(c, "wire the exit 'any'",
                 "\"heard\" makes an entry: it needs the exit 'any'");
}

void check_branch(struct compiler *c, const json_t *j, struct node *n)
{
    bool uses_on = n->case_count == 0;

    for (size_t i = 0; i < n->case_count; i++)
        uses_on = uses_on || !n->cases[i].when;
    if (uses_on && !json_object_get(j, "on"))
        complain(c, "e.g. \"on\": \"{{vars.crop}}\"", "the branch has no \"on\"");
}

void check_callback(struct compiler *c, const json_t *j, struct node *n)
{
    (void)n;
    if (!json_object_get(j, "in_s") == !json_object_get(j, "at"))
        complain(c, "", "a callback needs one of \"in_s\" and \"at\"");
}

/* The host must stand in the flow: data of a contact may not choose it. */
void check_api(struct compiler *c, const json_t *j, struct node *n)
{
    const char *url = json_string_value(json_object_get(j, "url"));
    const char *host = url ? strstr(url, "://") : NULL;
    bool good =
        host && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);

    if (good) {
        size_t len = strcspn(host + 3, "/?#");
        good = len > 0 && !memchr(host + 3, '{', len) && !memchr(host + 3, '@', len);
    }
    if (url && !good)
        complain(c, "http:// or https:// and a host that is no expression",
                 "the url is not complete");
    if (n->has_body && n->method == 0)
        complain(c, "", "a GET has no body");
}

void check_subflow(struct compiler *c, const json_t *j, struct node *n)
{
    const char *name = json_string_value(json_object_get(j, "flow"));
    const char *pin = json_string_value(json_object_get(j, "sha256"));

    n->flow = IVR_NO_NODE;
    if (name && *name)
        n->flow = compile_subflow(c, name, pin ? pin : "");
}
