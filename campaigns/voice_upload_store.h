/*
 * voice_upload_store - audio that programs send by the voice API: its rows, the job that
 * begins its way, and reading how far it is. The bytes lie at
 * <data_dir>/uploads/<tenant>-<id> until that job has stored them.
 *
 * Each function is one transaction on the given connection. Errors are pg.h's.
 */
#ifndef CAMPAIGNS_VOICE_UPLOAD_STORE_H
#define CAMPAIGNS_VOICE_UPLOAD_STORE_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "campaigns/voice_task.h"

struct pg;

enum { VOICE_LABEL_MAX = 256, VOICE_KEY_MAX = 200 };

struct voice_upload {
    struct uuid id;
    const char *endpoint;        /* "transcribe", "process-command" … */
    const char *pipeline;        /* of the recording */
    const char *language;        /* "" the service may find out */
    int64_t phone;               /* whose it is; 0 nobody's */
    const char *key_name;        /* of the API key */
    const char *idempotency_key; /* NULL: none */
    const char *file_name;       /* the client's label */
    const char *format;
    char file_sha256[SHA256_TEXT_MAX];
    int64_t bytes;
};

/* "uploads/<tenant>-<id>". */
enum { VOICE_LOCATION_MAX = 64 };
const char *voice_upload_location(int tenant_id, const struct uuid *id,
                                  char out[VOICE_LOCATION_MAX]);

/* EEXIST: that key sent one with this idempotency key before; nothing was written. */
NODISCARD int voice_upload_add(struct pg *pg, int tenant_id, const struct voice_upload *u,
                               int64_t now_ms);
/* Which one that was: ENOENT none; EXDEV another file, language, phone or endpoint. */
NODISCARD int voice_upload_find(struct pg *pg, int tenant_id,
                                const struct voice_upload *like, struct uuid *id);
/* Whether its file is still wanted. */
NODISCARD int voice_upload_is_wanted(struct pg *pg, int tenant_id, const struct uuid *id,
                                     bool *out);
/* What the file turned out to be. */
NODISCARD int voice_upload_measured(struct pg *pg, int tenant_id, const struct uuid *id,
                                    int sample_rate, int channels);
/* Of any recording of the tenant, also of a phone's, but for its result. ENOENT: none.
 * *out is the caller's to voice_task_free() on success. */
NODISCARD int voice_task_load(struct pg *pg, int tenant_id, const struct uuid *id,
                              struct voice_task *out);

#endif
