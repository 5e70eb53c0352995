#include "server/contract.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/multipart.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "server/contracts.h"
#include "server/hook_url.h"
#include "server/server.h"

const struct contract *const contracts[CONTRACTS] = {
    [CONTRACT_PLIVO_IVR] = &contract_plivo_ivr,
    [CONTRACT_IVR_SIMULATOR] = &contract_ivr_simulator,
    [CONTRACT_VOICE_LEDGER] = &contract_voice_ledger,
};

const struct contract *contract_find(const char *name)
{
    for (int i = 0; i < CONTRACTS; i++)
        if (str_is(contracts[i]->name, name))
            return contracts[i];
    return NULL;
}

/* ---- answers ---- */

void respond_json(struct response *resp, int status, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

    buf_free(&resp->body);
    resp->status = status;
    resp->content_type = "application/json";
    buf_puts(&resp->body, text ? text : "{}");
    buf_puts(&resp->body, "\n");
    free(text);
    json_decref(json);
}

struct buf *respond_xml(struct response *resp)
{
    buf_free(&resp->body);
    resp->status = 200;
    resp->content_type = "application/xml";
    return &resp->body;
}

static enum error_shape shape_of(const struct request *req)
{
    return req->mount ? req->mount->contract->errors : ERRORS_CODED;
}

static const char *code_of(int status)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {{400, "bad_request"}, {401, "unauthorized"}, {403, "forbidden"},
                 {404, "not_found"},   {409, "conflict"},     {413, "too_large"},
                 {415, "bad_type"},    {422, "bad_field"},    {429, "too_many"},
                 {503, "unavailable"}};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].status == status)
            return codes[i].code;
    return "failed";
}

void request_refuse_as(const struct request *req, struct response *resp, int status,
                       const char *code, const char *text)
{
    switch (shape_of(req)) {
    case ERRORS_CODED:
        respond_json(resp, status, json_pack("{s:s, s:s}", "error", code, "hint", text));
        return;
    case ERRORS_TEXT:
    case ERRORS_DETAIL:
        if (str_is(code, "not_found") && str_is(text, "no such path"))
            text = "Not Found";
        else if (str_is(code, "method_not_allowed"))
            text = "Method Not Allowed";
        respond_json(
            resp, status,
            json_pack("{s:s}", shape_of(req) == ERRORS_TEXT ? "error" : "detail", text));
        return;
    }
}

void request_refuse(const struct request *req, struct response *resp, int status,
                    const char *text)
{
    request_refuse_as(req, resp, status, code_of(status), text);
}

static json_t *details_of(const struct fault *faults, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *loc = json_array();
        json_array_append_new(loc,
                              json_string(faults[i].place ? faults[i].place : "body"));
        if (faults[i].field)
            json_array_append_new(loc, json_string(faults[i].field));
        json_array_append_new(list, json_pack("{s:o, s:s, s:s}", "loc", loc, "msg",
                                              faults[i].text, "type", faults[i].type));
    }
    return list;
}

void request_refuse_fields(const struct request *req, struct response *resp,
                           const struct fault *faults, size_t n)
{
    const char *field = faults[0].field;
    char text[300];

    switch (shape_of(req)) {
    case ERRORS_DETAIL:
        respond_json(resp, 422, json_pack("{s:o}", "detail", details_of(faults, n)));
        return;
    case ERRORS_TEXT:
        snprintf(text, sizeof(text), "%s%s%s", field ? field : "", field ? ": " : "",
                 faults[0].text);
        respond_json(resp, 400, json_pack("{s:s}", "error", text));
        return;
    case ERRORS_CODED:
        respond_json(resp, 422,
                     json_pack("{s:s, s:s?, s:s}", "error", "bad_field", "field", field,
                               "hint", faults[0].text));
        return;
    }
}

/* ---- JSON bodies ---- */

static bool is_type(const json_t *v, enum body_type type)
{
    switch (type) {
    case BODY_TEXT:
        return json_is_string(v);
    case BODY_INT:
        return json_is_integer(v);
    case BODY_NUMBER:
        return json_is_number(v);
    case BODY_BOOL:
        return json_is_boolean(v);
    case BODY_LIST:
        return json_is_array(v);
    case BODY_OBJECT:
        return json_is_object(v);
    }
    return false;
}

/* True: nothing is wrong. */
static bool keeps_rule(const json_t *v, const struct body_rule *rule, struct fault *f)
{
    static const struct {
        const char *text, *type;
    } wrong[] = {
        [BODY_TEXT] = {"Input should be a valid string", "string_type"},
        [BODY_INT] = {"Input should be a valid integer", "int_type"},
        [BODY_NUMBER] = {"Input should be a valid number", "float_type"},
        [BODY_BOOL] = {"Input should be a valid boolean", "bool_type"},
        [BODY_LIST] = {"Input should be a valid list", "list_type"},
        [BODY_OBJECT] = {"Input should be a valid object", "dict_type"},
    };

    *f = (struct fault){.field = rule->name};
    if (!v || (json_is_null(v) && !rule->required)) {
        f->text = "Field required";
        f->type = "missing";
        return !rule->required;
    }
    if (!is_type(v, rule->type)) {
        f->text = wrong[rule->type].text;
        f->type = wrong[rule->type].type;
        return false;
    }
    size_t size = json_is_string(v)  ? json_string_length(v)
                  : json_is_array(v) ? json_array_size(v)
                                     : 0;
    f->text = json_is_array(v) ? "List is too long" : "String is too long";
    f->type = json_is_array(v) ? "too_long" : "string_too_long";
    return rule->max == 0 || size <= rule->max;
}

static void refuse_json(const struct request *req, struct response *resp,
                        const json_error_t *at)
{
    const struct fault broken = {.text = "JSON decode error", .type = "json_invalid"};
    char text[220];

    if (shape_of(req) == ERRORS_DETAIL) {
        request_refuse_fields(req, resp, &broken, 1);
        return;
    }
    snprintf(text, sizeof(text), "the body is no JSON: line %d: %s", at->line, at->text);
    request_refuse_as(req, resp, 400, "bad_json", text);
}

json_t *request_json(const struct request *req, const struct body_rule *rules, size_t n,
                     struct response *resp)
{
    const struct fault no_object = {.text = "Input should be a valid object",
                                    .type = "dict_type"};
    struct fault faults[FAULTS_MAX];
    size_t fault_count = 0;
    json_error_t at;

    json_t *json = json_loadb(req->body ? req->body : "", req->body_len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (!json) {
        refuse_json(req, resp, &at);
        return NULL;
    }
    if (!json_is_object(json)) {
        request_refuse_fields(req, resp, &no_object, 1);
        json_decref(json);
        return NULL;
    }
    for (size_t i = 0; i < n && fault_count < FAULTS_MAX; i++)
        if (!keeps_rule(json_object_get(json, rules[i].name), &rules[i],
                        &faults[fault_count]))
            fault_count++;
    if (fault_count == 0)
        return json;
    request_refuse_fields(req, resp, faults, fault_count);
    json_decref(json);
    return NULL;
}

/* ---- parameters ---- */

static bool is_text(const struct form_text *t)
{
    return !memchr(t->data, '\0', t->len) && str_is_utf8(t->data, t->len);
}

static bool check_form(const struct request *req, const struct form *f, bool good,
                       struct response *resp)
{
    for (size_t i = 0; good && i < f->n; i++)
        good = is_text(&f->pairs[i].name) && is_text(&f->pairs[i].value);
    if (!good)
        request_refuse_as(req, resp, 400, "bad_encoding",
                          "parameters are no UTF-8 text, or too many");
    return good;
}

static bool read_form(const struct request *req, struct form *out, const char *text,
                      size_t len, struct response *resp)
{
    return check_form(req, out, form_parse(out, text, len) == 0, resp);
}

bool request_query(const struct request *req, struct form *out, struct response *resp)
{
    const char *query = req->url ? strchr(req->url, '?') : NULL;

    return !query || read_form(req, out, query + 1, strlen(query + 1), resp);
}

bool request_is_form(const struct request *req)
{
    return form_is_type(request_header(req, "Content-Type"));
}

bool request_form(const struct request *req, struct form *out, struct response *resp)
{
    return !request_is_form(req) || req->body_len == 0 ||
           read_form(req, out, req->body, req->body_len, resp);
}

static bool find_boundary(const struct request *req, char out[MULTIPART_BOUNDARY_MAX])
{
    const char *type = request_header(req, "Content-Type");

    return type && multipart_boundary(type, out) == 0;
}

bool request_is_fields(const struct request *req)
{
    char boundary[MULTIPART_BOUNDARY_MAX];

    return request_is_form(req) || find_boundary(req, boundary);
}

static char *put_text(struct form_text *t, char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    out[len] = '\0';
    *t = (struct form_text){out, len};
    return out + len + 1;
}

/* Files are no fields. */
static void copy_parts(struct form *out, const struct multipart *m)
{
    size_t bytes = 0;

    for (size_t i = 0; i < m->n; i++)
        bytes += strlen(m->parts[i].name) + m->parts[i].len + 2;
    out->pairs = xcalloc(m->n + 1, sizeof(*out->pairs));
    char *to = out->bytes = xcalloc(1, bytes + 1);
    for (size_t i = 0; i < m->n; i++) {
        const struct multipart_part *part = &m->parts[i];
        if (part->is_file)
            continue;
        struct form_pair *pair = &out->pairs[out->n++];
        to = put_text(&pair->name, to, part->name, strlen(part->name));
        to = put_text(&pair->value, to, part->data, part->len);
    }
}

bool request_fields(const struct request *req, struct form *out, struct response *resp)
{
    char boundary[MULTIPART_BOUNDARY_MAX];
    struct multipart m = {0};
    struct errtext e = {0};

    if (!find_boundary(req, boundary))
        return request_form(req, out, resp);
    const bool good =
        req->body && multipart_read(&m, boundary, req->body, req->body_len, &e) == 0;
    if (good)
        copy_parts(out, &m);
    return check_form(req, out, good, resp);
}

const char *form_value(const struct form *f, const char *name)
{
    const struct form_text *v = form_get(f, name);

    return v ? v->data : "";
}

/* ---- addresses ---- */

/* url: path and query from the root of the host. */
static bool address_of(const struct request *req, const char *public_url, const char *url,
                       char *out, size_t size)
{
    const struct server *s = req->app;
    char peer[REQUEST_PEER_MAX];
    const struct hook_asked asked = {
        .public_url = public_url,
        .trusted_proxies = s->config.trusted_proxies,
        .peer = request_peer(req, peer),
        .host = request_header(req, "Host"),
        .forwarded_proto = request_header(req, "X-Forwarded-Proto"),
        .forwarded_host = request_header(req, "X-Forwarded-Host"),
        .url = url};

    return hook_url(&asked, out, size);
}

bool contract_url(const struct request *req, const char *path, char *out, size_t size)
{
    const struct mount *m = req->mount;
    char url[REQUEST_URL_MAX];

    /* A configured address is that of the mount; else the base is part of the path. */
    const bool own = m->public_url && m->public_url[0];
    int n = snprintf(url, sizeof(url), "%s%s", own ? "" : m->base, path);
    return n >= 0 && (size_t)n < sizeof(url) &&
           address_of(req, own ? m->public_url : "", url, out, size);
}

bool contract_asked_url(const struct request *req, char *out, size_t size)
{
    const struct mount *m = req->mount;
    const size_t base = strlen(m->base);

    if (!m->public_url || !m->public_url[0])
        return address_of(req, "", req->url, out, size);
    /* Whoever writes a base path in another way than we do signs that. */
    if (strncmp(req->url, m->base, base) != 0)
        return false;
    return address_of(req, m->public_url, req->url + base, out, size);
}
