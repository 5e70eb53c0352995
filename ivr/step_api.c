/* API nodes: the request they ask for, and what they make of its answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ivr/step.h"

/* Data must not name one of our secrets, nor add a header of its own. */
static bool is_header_value(const char *value)
{
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 && *p != '\t')
            return false;
    return true;
}

static bool adds_secret(const struct template_ *t, const char *value)
{
    size_t literal = 0, found = 0;

    for (size_t i = 0; i < t->n; i++)
        for (const char *p = t->parts[i].kind == PART_LITERAL ? t->parts[i].literal : "";
             (p = strstr(p, "{secret:"));)
            literal++, p++;
    for (const char *p = value; (p = strstr(p, "{secret:"));)
        found++, p++;
    return found != literal;
}

static const struct ivr_header *render_headers(struct sprint *sp, const struct node *n,
                                               bool *bad)
{
    struct ivr_header *list =
        arena_alloc(sp->arena, (n->header_count + 1) * sizeof(*list));

    if (!list)
        sp->err = ENOMEM;
    for (size_t i = 0; list && i < n->header_count; i++) {
        bool faulty = false;
        const char *value = render(sp, &n->headers[i].value, TEMPLATE_TEXT, &faulty);
        if (!value)
            return NULL;
        *bad = *bad || faulty || !is_header_value(value) ||
               adds_secret(&n->headers[i].value, value);
        list[i] = (struct ivr_header){n->headers[i].name, value};
    }
    return list;
}

void enter_api(struct sprint *sp, const struct node *n)
{
    bool url_bad = false, header_bad = false;
    const char *url = render(sp, &n->url, TEMPLATE_URL, &url_bad);
    const struct ivr_header *headers = url ? render_headers(sp, n, &header_bad) : NULL;
    const char *body = NULL;

    if (n->has_body && headers)
        body =
            render(sp, &n->body, n->body_is_json ? TEMPLATE_JSON : TEMPLATE_TEXT, NULL);
    if (sp->err)
        return;
    if (url_bad || header_bad || !(sp->env->caps & IVR_CAP_HTTP)) {
        const char *why = url_bad      ? "bad_url"
                          : header_bad ? "bad_header"
                                       : "no_http_here";
        event(sp, IVR_EV_WARNING, "not_sent", why, "");
        take_exit(sp, n, "http_error", why);
        return;
    }
    if (!speak(sp, &n->prompt, false)) {
        node_fail(sp, n, "prompt_missing", sp->s.lang);
        return;
    }
    struct ivr_effect *fx = effect(sp, IVR_FX_HTTP);
    if (!fx)
        return;
    fx->http = (struct ivr_http){.method = words_method[n->method],
                                 .url = url,
                                 .headers = headers,
                                 .header_count = n->header_count,
                                 .body = body,
                                 .timeout_ms = n->timeout_ms,
                                 .mock_body = n->mock_body,
                                 .mock_status = n->mock_status};
    sprint_wait(sp, IVR_WAIT_HTTP, n->timeout_ms);
}

static const json_t *follow(const json_t *j, const char *const *path)
{
    for (; j && *path; path++) {
        char *end = NULL;
        if (json_is_array(j))
            j = **path >= '0' && **path <= '9'
                    ? json_array_get(j, (size_t)strtoul(*path, &end, 10))
                    : NULL;
        else
            j = json_object_get(j, *path);
        if (end && *end)
            return NULL;
    }
    return j;
}

static bool extract(struct sprint *sp, const struct node *n, const json_t *body)
{
    for (size_t i = 0; i < n->extract_count; i++)
        if (!follow(body, n->extracts[i].path))
            return false;
    for (size_t i = 0; i < n->extract_count && !sp->err; i++) {
        struct ivr_value v = value_of_json(follow(body, n->extracts[i].path), sp->arena);
        set_var(sp, n->extracts[i].name, &v, false);
    }
    return true;
}

static const char *read_answer(struct sprint *sp, const struct node *n,
                               const struct ivr_input *in)
{
    json_t *body = NULL;
    json_error_t e;

    if (in->http.status < 200 || in->http.status > 299)
        return "http_error";
    if (n->extract_count == 0)
        return "ok";
    int err = value_load_json(&body, in->http.body ? in->http.body : "",
                              in->http.body ? in->http.body_len : 0,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
    if (err == ENOMEM)
        sp->err = ENOMEM;
    if (err)
        return "bad_body";
    bool good = extract(sp, n, body);
    json_decref(body);
    return good ? "ok" : "bad_body";
}

void resume_api(struct sprint *sp, const struct node *n, const struct ivr_input *in)
{
    const char *exit = "timeout";

    if (in->kind == IVR_IN_HTTP_DONE && in->http.result == IVR_HTTP_FAILED)
        exit = "http_error";
    else if (in->kind == IVR_IN_HTTP_DONE && in->http.result == IVR_HTTP_ANSWERED)
        exit = read_answer(sp, n, in);
    int status = in->kind == IVR_IN_HTTP_DONE ? in->http.status : 0;
    const char *text = arena_printf(sp->arena, "%d", status);
    event(sp, IVR_EV_RESULT, n->id, text, exit);
    take_exit(sp, n, exit, text ? text : "");
}
