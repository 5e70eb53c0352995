/*
 * nlu_schema - the words exchanged with a language model: the body of a
 * chat-completions request with a strict JSON schema, and its reply read with
 * distrust. Sends nothing. Pure; any thread.
 *
 * A transcript is what a stranger said: it travels as data in its own message,
 * and of the reply only intents we know and bounded texts are taken.
 */
#ifndef WORKERS_NLU_SCHEMA_H
#define WORKERS_NLU_SCHEMA_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/errors.h"

#include "batches/understanding.h"

/* How much of the schema a server understands; servers differ. */
enum nlu_mode { NLU_JSON_SCHEMA, NLU_JSON_OBJECT, NLU_PLAIN };

enum nlu_verdict {
    NLU_OK,
    NLU_CUT_OFF,  /* the reply was longer than allowed: another try may do */
    NLU_DECLINED, /* the model or its filter will not answer */
    NLU_INVALID,  /* no reply of the agreed form */
};

/* The caller's to free(). language is "en", "am", "om" or "" for not known. */
char *nlu_request(const char *model, const char *transcript, const char *language,
                  enum nlu_mode mode);

/* body is the HTTP body of a 200. Fills *out on NLU_OK, e on anything else. */
NODISCARD enum nlu_verdict nlu_read_reply(struct understanding *out, const char *body,
                                          size_t len, struct errtext *e);

#endif
