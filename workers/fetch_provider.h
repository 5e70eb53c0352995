/*
 * fetch_provider - a recording at a provider (Twilio, Plivo): downloaded with the
 * account's token, over redirects only to hosts that may hold it, and deleted there when
 * the account says so.
 */
#ifndef WORKERS_FETCH_PROVIDER_H
#define WORKERS_FETCH_PROVIDER_H

#include <stdio.h>

#include "workers/recording.h"
#include "workers/worker.h"

bool fetch_is_of_provider(const struct recording *r);
enum job_result fetch_from_provider(struct job_ctx *ctx, const struct job *job,
                                    const struct recording *r, FILE *to);
enum job_result fetch_delete_at_provider(struct job_ctx *ctx, const struct job *job,
                                         const struct recording *r);

#endif
