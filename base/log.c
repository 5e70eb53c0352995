#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static atomic_int level_now = LOG_INFO;
static const char *program = "furrow";

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_is(name, level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_program(const char *name)
{
    program = name;
}

/* Real wall time on purpose: a log line says when it was written, also on a
 * virtual clock. */
static int stamp(char *out, size_t size)
{
    struct timespec ts;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    return snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    (int)(ts.tv_nsec / 1000000));
}

void log_at(enum log_level level, const char *module, const char *fmt, ...)
{
    char line[2048];
    char when[64];
    va_list ap;

    if (level > log_get_level())
        return;
    stamp(when, sizeof(when));
    int head = snprintf(line, sizeof(line), "%s %s %s %s ", when, level_names[level],
                        program, module);
    if (head < 0 || (size_t)head >= sizeof(line))
        return;
    va_start(ap, fmt);
    int body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
    va_end(ap);
    if (body < 0)
        return;
    size_t len = strlen(line);
    line[len++] = '\n';
    ssize_t n = write(STDERR_FILENO, line, len);
    (void)n; /* nowhere left to complain */
}

const char *log_esc(const char *text, char *out, unsigned size)
{
    static const char hex[] = "0123456789abcdef";
    unsigned o = 0;

    if (size < 8)
        return "";
    out[o++] = '"';
    for (const unsigned char *p = (const unsigned char *)(text ? text : "");
         *p && o + 6 < size; p++) {
        if (*p == '"' || *p == '\\') {
            out[o++] = '\\';
            out[o++] = (char)*p;
        } else if (*p < 0x20 || *p == 0x7f) {
            out[o++] = '\\';
            out[o++] = 'x';
            out[o++] = hex[*p >> 4];
            out[o++] = hex[*p & 15];
        } else {
            out[o++] = (char)*p;
        }
    }
    out[o++] = '"';
    out[o] = '\0';
    return out;
}
