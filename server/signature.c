#include "server/signature.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/hmac.h>
#include <sodium.h>

#include "base/form.h"
#include "base/sha256.h"
#include "base/str.h"

enum { BASE64_MAX = 64, SIGNATURES_MAX = 8 };

/* ---- the URL's parts ---- */

struct url_parts {
    size_t scheme;     /* "https://" */
    size_t host;       /* behind the scheme, with an IPv6 address' brackets */
    size_t port;       /* ":8443" behind it; 0 none */
    const char *path;  /* "/a?b", "?b" or "" */
    const char *query; /* behind the '?'; NULL none */
};

static bool split_url(const char *url, struct url_parts *p)
{
    const char *host = strstr(url, "://");

    if (!host || strchr(url, '#'))
        return false;
    host += 3;
    p->scheme = (size_t)(host - url);
    size_t authority = strcspn(host, "/?");
    p->path = host + authority;
    const char *mark = strchr(p->path, '?');
    p->query = mark ? mark + 1 : NULL;
    p->host = authority;
    p->port = 0;
    for (size_t i = authority; i > 0 && host[i - 1] != ']'; i--)
        if (host[i - 1] == ':') {
            p->host = i - 1;
            p->port = authority - p->host;
            break;
        }
    return p->host > 0 && !memchr(host, '@', authority);
}

/* ---- comparing ---- */

static bool is_one(const char *ours, const char *given, size_t len)
{
    return strlen(ours) == len && mem_equal_ct(ours, given, len);
}

/* Any of the header's signatures. All are compared, whichever is right. */
static bool is_any(const char *ours, const char *given)
{
    bool right = false;

    for (int i = 0; given && *given && i < SIGNATURES_MAX; i++) {
        size_t len = strcspn(given, ",");
        right |= is_one(ours, given, len);
        given += len + (given[len] == ',');
        given += strspn(given, " ");
    }
    return right;
}

static const char *hmac_base64(const EVP_MD *hash, const char *token,
                               const struct buf *text, char out[BASE64_MAX])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    out[0] = '\0';
    if (HMAC(hash, token, (int)strlen(token), (const unsigned char *)text->data,
             text->len, mac, &len))
        sodium_bin2base64(out, BASE64_MAX, mac, len, sodium_base64_VARIANT_ORIGINAL);
    return out;
}

static bool is_post(const struct signed_request *r)
{
    return str_is(r->method, "POST");
}

/* ---- Twilio ---- */

static bool is_same_pair(const struct form_pair *a, const struct form_pair *b)
{
    return a->name.len == b->name.len && a->value.len == b->value.len &&
           memcmp(a->name.data, b->name.data, a->name.len) == 0 &&
           memcmp(a->value.data, b->value.data, a->value.len) == 0;
}

/* Names and values without anything between them; a pair that comes twice counts once
 * for Twilio. */
static void add_pairs(struct buf *text, const struct form *f, bool once)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct form_pair *p = &f->pairs[i];
        if (once && i > 0 && is_same_pair(p, p - 1))
            continue;
        buf_add(text, p->name.data, p->name.len);
        buf_add(text, p->value.data, p->value.len);
    }
}

/* The body's hash as the signed URL has it. */
static bool body_is_named(const struct signed_request *r, const struct url_parts *u)
{
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_TEXT_MAX];
    struct form query;
    bool named = false;

    if (u->query && form_parse(&query, u->query, strlen(u->query)) == 0) {
        const struct form_text *stated = form_get(&query, "bodySHA256");
        sha256_of(r->body, r->body_len, hash);
        named = stated && is_one(sha256_text(hash, hex), stated->data, stated->len);
        form_free(&query);
    }
    return named;
}

enum port_form { AS_GIVEN, WITHOUT_PORT, WITH_STANDARD_PORT, PORT_FORMS };

static bool twilio_url_is_signed(const char *token, const struct signed_request *r,
                                 const struct url_parts *u, enum port_form form,
                                 const struct form *pairs)
{
    CLEANUP(buf_free) struct buf text = {0};
    char ours[BASE64_MAX];

    buf_add(&text, r->url, u->scheme + u->host + (form == AS_GIVEN ? u->port : 0));
    if (form == WITH_STANDARD_PORT)
        buf_puts(&text, strncasecmp(r->url, "https", 5) == 0 ? ":443" : ":80");
    buf_puts(&text, u->path);
    add_pairs(&text, pairs, true);
    hmac_base64(EVP_sha1(), token, &text, ours);
    return *ours && is_one(ours, r->signature, strlen(r->signature));
}

bool signature_is_twilio(const char *token, const struct signed_request *r)
{
    struct form pairs = {0};
    struct url_parts u;
    bool right = false;

    if (!*token || !r->signature || !*r->signature || !split_url(r->url, &u))
        return false;
    if (is_post(r) && form_is_type(r->content_type)) {
        if (form_parse(&pairs, r->body, r->body_len))
            return false;
    } else if (r->body_len > 0 && !body_is_named(r, &u)) {
        return false;
    }
    form_sort(&pairs);
    for (enum port_form f = AS_GIVEN; f < PORT_FORMS && !right; f++)
        right = twilio_url_is_signed(token, r, &u, f, &pairs);
    form_free(&pairs);
    return right;
}

/* ---- Plivo ---- */

static void add_query(struct buf *text, const struct form *q)
{
    for (size_t i = 0; i < q->n; i++) {
        buf_puts(text, i ? "&" : "?");
        buf_add(text, q->pairs[i].name.data, q->pairs[i].name.len);
        buf_puts(text, "=");
        buf_add(text, q->pairs[i].value.data, q->pairs[i].value.len);
    }
}

/* base[?query][.body].nonce; a body without a query stands behind a '?' and no dot: the
 * published vectors differ from the prose. */
static void plivo_v3_text(struct buf *text, const struct signed_request *r,
                          const struct url_parts *u, const struct form *query,
                          const struct form *body)
{
    buf_add(text, r->url, u->query ? (size_t)(u->query - 1 - r->url) : strlen(r->url));
    add_query(text, query);
    if (body->n > 0)
        buf_puts(text, query->n > 0 ? "." : "?");
    add_pairs(text, body, false);
    buf_puts(text, ".");
    buf_puts(text, r->nonce);
}

bool signature_is_plivo_v3(const char *token, const struct signed_request *r)
{
    CLEANUP(buf_free) struct buf text = {0};
    struct form query = {0}, body = {0};
    char ours[BASE64_MAX] = "";
    struct url_parts u;

    if (!*token || !r->signature || !r->nonce || !*r->nonce || !split_url(r->url, &u))
        return false;
    if (r->body_len > 0 && !(is_post(r) && form_is_type(r->content_type)))
        return false;
    int err = u.query ? form_parse(&query, u.query, strlen(u.query)) : 0;
    if (!err)
        err = form_parse(&body, r->body ? r->body : "", r->body_len);
    if (!err) {
        form_sort(&query);
        form_sort(&body);
        plivo_v3_text(&text, r, &u, &query, &body);
        hmac_base64(EVP_sha256(), token, &text, ours);
    }
    form_free(&query);
    form_free(&body);
    return *ours && is_any(ours, r->signature);
}

bool signature_is_plivo_v2(const char *token, const struct signed_request *r)
{
    CLEANUP(buf_free) struct buf text = {0};
    char ours[BASE64_MAX];
    struct url_parts u;

    if (!*token || !r->signature || !r->nonce || !*r->nonce || !split_url(r->url, &u))
        return false;
    buf_add(&text, r->url, u.query ? (size_t)(u.query - 1 - r->url) : strlen(r->url));
    buf_puts(&text, r->nonce);
    hmac_base64(EVP_sha256(), token, &text, ours);
    return *ours && is_any(ours, r->signature);
}
