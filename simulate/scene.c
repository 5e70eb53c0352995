#include "simulate/scene.h"

#include <string.h>

#include "base/str.h"

uint8_t scene_language(char languages[SCENE_LANGUAGES_MAX][SCENE_LANGUAGE_MAX], size_t *n,
                       const char *tag)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(languages[i], tag) == 0)
            return (uint8_t)i;
    if (*n == SCENE_LANGUAGES_MAX || strlen(tag) >= SCENE_LANGUAGE_MAX)
        return 0;
    str_cut(languages[*n], SCENE_LANGUAGE_MAX, tag);
    return (uint8_t)(*n)++;
}
