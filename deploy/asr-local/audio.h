/*
 * audio - from the bytes of a sound file to what the recogniser listens to:
 * one channel, 16 kHz, s16, silence trimmed, level evened.
 *
 * Pure: no files, no globals. Any thread.
 */
#ifndef ASR_LOCAL_AUDIO_H
#define ASR_LOCAL_AUDIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

enum { AUDIO_RATE_HZ = 16000 };

enum audio_verdict {
    AUDIO_OK,
    AUDIO_UNREADABLE, /* no sound file libsndfile knows, or cut off */
    AUDIO_LOW_RATE,   /* below 16 kHz: the model has no ears for it */
    AUDIO_TOO_LONG,
};

struct audio {
    int16_t *samples; /* NULL when nothing but silence was heard */
    size_t count;
    double duration_s; /* of the file, before trimming */
    double offset_s;   /* a place in samples plus this is the place in the file */
    int file_rate_hz;
};

/* Fills *out when the verdict is AUDIO_OK; release with audio_deinit. duration and
 * rate are also set for AUDIO_LOW_RATE and AUDIO_TOO_LONG. */
NODISCARD enum audio_verdict audio_read(struct audio *out, const void *bytes, size_t len,
                                        double max_s);
void audio_deinit(struct audio *a);

#endif
