/* json_text - the text at a key of a JSON object. Pure; any thread. */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include <jansson.h>

/* "" when there is none, or it is no text. Borrowed from the object, which may be NULL.
 */
static inline const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

#endif
