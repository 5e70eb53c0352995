#include "server/html.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/sha256.h"

static const char style[] =
    "body{font-family:sans-serif;max-width:40em;margin:2em auto;padding:0 1em;"
    "line-height:1.5}label{display:block;margin-top:1em}"
    "input,textarea{width:100%;padding:.5em;font:inherit;box-sizing:border-box}"
    "button{margin-top:1em;padding:.6em 1.2em;font:inherit}"
    "th,td{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}";

void html_text(struct buf *b, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buf_puts(b, "&amp;");
            break;
        case '<':
            buf_puts(b, "&lt;");
            break;
        case '>':
            buf_puts(b, "&gt;");
            break;
        case '"':
            buf_puts(b, "&quot;");
            break;
        case '\'':
            buf_puts(b, "&#39;");
            break;
        default:
            buf_add(b, text, 1);
        }
    }
}

/* Only our own style may be used, known by its hash. */
static void guard(struct response *resp)
{
    char hash[sodium_base64_ENCODED_LEN(SHA256_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    char policy[RESPONSE_HEADER_MAX];
    uint8_t bytes[SHA256_BYTES];

    sha256_of(style, strlen(style), bytes);
    sodium_bin2base64(hash, sizeof(hash), bytes, sizeof(bytes),
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(policy, sizeof(policy),
             "default-src 'none'; style-src 'sha256-%s'; form-action 'self'; base-uri "
             "'none'; frame-ancestors 'none'",
             hash);
    respond_header(resp, "Content-Security-Policy", policy);
    respond_header(resp, "Cache-Control", "no-store");
    respond_header(resp, "Referrer-Policy", "no-referrer");
    respond_header(resp, "X-Frame-Options", "DENY");
}

void html_begin(struct response *resp, int status, const char *title)
{
    struct buf *b = &resp->body;

    resp->status = status;
    resp->content_type = "text/html; charset=utf-8";
    guard(resp);
    buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                "<meta name=\"viewport\" content=\"width=device-width, "
                "initial-scale=1\"><title>");
    html_text(b, title);
    buf_printf(b, "</title><style>%s</style></head><body><main><h1>", style);
    html_text(b, title);
    buf_puts(b, "</h1>\n");
}

void html_end(struct response *resp)
{
    buf_puts(&resp->body, "</main></body></html>\n");
}

void html_notice(struct response *resp, int status, const char *title, const char *text)
{
    html_begin(resp, status, title);
    buf_puts(&resp->body, "<p>");
    html_text(&resp->body, text);
    buf_puts(&resp->body, "</p>");
    html_end(resp);
}
