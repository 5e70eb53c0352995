/*
 * audio_convert - any sound file that people send into what a speech service takes: WAV,
 * 16 bits, one channel, 16 kHz. What has less than 16 kHz keeps its own rate: stretched
 * to 16 it would pass for wideband, and a model hears words in it that nobody said.
 *
 * Told by its content (base/audio_probe.h), read by libsndfile, else by the program
 * ffmpeg as a confined child with limits. In pieces: memory does not grow with the file.
 * Blocks the calling thread; thread-safe.
 */
#ifndef WORKERS_AUDIO_CONVERT_H
#define WORKERS_AUDIO_CONVERT_H

#include <stdio.h>

#include "base/attrs.h"
#include "base/audio_probe.h"
#include "base/errors.h"

enum {
    AUDIO_BYTES_MAX = 25 << 20,
    AUDIO_SECONDS_MAX = 600,
    AUDIO_RATE = 16000,
    AUDIO_CHANNELS_MAX = 8,
};

struct audio_facts { /* of what was sent */
    enum audio_kind kind;
    int sample_rate, channels;
};

/* path: a file of at most AUDIO_BYTES_MAX that others may read (where only we may enter
 * its folder: a confined child has no other rights). to: an empty file, written to its
 * end. scratch: a path for what ffmpeg reads out of it; nothing is left there.
 *
 * EBADMSG: it is no sound file, or a broken one; EMSGSIZE: too large or too long; ENOENT:
 * it wants ffmpeg, which is not installed; ETIMEDOUT: that took too long; others: of the
 * system. *e says what, in words for whoever sent it. */
NODISCARD int audio_convert(const char *path, FILE *to, const char *scratch,
                            struct audio_facts *out, struct errtext *e);

#endif
