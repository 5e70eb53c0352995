/*
 * voice_upload - taking a sound file of the voice API: the form is read, the file looked
 * at and laid at <data_dir>/uploads/…, and its rows and first job committed, before
 * anything is answered. Nothing is decoded here.
 */
#ifndef SERVER_VOICE_UPLOAD_H
#define SERVER_VOICE_UPLOAD_H

#include "base/uuid.h"
#include "server/server.h"

enum voice_endpoint {
    VOICE_TRANSCRIBE,
    VOICE_COMMAND,
    VOICE_ASR_NLU,
    VOICE_ASYNC,
};

enum {
    VOICE_FILE_MAX = 25 << 20,
    VOICE_BODY_MAX = VOICE_FILE_MAX + (64 << 10), /* and what a form adds */
};

/* True: *id is at work, or was before with the same Idempotency-Key. False: the answer is
 * in resp. */
bool voice_upload_take(const struct request *req, enum voice_endpoint endpoint,
                       struct uuid *id, struct response *resp);
route_fn voice_upload_too_large;

/* Removes files of an hour and more that nobody wants any more: what a server that died
 * between a file and its row left behind. Any thread. */
void voice_uploads_sweep(struct server *s);

#endif
