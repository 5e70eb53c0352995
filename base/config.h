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
    bool is_url;         /* TEXT: empty, or http:// or https:// and a host */
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
/* NULL: there is none of that name. */
const struct config_option *config_option_find(const struct config_table *t,
                                               const char *name);
enum { CONFIG_ENV_MAX = 64 };
/* "tick_ms" as "FURROW_TICK_MS". */
void config_env_name(const char *option, char out[CONFIG_ENV_MAX]);
void config_show(const struct config_table *t, const void *cfg, FILE *to);
void config_reference(const struct config_table *t, FILE *to); /* a Markdown table */

/* Options every program has; the first rows of each table are CONFIG_COMMON. */
struct config_common {
    char database_url[512];
    char redis_url[512];
    char clock[64];
    char log_level[16];
    char data_dir[512];
    char public_url[256], voice_ledger_public_url[256];
    char secret_key[64], secret_key_old[64];
    char content_bucket[64], content_endpoint[256], content_region[64];
    char content_addressing[8], content_prefix[128];
    char content_key_id[129], content_secret[257];
    int64_t content_max_mib, content_timeout_s;
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
        {.name = "data_dir",                                                             \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.data_dir),                                        \
         .initial = "var",                                                               \
         .help = "Media, prompts and sockets live below this directory."},               \
        {.name = "public_url",                                                           \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.public_url),                                      \
         .initial = "",                                                                  \
         .is_url = true,                                                                 \
         .help = "By which providers reach furrow-server from outside, e.g. "            \
                 "https://voice.example.org; what they sign is compared with it."},      \
        {.name = "voice_ledger_public_url",                                              \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.voice_ledger_public_url),                         \
         .initial = "",                                                                  \
         .env = "NGROK_URL",                                                             \
         .is_url = true,                                                                 \
         .help = "By which voice-ledger, and its pages that verify batches, is reached " \
                 "from outside, where it is not public_url with its base path."},        \
        {.name = "secret_key",                                                           \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.secret_key),                                      \
         .initial = "",                                                                  \
         .secret = true,                                                                 \
         .help = "Seals the tokens of providers in the database; 'furrow provider key' " \
                 "makes one. The same for every program."},                              \
        {.name = "content_bucket",                                                       \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.content_bucket),                                  \
         .initial = "",                                                                  \
         .help = "Recordings and prompts lie in this bucket of any S3-compatible "       \
                 "service; without one below data_dir."},                                \
        {.name = "content_endpoint",                                                     \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.content_endpoint),                                \
         .initial = "",                                                                  \
         .help =                                                                         \
             "That service, https://host[:port]; without one Amazon's of the region."},  \
        {.name = "content_region",                                                       \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.content_region),                                  \
         .initial = "us-east-1",                                                         \
         .help = "Its region, as requests are signed for."},                             \
        {.name = "content_addressing",                                                   \
         .type = CONFIG_CHOICE,                                                          \
         CONFIG_FIELD_AT(owner, member.content_addressing),                              \
         .initial = "auto",                                                              \
         .choices = "auto|path|host",                                                    \
         .help = "How the bucket is named: host/bucket or bucket.host; auto is path "    \
                 "where content_endpoint is set."},                                      \
        {.name = "content_prefix",                                                       \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.content_prefix),                                  \
         .initial = "",                                                                  \
         .help = "Before every name in the bucket, e.g. furrow/."},                      \
        {.name = "content_key_id",                                                       \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.content_key_id),                                  \
         .initial = "",                                                                  \
         .env = "AWS_ACCESS_KEY_ID",                                                     \
         .secret = true,                                                                 \
         .help = "Access key of the bucket."},                                           \
        {.name = "content_secret",                                                       \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(owner, member.content_secret),                                  \
         .initial = "",                                                                  \
         .env = "AWS_SECRET_ACCESS_KEY",                                                 \
         .secret = true,                                                                 \
         .help = "Its secret; signs requests and is never sent."},                       \
        {.name = "content_max_mib",                                                      \
         .type = CONFIG_INT,                                                             \
         CONFIG_FIELD_AT(owner, member.content_max_mib),                                 \
         .min = 1,                                                                       \
         .max = 4096,                                                                    \
         .initial = "256",                                                               \
         .help = "Larger recordings and prompts are refused."},                          \
        {.name = "content_timeout_s",                                                    \
         .type = CONFIG_INT,                                                             \
         CONFIG_FIELD_AT(owner, member.content_timeout_s),                               \
         .min = 1,                                                                       \
         .max = 600,                                                                     \
         .initial = "60",                                                                \
         .help = "How long one request to the bucket may last."},                        \
    {                                                                                    \
        .name = "secret_key_old", .type = CONFIG_TEXT,                                   \
        CONFIG_FIELD_AT(owner, member.secret_key_old), .initial = "", .secret = true,    \
        .help = "While secret_key is changed: the one before; it opens and seals "       \
                "nothing new."                                                           \
    }

#define CONFIG_FIELD_AT(owner, member)                                                   \
    .offset = offsetof(owner, member), .size = sizeof(((owner *)0)->member)

#endif
