/*
 * speech - audio that Asterisk can play: text through the espeak-ng program, recorded
 * assets through libsndfile, both resampled by libsoxr into mono 16-bit WAV files of
 * 8 kHz (BASE.wav) and 16 kHz (BASE.wav16), and BASE.ulaw, which most calls are in: of
 * that Asterisk plays the bytes as they are. They appear whole or not at all.
 *
 * Blocks; thread-safe. The dialer calls it on libuv's pool, never on the loop;
 * furrow-server where the audio is asked for.
 */
#ifndef SPEECH_SPEECH_H
#define SPEECH_SPEECH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

enum { SPEECH_TEXT_MAX = 8192 };

/* "1.51", and the languages there are voices for (with the plain language beside each
 * of its regions), NULL-terminated; the caller's to speech_voices_free(). scratch is a
 * folder to write to. ENOENT: no espeak-ng here. */
NODISCARD int speech_engine(const char *scratch, char *version, size_t size,
                            char ***voices);
void speech_voices_free(char **voices);
/* The tone before a recording: its BASE files. */
NODISCARD int speech_beep(const char *base);

/* The language of a voice that speaks lang: "am-ET" is spoken by "am", never the other
 * way round. wish: the voice that a flow names; "" none. ENOENT: none speaks it. */
enum { SPEECH_VOICE_MAX = 64, SPEECH_HASH_MAX = 65 };
NODISCARD int speech_voice_find(char *const *voices, const char *lang, const char *wish,
                                char out[SPEECH_VOICE_MAX]);
/* The name of a text's files: known before they are made. version: speech_engine()'s. */
void speech_name(const char *version, const char *lang, const char *voice,
                 const char *text, char hash[SPEECH_HASH_MAX]);
/* What who waits may hear, eight seconds of soft tones: its BASE files. */
NODISCARD int speech_music(const char *base);

/* voice is one espeak-ng understands. EMSGSIZE: text too long; EINVAL: not a voice's
 * name; ECHILD, ETIMEDOUT: espeak-ng failed. */
NODISCARD int speech_say(const char *text, const char *voice, const char *base);
/* ENOENT: no such file; EBADMSG: not audio, or none in it; EMSGSIZE: over an hour. */
NODISCARD int speech_convert(const char *path, const char *base);

#endif
