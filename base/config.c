#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/str.h"
#include "base/url.h"
#include "base/xalloc.h"

enum { FILE_MAX = 1 << 20 };

const struct config_option *config_option_find(const struct config_table *t,
                                               const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->options[i].name, name) == 0)
            return &t->options[i];
    return NULL;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);

    for (const char *p = choices; p && *p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strncmp(p, value, len) == 0 && (p[len] == '|' || p[len] == '\0') && len > 0)
            return true;
    return false;
}

static bool is_base_url(const char *value)
{
    bool https;
    size_t len;

    return url_authority(value, &len, &https) && !strpbrk(value, "?#");
}

static bool parse_bool(const char *value, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *out = strcmp(value, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

/* where: "furrow.conf" or "environment". */
static int set_option(const struct config_option *o, void *cfg, const char *value,
                      const char *where, int line, struct errtext *e)
{
    char *field = (char *)cfg + o->offset;
    int64_t number = 0;
    bool flag = false;

    switch (o->type) {
    case CONFIG_TEXT:
        if (str_copy(field, o->size, value))
            return errtext_set(e, EINVAL, line, 0, "%s: %s is longer than %zu bytes",
                               where, o->name, o->size - 1);
        if (o->is_url && *value && !is_base_url(value))
            return errtext_set(e, EINVAL, line, 0,
                               "%s: %s = '%s': want http:// or https:// and a host, e.g. "
                               "https://voice.example.org",
                               where, o->name, value);
        return 0;
    case CONFIG_CHOICE:
        if (!is_choice(o->choices, value) || str_copy(field, o->size, value))
            return errtext_set(e, EINVAL, line, 0, "%s: %s = '%s': want one of %s", where,
                               o->name, value, o->choices);
        return 0;
    case CONFIG_INT:
        if (!str_to_i64(value, &number) || number < o->min || number > o->max)
            return errtext_set(e, EINVAL, line, 0,
                               "%s: %s = '%s': want a whole number from %" PRId64
                               " to %" PRId64,
                               where, o->name, value, o->min, o->max);
        memcpy(field, &number, sizeof(number));
        return 0;
    case CONFIG_BOOL:
        if (!parse_bool(value, &flag))
            return errtext_set(e, EINVAL, line, 0, "%s: %s = '%s': want true or false",
                               where, o->name, value);
        memcpy(field, &flag, sizeof(flag));
        return 0;
    }
    return EINVAL;
}

static int read_line(const struct config_table *t, char *text, const char *file, int line,
                     void *cfg, struct errtext *e)
{
    char *key = str_trim(text);

    if (!*key || *key == '#')
        return 0;
    char *equals = strchr(key, '=');
    if (!equals)
        return errtext_set(e, EINVAL, line, 0, "%s:%d: want 'key = value', got '%s'",
                           file, line, key);
    *equals = '\0';
    key = str_trim(key);
    const struct config_option *o = config_option_find(t, key);
    if (!o)
        return errtext_set(e, EINVAL, line, 0,
                           "%s:%d: unknown key '%s' (%s --config-reference lists them)",
                           file, line, key, t->program);
    return set_option(o, cfg, str_trim(equals + 1), file, line, e);
}

static int read_file(const struct config_table *t, const char *file, void *cfg,
                     struct errtext *e)
{
    CLEANUP(free_cleanup) char *text = NULL;
    char *rest = NULL;
    int line = 0;

    int err = files_read(file, FILE_MAX, &text, NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "%s: %s", file, strerror(err));
    rest = text;
    for (char *one; !err && (one = strsep(&rest, "\n"));)
        err = read_line(t, one, file, ++line, cfg, e);
    return err;
}

void config_env_name(const char *option, char out[CONFIG_ENV_MAX])
{
    snprintf(out, CONFIG_ENV_MAX, "FURROW_%s", option);
    for (char *p = out; *p; p++)
        *p = (char)toupper((unsigned char)*p);
}

static int read_environment(const struct config_table *t, void *cfg, struct errtext *e)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct config_option *o = &t->options[i];
        char name[CONFIG_ENV_MAX];
        config_env_name(o->name, name);
        const char *value = getenv(name);
        if (!value && o->env)
            value = getenv(o->env);
        int err = value ? set_option(o, cfg, value, "environment", 0, e) : 0;
        if (err)
            return err;
    }
    return 0;
}

int config_load(const struct config_table *t, const char *file, void *out,
                struct errtext *e)
{
    CLEANUP(free_cleanup) void *cfg = xcalloc(1, t->struct_size);
    int err = 0;

    for (size_t i = 0; i < t->count && !err; i++)
        err = set_option(&t->options[i], cfg, t->options[i].initial, "default", 0, e);
    if (!err && file)
        err = read_file(t, file, cfg, e);
    if (!err)
        err = read_environment(t, cfg, e);
    if (!err)
        memcpy(out, cfg, t->struct_size);
    return err;
}

/* The password of URL-like text, scheme://user:PASSWORD@host, stays unsaid. */
static void show_text(const char *text, FILE *to)
{
    const char *user = strstr(text, "://");
    const char *end = user ? user + 3 + strcspn(user + 3, "/?#") : NULL;
    const char *at = end ? memrchr(user, '@', (size_t)(end - user)) : NULL;
    const char *colon = at ? memchr(user + 3, ':', (size_t)(at - user - 3)) : NULL;

    if (colon)
        fprintf(to, "%.*s:(set)%s\n", (int)(colon - text), text, at);
    else
        fprintf(to, "%s\n", text);
}

static void show_value(const struct config_option *o, const void *cfg, FILE *to)
{
    const char *field = (const char *)cfg + o->offset;
    int64_t number = 0;
    bool flag = false;

    switch (o->type) {
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
        show_text(o->secret ? (*field ? "(set)" : "(unset)") : field, to);
        break;
    case CONFIG_INT:
        memcpy(&number, field, sizeof(number));
        fprintf(to, "%" PRId64 "\n", number);
        break;
    case CONFIG_BOOL:
        memcpy(&flag, field, sizeof(flag));
        fprintf(to, "%s\n", flag ? "true" : "false");
        break;
    }
}

void config_show(const struct config_table *t, const void *cfg, FILE *to)
{
    for (size_t i = 0; i < t->count; i++) {
        fprintf(to, "%s = ", t->options[i].name);
        show_value(&t->options[i], cfg, to);
    }
}

/* "FURROW_" and the name, where no other is given. */
static void put_environment(const struct config_option *o, FILE *to)
{
    if (o->env) {
        fputs(o->env, to);
        return;
    }
    fputs("FURROW_", to);
    for (const char *p = o->name; *p; p++)
        fputc(toupper((unsigned char)*p), to);
}

static void put_type(const struct config_option *o, FILE *to)
{
    static const char *const types[] = {"text", "number", "true/false", "choice"};

    fputs(types[o->type], to);
    if (o->type == CONFIG_INT)
        fprintf(to, " %" PRId64 "…%" PRId64, o->min, o->max);
    for (const char *p = o->type == CONFIG_CHOICE ? o->choices : ""; *p; p++)
        fprintf(to, p == o->choices ? ": %c" : *p == '|' ? ", " : "%c", *p);
}

void config_reference(const struct config_table *t, FILE *to)
{
    fprintf(to,
            "## %s\n\n| key | environment | type | default | reload | meaning |\n"
            "|---|---|---|---|---|---|\n",
            t->program);
    for (size_t i = 0; i < t->count; i++) {
        const struct config_option *o = &t->options[i];
        fprintf(to, "| `%s` | `", o->name);
        put_environment(o, to);
        fputs("` | ", to);
        put_type(o, to);
        fprintf(to, " | %s%s%s | %s | %s |\n", *o->initial ? "`" : "", o->initial,
                *o->initial ? "`" : "", o->reloadable ? "yes" : "no", o->help);
    }
    fputc('\n', to);
}
