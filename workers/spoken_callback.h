/*
 * spoken_callback - the understanding of a recording whose pipeline is "callback": "call
 * me tomorrow at five" becomes a promised call, under the rules that a time keyed in
 * obeys (calling hours, holidays and the least gap of the campaign that will call, and
 * the gate on the day). What was not understood is nobody's guess: the recording waits
 * for a person
 * ('needs_person'), who transcribes it in plainer words. Who asks for no more calls gets
 * none. Part of the nlu job; a worker thread's.
 */
#ifndef WORKERS_SPOKEN_CALLBACK_H
#define WORKERS_SPOKEN_CALLBACK_H

#include "workers/recording.h"

/* r has a text that is not understood yet. */
enum job_result spoken_callback(struct job_ctx *ctx, const struct job *job,
                                const struct recording *r);

#endif
