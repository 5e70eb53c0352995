/*
 * call_languages - which language the calls at providers are in, kept in memory: for the
 * words that are said when the database cannot be asked. Bounded: what was told longest
 * ago gives way. A call that is not known here has its default.
 *
 * Any thread.
 */
#ifndef SERVER_CALL_LANGUAGES_H
#define SERVER_CALL_LANGUAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CALL_LANGUAGE_MAX = 16, CALL_LANGUAGES_MAX = 4096 };

struct call_languages;

struct call_languages *call_languages_new(void);
void call_languages_free(struct call_languages *all); /* NULL is allowed */

/* call: the provider's id of it, of that account. "" is not kept. */
void call_languages_tell(struct call_languages *all, int64_t account_id, const char *call,
                         const char *language);
/* False, and out is "": not known (any more). */
bool call_languages_find(struct call_languages *all, int64_t account_id, const char *call,
                         char out[CALL_LANGUAGE_MAX]);

#endif
