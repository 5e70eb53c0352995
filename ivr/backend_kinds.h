/*
 * backend_kinds - the back ends there are, and what they share: the walk over a
 * sprint's effects that makes commands of them. Inside ivr/ only.
 */
#ifndef IVR_BACKEND_KINDS_H
#define IVR_BACKEND_KINDS_H

#include "ivr/backend.h"

extern const struct ivr_backend backend_ari, backend_plivo, backend_sim, backend_twiml;

/* Puts a back end's own words into a command: method and request, or line. They are
 * "" before. ENOMEM. */
typedef int(backend_words_fn)(const struct ivr_call_ctx *ctx, struct ivr_arena *arena,
                              struct ivr_command *cmd);

/* Commands in the order of the effects; prompts that follow each other become one PLAY.
 */
NODISCARD int backend_render(const struct ivr_out *step, const struct ivr_call_ctx *ctx,
                             backend_words_fn *words, struct ivr_arena *arena,
                             struct ivr_rendered *out);

/* RFC 3986: everything but unreserved characters; NULL: ENOMEM. */
const char *backend_percent(struct ivr_arena *arena, const char *text);

#endif
