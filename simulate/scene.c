#include "simulate/scene.h"

#include <string.h>

#include "base/str.h"
#include "campaigns/table_memory.h"

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

const struct scene_flow *scene_flow_of(const struct scene *s, uint8_t variant)
{
    const struct scene_flow *own = &s->variants[variant];

    return s->doc->variants.n > 0 && own->prog ? own : &s->flow;
}

size_t scene_notes(const struct scene *s, const char *out[SCENE_NOTES_MAX])
{
    size_t n = 0;

    if (s->doc->caller_ids.pool[0])
        out[n++] = "limits of single numbers of its pool (furrow limit set)";
    if (s->doc->quarantine.variants || s->doc->quarantine.lists)
        out[n++] = "calls before it, to the quarantine of variants and lists";
    if (s->missing_tables[0])
        out[n++] =
            "tables that are not there: data nodes answer with their mock, or fail "
            "(furrow table import, --table NAME=FILE)";
    if (s->hidden_secrets)
        out[n++] = "what secret columns of its tables hold: no guess is right";
    if (s->invented && s->tables && s->tables->n > 0)
        out[n++] = "rows of its tables for the copies of contacts: they stand in none";
    return n;
}
