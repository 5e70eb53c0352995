/*
 * provider_http - a gateway of messages that is described instead of programmed: the
 * settings `send`, `report` and `inbound` of an account of kind http. Pure; any thread.
 *
 * Texts of `send` hold places, e.g. {to}; what is put there is escaped for where it
 * stands, so that no message breaks out of it. Places of a value are not looked for
 * again.
 */
#ifndef CAMPAIGNS_PROVIDER_HTTP_H
#define CAMPAIGNS_PROVIDER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/message_state.h"

struct buf;

enum http_place {
    HTTP_TO,        /* +251911234567 */
    HTTP_TO_DIGITS, /* 251911234567 */
    HTTP_FROM,      /* the tenant's sender */
    HTTP_TEXT,
    HTTP_ID,         /* ours, of the message */
    HTTP_REPORT_URL, /* where its delivery reports go; "" when unknown */
    HTTP_ACCOUNT,
    HTTP_TOKEN,
    HTTP_PLACES,
};

enum { HTTP_URL_MAX = 512, HTTP_NAME_MAX = 128, HTTP_HEADERS_MAX = 12 };
enum http_content { HTTP_FORM, HTTP_JSON };

/* Names of report and inbound: a parameter of the form or the query, or, with a slash in
 * front, a JSON pointer into the body. "": it has none. */
struct provider_http {
    json_t *json; /* owned: provider_http_free(); what is borrowed below is in it */
    bool sends, reports, receives;
    struct {
        char method[8], url[HTTP_URL_MAX];
        int content;                                  /* enum http_content */
        json_t *headers;                              /* object of texts; NULL none */
        json_t *body;                                 /* object; NULL none */
        char id[HTTP_NAME_MAX], error[HTTP_NAME_MAX]; /* JSON pointers into the answer */
        char ok_at[HTTP_NAME_MAX]; /* what says that it was taken; "": the HTTP status */
        const json_t *ok_is;       /* list of texts */
        const json_t *opted_out;   /* list of texts of `error`; NULL none */
    } send;
    struct {
        char id[HTTP_NAME_MAX], status[HTTP_NAME_MAX], error[HTTP_NAME_MAX];
        char price[HTTP_NAME_MAX], currency[8];
        json_t *states; /* the gateway's words: "sent", "delivered", … */
    } report;
    struct {
        char id[HTTP_NAME_MAX], from[HTTP_NAME_MAX], to[HTTP_NAME_MAX],
            text[HTTP_NAME_MAX];
        char region[4]; /* "ET": whose numbers come as they are dialled there; "" none */
    } inbound;
};

/* EINVAL with a text that names the place. Other keys are not looked at. */
NODISCARD int provider_http_read(const char *settings_json, struct provider_http *out,
                                 struct errtext *e);
void provider_http_free(struct provider_http *h); /* for CLEANUP */

/* The gateway's word for a state, small or capital; false: none of report.states. */
NODISCARD bool provider_http_state(const struct provider_http *h, const char *word,
                                   enum message_state *out);
/* Whether text is one of a list of texts; NULL is none. */
bool provider_http_is_one_of(const json_t *list, const char *text);
/* NULL: there is nothing there. "" is root itself. Borrowed. */
const json_t *provider_http_at(const json_t *root, const char *pointer);
/* A text or a number at pointer as text into out; false: there is none, or too long. */
NODISCARD bool provider_http_text_at(const json_t *root, const char *pointer, char *out,
                                     size_t size);

/* Appends text with its places filled. escape may be NULL; else its answer is free()d. */
typedef char *(http_escape_fn)(const char *value);
void provider_http_fill(struct buf *out, const char *text,
                        const char *const values[HTTP_PLACES], http_escape_fn *escape);

#endif
