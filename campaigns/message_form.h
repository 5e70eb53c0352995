/*
 * message_form - what a provider tells us of messages: a delivery report, or a message of
 * a person. Each kind of provider names the parts in its own way; a gateway of kind http
 * as its settings say. Knows no database and no signature. Pure; any thread.
 */
#ifndef CAMPAIGNS_MESSAGE_FORM_H
#define CAMPAIGNS_MESSAGE_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/form.h"
#include "campaigns/message_state.h"
#include "campaigns/provider.h"
#include "compliance/opt_out_words.h"

struct provider_http;

struct message_told {
    enum provider_kind kind;
    const struct provider_http *http; /* of kind http; NULL otherwise */
    const struct form *body, *query;  /* a name is looked for in this order */
    const json_t *json;               /* the body, when it is JSON; NULL otherwise */
};

enum { MESSAGE_ID_MAX = 128, MESSAGE_ERROR_MAX = 200, MESSAGE_TEXT_MAX = 8192 };

struct message_news {
    char provider_id[MESSAGE_ID_MAX]; /* of the whole message; "": it names none */
    char error[MESSAGE_ERROR_MAX];    /* why it did not arrive; "": not said */
    enum message_state state;
    int64_t price_micros; /* 0: not said */
    char currency[8];
    bool opted_out; /* it did not arrive because the person said STOP to the provider */
};
/* False: it is no report, or of a state that says nothing new (queued, sending). */
NODISCARD bool message_read_report(const struct message_told *told,
                                   struct message_news *out);

struct message_letter {
    int64_t from; /* e164 */
    char provider_id[MESSAGE_ID_MAX];
    char text[MESSAGE_TEXT_MAX];
    enum message_word provider_word; /* what the provider itself has acted upon */
};
/* False: nobody wrote (no number, or a name instead of one). What is too long is cut. */
NODISCARD bool message_read_letter(const struct message_told *told,
                                   struct message_letter *out);

#endif
