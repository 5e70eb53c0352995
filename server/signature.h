/*
 * signature - did this request come from the provider that knows our token? Over the URL
 * as the provider asked for it and the raw body, compared in constant time. Twilio: HMAC-
 * SHA1 (twilio.com/docs/usage/webhooks/webhooks-security); Plivo: HMAC-SHA256, V3 for
 * voice, V2 for messages (plivo.com/docs/voice/concepts/signature-validation). Pure.
 *
 * The URL is put together by the caller, from the base URL that is configured and the
 * request's own path and query, still percent-encoded: what a proxy says of itself is not
 * believed. A body that no signature covers is refused, so that nobody adds one.
 */
#ifndef SERVER_SIGNATURE_H
#define SERVER_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

struct signed_request {
    const char *method;       /* GET or POST */
    const char *url;          /* https://host[:port]/path[?query], no fragment */
    const char *content_type; /* NULL or "" none */
    const char *body;
    size_t body_len;
    const char *signature; /* the header; NULL: none, which is wrong */
    const char *nonce;     /* Plivo's header; NULL none */
};

/* X-Twilio-Signature, by the URL with and without its port: both forms are in use. A JSON
 * body must be named by the URL's bodySHA256. */
bool signature_is_twilio(const char *token, const struct signed_request *r);
/* X-Plivo-Signature-V3; the header may hold several, parted by commas. */
bool signature_is_plivo_v3(const char *token, const struct signed_request *r);
/* X-Plivo-Signature-V2: neither query nor body is covered. */
bool signature_is_plivo_v2(const char *token, const struct signed_request *r);

#endif
