/*
 * prompts - speech for flows: text to a WAV at 8 and 16 kHz by the espeak-ng program
 * and libsoxr, kept under data_dir/prompts/<sha256>.wav and .wav16; recorded assets by
 * their hash, read from the content store. The same text, language and voice are
 * synthesised once, whoever asks.
 *
 * A language without a voice is an error (ENOENT), never another language's voice.
 * Thread: the loop's; synthesis runs on libuv's thread pool.
 */
#ifndef DIALER_PROMPTS_H
#define DIALER_PROMPTS_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "base/attrs.h"
#include "base/config.h"
#include "ivr/ivr.h"

struct prompts;

enum { PROMPT_HASH_MAX = 65 };

/* config is borrowed: data_dir, and where recorded assets lie (base/content.h). */
NODISCARD int prompts_new(struct prompts **out, uv_loop_t *loop,
                          const struct config_common *config);
/* Who still waits is told ECANCELED, from inside. */
void prompts_free(struct prompts *p);

/* The hash of what plays it when it is on disk already. ENOENT: not (yet). */
NODISCARD int prompts_find(struct prompts *p, const struct ivr_prompt *prompt,
                           char hash[PROMPT_HASH_MAX]);
typedef void(prompts_done_fn)(int err, void *arg);
/* Makes it when it is not there; done is called later, never from inside. Prompts of
 * other processes in the same folder do no harm. ENOENT at once: no voice for that
 * language, or not a content id; EMSGSIZE: too long a text. */
NODISCARD int prompts_make(struct prompts *p, const struct ivr_prompt *prompt,
                           prompts_done_fn *done, void *arg);
/* The hash of the tone before a recording; "" when it could not be made. */
const char *prompts_beep(const struct prompts *p);
/* Languages espeak-ng (or the TTS service) has, NULL-terminated; for ivr_env.voices. */
const char *const *prompts_voices(const struct prompts *p);

#endif
