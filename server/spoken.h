/*
 * spoken - speech of our own in calls at providers, for languages that the provider has
 * no voice for. A document names where it will be: the hash of what goes into it, and in
 * the query the words themselves, signed. So whichever server is asked for the audio can
 * make it, once, when it is asked; nobody else's words are made.
 *
 * Any thread. Making blocks for as long as espeak-ng takes.
 */
#ifndef SERVER_SPOKEN_H
#define SERVER_SPOKEN_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/config.h"
#include "base/secret.h"
#include "ivr/backend.h"

struct form;
struct spoken;

/* Without espeak-ng (logged) it speaks no language. keys without one: neither. */
struct spoken *spoken_new(const struct config_common *config,
                          const struct secret_keys *keys);
void spoken_free(struct spoken *s); /* NULL is allowed */

/* Those of the back end and our own, NULL-terminated; for ivr_env.voices. */
const char *const *spoken_languages(const struct spoken *s, const struct ivr_backend *b);

/* Below base ("https://voice.example.org"). ENOENT: the back end speaks that language
 * itself, or nobody does. EMSGSIZE: too long a text. */
NODISCARD int spoken_url(const struct spoken *s, const struct ivr_backend *b,
                         const struct ivr_prompt *p, const char *base, char *url,
                         size_t size);
/* The audio of that hash is there when it returns 0. ENOENT: the query is none of
 * spoken_url(). Else as speech_say(). */
NODISCARD int spoken_make(struct spoken *s, const char *hash, const struct form *query);

/* Below base; made at the start. NULL: it could not be. */
const char *spoken_music(const struct spoken *s); /* hash of what who waits hears */
const char *spoken_apology(const struct spoken *s, const char *lang); /* hash, or NULL */

#endif
