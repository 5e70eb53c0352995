#include "cli/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/cli.h"

static void merge(json_t *into, const json_t *change)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)change, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(into, key);
        } else if (json_is_object(value)) {
            if (!json_is_object(json_object_get(into, key)))
                json_object_set_new(into, key, json_object());
            merge(json_object_get(into, key), value);
        } else {
            json_object_set(into, key, value);
        }
    }
}

int settings_merge(char *settings, size_t size, const char *change)
{
    json_error_t bad;
    json_auto_t *named = json_loads(change, JSON_REJECT_DUPLICATES, &bad);
    json_auto_t *all = json_loads(settings, 0, NULL);

    if (!named)
        return cli_fail("--settings is no JSON object: %s at column %d", bad.text,
                        bad.column);
    if (!json_is_object(named) || !json_is_object(all))
        return cli_fail("--settings is no JSON object, e.g. '{\"cps\": 2}'");
    merge(all, named);
    CLEANUP(free_cleanup) char *text = json_dumps(all, 0);
    return str_copy(settings, size, text) ? cli_fail("the settings are too long")
                                          : CLI_OK;
}

static void tell_one(const char *key, const json_t *before, const json_t *after)
{
    CLEANUP(free_cleanup)
    char *was = before ? json_dumps(before, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12))
                       : xstrdup("not set");
    CLEANUP(free_cleanup)
    char *is = after ? json_dumps(after, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12))
                     : xstrdup("gone");

    if (strcmp(was, is) != 0)
        printf("  %-17s %s -> %s\n", key, was, is);
}

void settings_tell(const char *before, const char *after)
{
    json_auto_t *was = json_loads(before, 0, NULL), *is = json_loads(after, 0, NULL);
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(was, key, value) tell_one(key, value, json_object_get(is, key));
    json_object_foreach(is, key, value) if (!json_object_get(was, key))
        tell_one(key, NULL, value);
}
