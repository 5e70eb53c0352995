/*
 * voice_task - what is told of a recording to whoever sent it by the voice API: how far
 * it is, what came of it, and whose matter it is when nothing did. The stages are those
 * of its jobs. Pure, any thread.
 */
#ifndef CAMPAIGNS_VOICE_TASK_H
#define CAMPAIGNS_VOICE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"

/* Of a recording that no model is there for: not the sender's fault. */
#define VOICE_NO_SERVICE "no speech service is configured (asr_url)"

enum voice_status {
    VOICE_PENDING,      /* 0 % */
    VOICE_STARTED,      /* 5: taken up once, and to be again */
    VOICE_VALIDATING,   /* 10 */
    VOICE_TRANSCRIBING, /* 30 */
    VOICE_EXTRACTING,   /* 60 */
    VOICE_EXECUTING,    /* 80 */
    VOICE_SUCCESS,      /* 100 */
    VOICE_FAILURE,
};

/* Why there is nothing to show. */
enum voice_failure {
    VOICE_FAILED_NOT,
    VOICE_FAILED_AUDIO,   /* what was sent is no audio that can be used */
    VOICE_FAILED_EMPTY,   /* nobody speaks in it */
    VOICE_FAILED_COMMAND, /* what was said is no command, or lacks something */
    VOICE_FAILED_PERSON,  /* it waits for a person to write it down */
    VOICE_FAILED_SERVICE, /* ours: it may go better later */
};

struct voice_job { /* the last one of the recording that is not done */
    char state[12], last_error[320];
    int attempts, max_attempts;
};

struct voice_task {
    struct uuid id;
    char endpoint[20]; /* "" it is a phone's */
    char state[16], pipeline[16], error[400];
    bool stored;     /* converted and in the content store */
    bool has_text;   /* heard */
    bool understood; /* and what it means is known */
    char *text;      /* NULL: none */
    char language[16], intent[32];
    json_t *entities; /* NULL: none */
    json_t *result;   /* of the command, from elsewhere; owned; NULL: none */
    struct voice_job job;
    /* Of what was sent. */
    char format[8];
    int64_t bytes;
    int sample_rate, channels, duration_ms;
};

void voice_task_free(struct voice_task *t); /* for CLEANUP too */

enum voice_status voice_task_status(const struct voice_task *t);
bool voice_task_is_over(const struct voice_task *t);
enum voice_failure voice_task_failure(const struct voice_task *t);
/* In words for the sender; "" when nothing failed. */
const char *voice_task_error(const struct voice_task *t, char out[500]);

/* {"task_id","status","progress","stage","result","error"}; the caller's. */
json_t *voice_task_json(const struct voice_task *t);
/* {"duration_seconds","sample_rate","channels","format","file_size_mb"}; null until they
 * are known. */
json_t *voice_task_audio(const struct voice_task *t);
/* "unknown" for what was not understood; null before that. */
json_t *voice_task_intent(const struct voice_task *t);
json_t *voice_task_entities(const struct voice_task *t);

#endif
