/* backend_twiml - what the two files of the twiml back end share. Inside ivr/ only. */
#ifndef IVR_BACKEND_TWIML_H
#define IVR_BACKEND_TWIML_H

#include "ivr/backend_kinds.h"
#include "ivr/document_parts.h"

extern const struct doc_words twiml_words;

int twiml_request(const struct ivr_request *req, const struct ivr_call_ctx *ctx,
                  const struct ivr_state *state, struct ivr_arena *arena,
                  struct ivr_parsed *out);

/* What who answers hears until they press the key; then: the word that it leads to. */
void twiml_confirm(struct doc *d, const char *then, char key);

#endif
