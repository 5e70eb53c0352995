/* backend_plivo - what the two files of the plivo back end share. Inside ivr/ only. */
#ifndef IVR_BACKEND_PLIVO_H
#define IVR_BACKEND_PLIVO_H

#include "ivr/backend_kinds.h"
#include "ivr/document_parts.h"

extern const struct doc_words plivo_words;

int plivo_request(const struct ivr_request *req, const struct ivr_call_ctx *ctx,
                  const struct ivr_state *state, struct ivr_arena *arena,
                  struct ivr_parsed *out);

/* What who answers a transfer hears until they press the key. */
void plivo_confirm(struct doc *d, char key);

#endif
