/*
 * fetch_upload - the part of recording.fetch for audio that a program sent by the voice
 * API: read where furrow-server laid it (<data_dir>/<location>), converted, and removed
 * once it is stored or given up. Worker threads only.
 */
#ifndef WORKERS_FETCH_UPLOAD_H
#define WORKERS_FETCH_UPLOAD_H

#include <stdio.h>

#include "workers/recording.h"

bool fetch_is_upload(const struct recording *r);
/* What is no audio is buried: its reason is for whoever sent it. */
NODISCARD enum job_result fetch_from_upload(struct job_ctx *ctx, const struct job *job,
                                            const struct recording *r, FILE *to);
void fetch_drop_upload(struct job_ctx *ctx, const struct recording *r);

#endif
