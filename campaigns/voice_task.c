#include "campaigns/voice_task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct {
    const char *name, *stage;
    int progress;
} statuses[] = {
    [VOICE_PENDING] = {"PENDING", "Waiting", 0},
    [VOICE_STARTED] = {"STARTED", "Starting", 5},
    [VOICE_VALIDATING] = {"VALIDATING", "Validating audio", 10},
    [VOICE_TRANSCRIBING] = {"TRANSCRIBING", "Transcribing speech", 30},
    [VOICE_EXTRACTING] = {"EXTRACTING", "Extracting intent and entities", 60},
    [VOICE_EXECUTING] = {"EXECUTING", "Executing the command", 80},
    [VOICE_SUCCESS] = {"SUCCESS", "Complete", 100},
    [VOICE_FAILURE] = {"FAILURE", "Failed", 0},
};

void voice_task_free(struct voice_task *t)
{
    free(t->text);
    json_decref(t->entities);
    json_decref(t->result);
    t->text = NULL;
    t->entities = t->result = NULL;
}

static bool is_state(const struct voice_task *t, const char *state)
{
    return strcmp(t->state, state) == 0;
}

/* How far it came, whether or not it goes on. */
static enum voice_status reached(const struct voice_task *t)
{
    if (t->understood)
        return VOICE_EXECUTING;
    if (t->has_text)
        return VOICE_EXTRACTING;
    if (t->stored)
        return VOICE_TRANSCRIBING;
    if (str_is(t->job.state, "running") || is_state(t, "failed"))
        return VOICE_VALIDATING;
    return t->job.attempts > 0 ? VOICE_STARTED : VOICE_PENDING;
}

enum voice_failure voice_task_failure(const struct voice_task *t)
{
    if (is_state(t, "needs_person"))
        return str_is(t->error, VOICE_NO_SERVICE) ? VOICE_FAILED_SERVICE
                                                  : VOICE_FAILED_PERSON;
    if (is_state(t, "empty"))
        return VOICE_FAILED_EMPTY;
    if (is_state(t, "lost_media"))
        return VOICE_FAILED_AUDIO;
    /* Given up at once is a judgement of what was sent; after all tries it is ours. */
    if (is_state(t, "failed"))
        return t->has_text || t->job.attempts >= t->job.max_attempts
                   ? VOICE_FAILED_SERVICE
                   : VOICE_FAILED_AUDIO;
    return is_state(t, "done") && t->error[0] ? VOICE_FAILED_COMMAND : VOICE_FAILED_NOT;
}

enum voice_status voice_task_status(const struct voice_task *t)
{
    if (voice_task_failure(t) != VOICE_FAILED_NOT)
        return VOICE_FAILURE;
    return is_state(t, "done") ? VOICE_SUCCESS : reached(t);
}

bool voice_task_is_over(const struct voice_task *t)
{
    return voice_task_status(t) >= VOICE_SUCCESS;
}

const char *voice_task_error(const struct voice_task *t, char out[500])
{
    const char *text = t->error;

    out[0] = '\0';
    switch (voice_task_failure(t)) {
    case VOICE_FAILED_NOT:
        return out;
    case VOICE_FAILED_EMPTY:
        text = "Nothing was heard. Speak close to the microphone and send it again.";
        break;
    case VOICE_FAILED_COMMAND:
        if (str_is(t->intent, "none"))
            text = "Could not understand your command. Say what you did, how much and "
                   "from where, for example: New batch of 5 bags of Yirgacheffe from "
                   "Abebe farm.";
        break;
    case VOICE_FAILED_PERSON:
        snprintf(out, 500, "It waits for a person to write down what was said: %s",
                 t->error);
        return out;
    case VOICE_FAILED_AUDIO:
        snprintf(out, 500, "Audio validation failed: %s", t->error);
        return out;
    case VOICE_FAILED_SERVICE:
        break;
    }
    str_cut(out, 500, text);
    return out;
}

json_t *voice_task_audio(const struct voice_task *t)
{
    double mb = (double)t->bytes / (1024 * 1024);

    if (!t->stored || t->sample_rate == 0)
        return json_null();
    return json_pack("{s:f, s:i, s:i, s:s, s:f}", "duration_seconds",
                     t->duration_ms / 1000.0, "sample_rate", t->sample_rate, "channels",
                     t->channels, "format", t->format, "file_size_mb",
                     round(mb * 1000) / 1000);
}

json_t *voice_task_intent(const struct voice_task *t)
{
    if (!t->understood)
        return json_null();
    return json_string(str_is(t->intent, "none") ? "unknown" : t->intent);
}

json_t *voice_task_entities(const struct voice_task *t)
{
    return t->entities ? json_incref(t->entities) : json_object();
}

static json_t *result_of(const struct voice_task *t)
{
    if (!t->has_text)
        return json_null();
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "transcript", t->text, "language",
                     t->language, "intent", voice_task_intent(t), "entities",
                     voice_task_entities(t), "batch",
                     t->result ? json_incref(t->result) : json_null(), "audio_metadata",
                     voice_task_audio(t));
}

json_t *voice_task_json(const struct voice_task *t)
{
    enum voice_status s = voice_task_status(t);
    char id[UUID_TEXT_MAX], error[500];
    int progress = statuses[s == VOICE_FAILURE ? reached(t) : s].progress;

    voice_task_error(t, error);
    return json_pack("{s:s, s:s, s:i, s:s, s:o, s:s?}", "task_id", uuid_text(&t->id, id),
                     "status", statuses[s].name, "progress", progress, "stage",
                     statuses[s].stage, "result",
                     s >= VOICE_SUCCESS ? result_of(t) : json_null(), "error",
                     error[0] ? error : NULL);
}
