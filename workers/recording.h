/*
 * recording - the rows of a recording on its way from the switch to a result:
 * reading it, moving its state, its transcript.
 * All but recording_load are called inside the caller's transaction. Used by
 * several kinds of jobs and by the command line. Errors are pg.h's.
 */
#ifndef WORKERS_RECORDING_H
#define WORKERS_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "workers/job.h"

struct pg;
struct worker_config;

#define RECORDING_CALLBACK   "callback"   /* the pipeline of a time to call back */
#define RECORDING_UNDERSTAND "understand" /* of a command that is told, not done */
#define RECORDING_UPLOAD     "upload"     /* the source of what a program sent */

struct recording {
    struct uuid id, call_id;
    char name[160], source[16], location[512], node[128];
    char language[16], pipeline[16], state[16], on_done_sms[128];
    char sha256[SHA256_TEXT_MAX];
    int64_t phone, created_at_ms; /* phone 0: withheld */
    int sample_rate, duration_ms;
    /* Of its transcript. */
    bool has_text, understood;
    char *text; /* NULL without one */
    char text_language[16];
    char intent[32];
    json_t *entities; /* NULL until understood */
};

/* ENOENT: there is none. *out is the caller's to recording_free() on success. */
NODISCARD int recording_load(struct pg *pg, int tenant_id, const struct uuid *id,
                             struct recording *out);
void recording_free(struct recording *r); /* for CLEANUP too */

/* The new state, with why ("" for none). */
NODISCARD int recording_set_state(struct pg *pg, const struct uuid *id, const char *state,
                                  const char *error, int64_t now_ms);
/* Its end, with why. Who spoke a command is told when nobody heard it or a person must,
 * or they would wait for an answer, or call again. */
NODISCARD int recording_end(struct pg *pg, const struct worker_config *c, int tenant_id,
                            const struct recording *r, const char *state,
                            const char *error);
/* A transcript, once; another one of the same source is nothing new. A person's
 * replaces whatever there was and is understood afresh. */
NODISCARD int recording_add_text(struct pg *pg, int tenant_id, const struct uuid *id,
                                 const char *text, const char *language,
                                 const char *source, int64_t now_ms);
/* Whether what was said is understood by a job: as a command or as a time to call back.
 */
bool recording_is_understood(const char *pipeline);
/* After the text: to understanding, else done. */
NODISCARD int recording_after_text(struct pg *pg, int tenant_id, const struct uuid *id,
                                   const char *pipeline, int64_t now_ms);
/* The next job of a recording, in this transaction. */
NODISCARD int recording_enqueue(struct pg *pg, int tenant_id, const char *kind,
                                const struct uuid *id, int64_t now_ms);

/* What all jobs about a recording begin with. JOB_DONE: *r is loaded. */
NODISCARD enum job_result recording_for_job(struct job_ctx *ctx, const struct job *job,
                                            struct recording *r);
/* job_buried_fn of those jobs: the recording is `failed`, with why. */
int recording_job_buried(struct job_ctx *ctx, const struct job *job, const char *why);
/* recording_end() as a whole transaction and its outcome as a job's. */
NODISCARD enum job_result recording_finish(struct job_ctx *ctx, const struct job *job,
                                           const struct recording *r, const char *state,
                                           const char *error);

#endif
