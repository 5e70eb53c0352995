/*
 * api_calls - the API nodes of flows of calls at providers. A provider waits for a
 * document no longer than some seconds, an API may take its time: so the request is sent
 * by threads of its own once the step that wants it has been committed, the caller hears
 * music meanwhile, and the answer is a step by itself, whose document the provider gets
 * when it next asks.
 *
 * A server that dies loses the request, not the call: the wait has a deadline of its own.
 */
#ifndef SERVER_API_CALLS_H
#define SERVER_API_CALLS_H

#include <stdbool.h>

#include "ivr/ivr.h"

struct api_calls;
struct server;
struct voice_call;

struct api_calls *api_calls_new(struct server *s, int threads);
/* Requests that are out are broken off. NULL is allowed. */
void api_calls_free(struct api_calls *all);

/* Has it sent once v's hook has committed (hook_after). False: it cannot be, and v's note
 * says why. */
bool api_call_prepare(struct voice_call *v, const struct ivr_http *http);

#endif
