/*
 * config - one table per program describes every option; from it come reading
 * (defaults, then an INI-like file, then the environment), --check-config,
 * --show-config and the reference page.
 *
 * File: `key = value` lines, `#` comments, blank lines. An unknown key, a value
 * of the wrong type or out of range is an error with file line. Environment:
 * FURROW_<KEY in capitals>, or the name an option states itself.
 * Strings are char arrays inside the program's struct. Not thread-safe; done
 * before threads start.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attrs.h"
#include "base/errors.h"

enum config_type { CONFIG_TEXT, CONFIG_INT, CONFIG_BOOL, CONFIG_CHOICE };

struct config_option {
    const char *name; /* lower_snake, units in the name */
    enum config_type type;
    size_t offset, size; /* field in the program's struct; INT is int64_t, BOOL is bool */
    int64_t min, max;    /* INT */
    const char *initial; /* default, as text */
    const char *choices; /* CHOICE: "a|b|c" (field is a char array) */
    const char *env;     /* other environment name, e.g. "DATABASE_URL"; may be NULL */
    bool secret;         /* shown as set/unset */
    bool reloadable;     /* SIGHUP may change it */
    const char *help;    /* one sentence */
};

struct config_table {
    const char *program; /* "furrow-dialer" */
    const struct config_option *options;
    size_t count;
    size_t struct_size;
};

/* file may be NULL. Fills *out wholly or leaves it alone. */
NODISCARD int config_load(const struct config_table *t, const char *file, void *out,
                          struct errtext *e);
void config_show(const struct config_table *t, const void *cfg, FILE *to);
void config_reference(const struct config_table *t, FILE *to); /* a Markdown table */

/* Options every program has; the first rows of each table are CONFIG_COMMON. */
struct config_common {
    char database_url[512];
    char redis_url[512];
    char clock[64];
    char log_level[16];
    char data_dir[512];
};

#define CONFIG_COMMON(owner, member)                                                     \
    {.name = "database_url",                                                             \
     .type = CONFIG_TEXT,                                                                \
     CONFIG_FIELD_AT(owner, member.database_url),                                        \
     .initial = "",                                                                      \
     .env = "DATABASE_URL",                                                              \
     .secret = true,                                                                     \
     .help = "PostgreSQL, as a libpq URL or keyword string."},                           \
        {.name = "redis_url",                                                            \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.redis_url),                                       \
         .initial = "redis://127.0.0.1:6379/0",                                          \
         .env = "REDIS_URL",                                                             \
         .secret = true,                                                                 \
         .help = "Redis, as redis://[:password@]host:port/db or unix:///path.sock."},    \
        {.name = "clock",                                                                \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.clock),                                           \
         .initial = "real",                                                              \
         .help = "real, or a declared virtual clock START@SCALE for simulations."},      \
        {.name = "log_level",                                                            \
         .type = CONFIG_CHOICE,                                                          \
         CONFIG_FIELD_AT(owner, member.log_level),                                       \
         .initial = "info",                                                              \
         .choices = "error|warn|info|debug",                                             \
         .reloadable = true,                                                             \
         .help = "How much is logged."},                                                 \
    {                                                                                    \
        .name = "data_dir", .type = CONFIG_TEXT,                                         \
        CONFIG_FIELD_AT(owner, member.data_dir), .initial = "var",                       \
        .help = "Media, prompts and sockets live below this directory."                  \
    }

#define CONFIG_FIELD_AT(owner, member)                                                   \
    .offset = offsetof(owner, member), .size = sizeof(((owner *)0)->member)

#endif
