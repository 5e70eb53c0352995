#include "campaigns/provider_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/doc_reader.h"
#include "contacts/phone.h"

/* ---- places ---- */

static const char *const places[HTTP_PLACES] = {
    [HTTP_TO] = "{to}",           [HTTP_TO_DIGITS] = "{to_digits}",
    [HTTP_FROM] = "{from}",       [HTTP_TEXT] = "{text}",
    [HTTP_ID] = "{id}",           [HTTP_REPORT_URL] = "{report_url}",
    [HTTP_ACCOUNT] = "{account}", [HTTP_TOKEN] = "{token}",
};
static const char places_hint[] = "places are {to}, {to_digits}, {from}, {text}, {id}, "
                                  "{report_url}, {account}, {token}";

/* The place that text begins with, else HTTP_PLACES. */
static enum http_place place_at(const char *text)
{
    for (int i = 0; i < HTTP_PLACES; i++)
        if (strncmp(text, places[i], strlen(places[i])) == 0)
            return i;
    return HTTP_PLACES;
}

/* Looks like a place: "{name}". */
static size_t looks_like_place(const char *text)
{
    size_t n = *text == '{' ? strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;

    return n > 0 && text[n + 1] == '}' ? n + 2 : 0;
}

void provider_http_fill(struct buf *out, const char *text,
                        const char *const values[HTTP_PLACES], http_escape_fn *escape)
{
    while (*text) {
        enum http_place p = place_at(text);
        if (p == HTTP_PLACES) {
            buf_add(out, text++, 1);
            continue;
        }
        CLEANUP(free_cleanup) char *escaped = escape ? escape(values[p]) : NULL;
        buf_puts(out, escaped ? escaped : values[p]);
        text += strlen(places[p]);
    }
}

/* ---- checks ---- */

static void check_places(struct doc_reader *r, const char *pointer, const char *text,
                         unsigned allowed)
{
    for (const char *c = text; *c; c++) {
        size_t len = looks_like_place(c);
        enum http_place p = place_at(c);
        if (len > 0 && (p == HTTP_PLACES || !(allowed & 1U << p)))
            doc_issue(r, pointer, JSON_PLACE_VALUE,
                      p == HTTP_PLACES ? places_hint : "put it elsewhere in the request",
                      p == HTTP_PLACES ? "there is no place '%.*s'"
                                       : "'%.*s' cannot stand here",
                      (int)len, c);
    }
}

enum {
    SECRETS = 1U << HTTP_ACCOUNT | 1U << HTTP_TOKEN,
    ALL = (1U << HTTP_PLACES) - 1,
    IN_PATH = SECRETS | 1U << HTTP_TO | 1U << HTTP_TO_DIGITS | 1U << HTTP_ID,
};

/* Nothing is filled into the host; texts of people not into the path either, where ".."
 * would leave it. */
static void check_url(struct doc_reader *r, const char *url)
{
    char part[HTTP_URL_MAX];
    size_t scheme = strncmp(url, "https://", 8) == 0  ? 8
                    : strncmp(url, "http://", 7) == 0 ? 7
                                                      : 0;
    size_t host = scheme + strcspn(url + scheme, "/?"), path = strcspn(url, "?");

    if (!scheme || host == scheme || strpbrk(url, " \"<>\\#\r\n\t") ||
        memchr(url, '{', host) || memchr(url, '@', host)) {
        doc_issue(r, "/send/url", JSON_PLACE_VALUE,
                  "e.g. https://sms.example.org/send?to={to}",
                  "'url' must be an address whose host is stated as it is");
        return;
    }
    str_cut(part, path + 1 < sizeof(part) ? path + 1 : sizeof(part), url);
    check_places(r, "/send/url", part, IN_PATH);
    check_places(r, "/send/url", url + path, ALL);
}

static void read_headers(struct doc_reader *r, json_t *value, const char *pointer,
                         void *owner)
{
    struct provider_http *h = owner;
    const char *key = NULL;
    json_t *item = NULL;
    char at[DOC_POINTER_MAX];

    if (!json_is_object(value) || json_object_size(value) > HTTP_HEADERS_MAX) {
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "e.g. {\"Authorization\": \"Bearer {token}\"}",
                  "'headers' must be an object of at most %d texts", HTTP_HEADERS_MAX);
        return;
    }
    json_object_foreach(value, key, item)
    {
        const char *text = json_string_value(item);
        size_t name = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_");
        str_cut(at, sizeof(at), pointer);
        json_pointer_add(at, sizeof(at), key);
        if (!*key || key[name] || !text || strpbrk(text, "\r\n"))
            doc_issue(r, at, JSON_PLACE_VALUE,
                      "e.g. \"Authorization\": \"Bearer {token}\"",
                      "a header is a name and one line of text");
        else
            check_places(r, at, text, SECRETS);
    }
    h->send.headers = value;
}

static void check_body(struct doc_reader *r, json_t *value, const char *pointer)
{
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;
    char at[DOC_POINTER_MAX];

    if (json_is_string(value))
        check_places(r, pointer, json_string_value(value), ALL);
    json_object_foreach(value, key, item)
    {
        str_cut(at, sizeof(at), pointer);
        json_pointer_add(at, sizeof(at), key);
        check_body(r, item, at);
    }
    json_array_foreach(value, i, item) check_body(r, item, pointer);
}

static void read_body(struct doc_reader *r, json_t *value, const char *pointer,
                      void *owner)
{
    struct provider_http *h = owner;

    if (!json_is_object(value)) {
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "e.g. {\"to\": \"{to}\", \"message\": \"{text}\"}",
                  "'body' must be an object of what is sent, not %s",
                  doc_type_name(value));
        return;
    }
    check_body(r, value, pointer);
    h->send.body = value;
}

static bool is_list_of_texts(const json_t *value)
{
    const json_t *item = NULL;
    size_t i = 0;

    if (!json_is_array(value) || json_array_size(value) == 0)
        return false;
    json_array_foreach(value, i, item) if (!json_is_string(item)) return false;
    return true;
}

static void read_list(struct doc_reader *r, const json_t *value, const char *pointer,
                      const char *hint, const json_t **out)
{
    if (is_list_of_texts(value))
        *out = value;
    else
        doc_issue(r, pointer, JSON_PLACE_VALUE, hint, "must be a list of texts");
}

static void read_opted_out(struct doc_reader *r, json_t *value, const char *pointer,
                           void *owner)
{
    struct provider_http *h = owner;

    read_list(r, value, pointer,
              "errors that say the person opted out, e.g. [\"blocked\"]",
              &h->send.opted_out);
}

static void read_ok_is(struct doc_reader *r, json_t *value, const char *pointer,
                       void *owner)
{
    struct provider_http *h = owner;

    read_list(r, value, pointer, "e.g. [\"success\"]", &h->send.ok_is);
}

static void read_states(struct doc_reader *r, json_t *value, const char *pointer,
                        void *owner)
{
    struct provider_http *h = owner;
    const char *key = NULL;
    json_t *item = NULL;
    enum message_state state;
    char at[DOC_POINTER_MAX];

    if (!json_is_object(value)) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, "e.g. {\"DELIVRD\": \"delivered\"}",
                  "'states' must be an object, not %s", doc_type_name(value));
        return;
    }
    json_object_foreach(value, key, item)
    {
        str_cut(at, sizeof(at), pointer);
        json_pointer_add(at, sizeof(at), key);
        if (!message_state_find(json_string_value(item), &state))
            doc_issue(r, at, JSON_PLACE_VALUE, NULL,
                      "must be sent, delivered, undelivered or failed");
    }
    h->report.states = value;
}

/* ---- reading ---- */

#define TEXT_OF(member)                                                                  \
    .kind = DOC_TEXT, .offset = offsetof(struct provider_http, member),                  \
    .size = sizeof(((struct provider_http *)0)->member)

static const char *const contents[] = {"form", "json", NULL};
static const char pointer_hint[] = "a JSON pointer into its answer, e.g. \"/message/id\"";
static const char name_hint[] =
    "a parameter's name, or a JSON pointer into the body, e.g. \"/message/id\"";

static const struct doc_field send_fields[] = {
    {.key = "method", TEXT_OF(send.method), .hint = "POST, PUT or GET"},
    {.key = "url", .required = true, TEXT_OF(send.url), .hint = "of the gateway"},
    {.key = "content",
     .kind = DOC_CHOICE,
     .offset = offsetof(struct provider_http, send.content),
     .words = contents,
     .hint = "how body is sent"},
    {.key = "headers", .kind = DOC_PART, .read = read_headers},
    {.key = "body", .kind = DOC_PART, .read = read_body},
    {.key = "id", TEXT_OF(send.id), .hint = pointer_hint},
    {.key = "error", TEXT_OF(send.error), .hint = pointer_hint},
    {.key = "ok_at", TEXT_OF(send.ok_at), .hint = pointer_hint},
    {.key = "ok_is", .kind = DOC_PART, .read = read_ok_is},
    {.key = "opted_out", .kind = DOC_PART, .read = read_opted_out},
};

static const struct doc_field report_fields[] = {
    {.key = "id", .required = true, TEXT_OF(report.id), .hint = name_hint},
    {.key = "status", .required = true, TEXT_OF(report.status), .hint = name_hint},
    {.key = "error", TEXT_OF(report.error), .hint = name_hint},
    {.key = "price", TEXT_OF(report.price), .hint = name_hint},
    {.key = "currency", TEXT_OF(report.currency), .hint = "of the price, e.g. \"ETB\""},
    {.key = "states",
     .required = true,
     .kind = DOC_PART,
     .read = read_states,
     .hint = "e.g. {\"DELIVRD\": \"delivered\"}"},
};

static const struct doc_field inbound_fields[] = {
    {.key = "id", TEXT_OF(inbound.id), .hint = name_hint},
    {.key = "from", .required = true, TEXT_OF(inbound.from), .hint = name_hint},
    {.key = "to", TEXT_OF(inbound.to), .hint = name_hint},
    {.key = "text", .required = true, TEXT_OF(inbound.text), .hint = name_hint},
    {.key = "region",
     TEXT_OF(inbound.region),
     .hint = "of numbers that come without their country, e.g. \"ET\""},
};

static void read_inbound(struct doc_reader *r, json_t *value, struct provider_http *h)
{
    doc_read_object(r, value, "/inbound", inbound_fields, ARRAY_LEN(inbound_fields), h);
    if (h->inbound.region[0] && !phone_region_is_known(h->inbound.region))
        doc_issue(r, "/inbound/region", JSON_PLACE_VALUE, "two capital letters: \"ET\"",
                  "there is no such region");
}

static void check_pointer(struct doc_reader *r, const char *pointer, const char *value)
{
    if (*value && *value != '/')
        doc_issue(r, pointer, JSON_PLACE_VALUE, pointer_hint,
                  "must be a JSON pointer: it begins with a slash");
}

static void read_send(struct doc_reader *r, json_t *value, struct provider_http *h)
{
    size_t before = (size_t)r->issues->found;

    str_cut(h->send.method, sizeof(h->send.method), "POST");
    doc_read_object(r, value, "/send", send_fields, ARRAY_LEN(send_fields), h);
    if ((size_t)r->issues->found > before)
        return;
    bool get = strcmp(h->send.method, "GET") == 0;
    if (!get && strcmp(h->send.method, "POST") != 0 && strcmp(h->send.method, "PUT") != 0)
        doc_issue(r, "/send/method", JSON_PLACE_VALUE, NULL, "must be POST, PUT or GET");
    if (get && h->send.body)
        doc_issue(r, "/send/body", JSON_PLACE_VALUE, "write it into the url, after a ?",
                  "a GET request has no body");
    check_url(r, h->send.url);
    check_pointer(r, "/send/id", h->send.id);
    check_pointer(r, "/send/error", h->send.error);
    check_pointer(r, "/send/ok_at", h->send.ok_at);
    if (!*h->send.ok_at != !h->send.ok_is)
        doc_issue(r, "/send", JSON_PLACE_VALUE,
                  "\"ok_at\": \"/status\", \"ok_is\": [\"success\"]",
                  "ok_at and ok_is belong together");
}

static int issue_as_text(const struct campaign_issues *issues, struct errtext *e)
{
    const struct campaign_issue *i = &issues->at[0];

    return errtext_set(e, EINVAL, i->line, i->column, "settings%s: %s%s%s%s", i->pointer,
                       i->text, i->hint[0] ? " (" : "", i->hint, i->hint[0] ? ")" : "");
}

static int read_parts(const char *text, struct provider_http *h, struct errtext *e)
{
    struct campaign_issues issues = {0};
    struct doc_reader r = {.text = text, .len = strlen(text), .issues = &issues};
    json_t *send = json_object_get(h->json, "send");
    json_t *report = json_object_get(h->json, "report");
    json_t *inbound = json_object_get(h->json, "inbound");

    h->sends = send != NULL;
    h->reports = report != NULL;
    h->receives = inbound != NULL;
    if (send)
        read_send(&r, send, h);
    if (report)
        doc_read_object(&r, report, "/report", report_fields, ARRAY_LEN(report_fields),
                        h);
    if (inbound)
        read_inbound(&r, inbound, h);
    return issues.found ? issue_as_text(&issues, e) : 0;
}

int provider_http_read(const char *settings_json, struct provider_http *out,
                       struct errtext *e)
{
    struct provider_http h = {0};
    json_error_t at;

    h.json = json_loads(settings_json, JSON_REJECT_DUPLICATES, &at);
    int err = json_is_object(h.json)
                  ? read_parts(settings_json, &h, e)
                  : errtext_set(e, EINVAL, 0, 0, "settings must be a JSON object");
    if (err)
        provider_http_free(&h);
    else
        *out = h;
    return err;
}

void provider_http_free(struct provider_http *h)
{
    json_decref(h->json);
    *h = (struct provider_http){0};
}

/* ---- what gateways say ---- */

bool provider_http_state(const struct provider_http *h, const char *word,
                         enum message_state *out)
{
    const char *key = NULL;
    json_t *item = NULL;

    json_object_foreach(h->report.states, key,
                        item) if (strcasecmp(key, word) ==
                                  0) return message_state_find(json_string_value(item),
                                                               out);
    return false;
}

bool provider_http_is_one_of(const json_t *list, const char *text)
{
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(list, i, item) if (strcasecmp(json_string_value(item), text) ==
                                          0) return true;
    return false;
}

/* RFC 6901: "~1" is a slash, "~0" a tilde. */
static bool next_token(const char **at, char *out, size_t size)
{
    size_t n = 0;

    for (*at += 1; **at && **at != '/' && n + 1 < size; ++*at) {
        bool escaped = **at == '~' && ((*at)[1] == '0' || (*at)[1] == '1');
        *at += escaped;
        out[n++] = (char)(!escaped ? **at : **at == '1' ? '/' : '~');
    }
    out[n] = '\0';
    return !**at || **at == '/';
}

const json_t *provider_http_at(const json_t *root, const char *pointer)
{
    char token[HTTP_NAME_MAX];

    while (root && *pointer) {
        int64_t index = 0;
        if (*pointer != '/' || !next_token(&pointer, token, sizeof(token)))
            return NULL;
        if (json_is_array(root))
            root = str_to_i64(token, &index) && index >= 0
                       ? json_array_get(root, (size_t)index)
                       : NULL;
        else
            root = json_object_get(root, token);
    }
    return root;
}

bool provider_http_text_at(const json_t *root, const char *pointer, char *out,
                           size_t size)
{
    const json_t *v = provider_http_at(root, pointer);
    int n = -1;

    *out = '\0';
    if (json_is_string(v))
        return str_copy(out, size, json_string_value(v)) == 0;
    if (json_is_integer(v))
        n = snprintf(out, size, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        n = snprintf(out, size, "%.10g", json_real_value(v));
    else if (json_is_boolean(v))
        n = snprintf(out, size, "%s", json_is_true(v) ? "true" : "false");
    return n > 0 && (size_t)n < size;
}
