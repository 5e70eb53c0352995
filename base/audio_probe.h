/*
 * audio_probe - which kind of sound file some bytes are. Told by the content alone: a
 * file's name says nothing. Looks at headers, and for the kinds that have none (MPEG
 * frames) at two frames that follow each other; decodes nothing. Pure, any thread.
 */
#ifndef BASE_AUDIO_PROBE_H
#define BASE_AUDIO_PROBE_H

#include <stddef.h>

#include "base/attrs.h"

enum audio_kind {
    AUDIO_NONE, /* no sound file that is known here */
    AUDIO_WAV,
    AUDIO_AIFF,
    AUDIO_FLAC,
    AUDIO_OGG, /* Vorbis, Opus, FLAC or Speex in Ogg */
    AUDIO_MP3, /* MPEG audio of layer 2 or 3 */
    AUDIO_AU,
    AUDIO_CAF,
    AUDIO_AAC, /* ADTS frames */
    AUDIO_M4A, /* any ISO media file: MP4, M4A, 3GP */
    AUDIO_WMA, /* ASF */
    AUDIO_WEBM,
    AUDIO_AMR,
    AUDIO_KINDS,
};

/* All of the file, or as much of its beginning as there is; tags before the first MPEG
 * frame may be long. */
enum audio_kind audio_probe(const void *bytes, size_t len);

const char *audio_kind_name(enum audio_kind kind); /* "wav", "m4a" …, "" for AUDIO_NONE */
/* What the program ffmpeg calls the reader of that kind, so that it need not guess. */
const char *audio_kind_demuxer(enum audio_kind kind);

#endif
