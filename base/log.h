/*
 * log - one line an event, key=value, to stderr (journald keeps the rest).
 *
 *   2026-11-24T08:00:00.123Z info call id=… state=ringing
 *
 * The first word after the level names the module. Values that came from
 * outside go through LOG_ESC. Phone numbers are masked (phone_mask), secrets
 * never appear. The level may be changed at run time. Thread-safe: each line is
 * one write().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/attrs.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
NODISCARD bool log_level_parse(const char *name, enum log_level *out);
/* Name shown before the module, e.g. "furrow-dialer"; borrowed for ever. */
void log_set_program(const char *name);

void log_at(enum log_level level, const char *module, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define log_error(module, ...) log_at(LOG_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_at(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_at(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_at(LOG_DEBUG, module, __VA_ARGS__)

/* Quoted and escaped copy of outside text, cut to fit: log_info("x", "why=%s",
 * log_esc(text, (char[200]){0}, 200)). */
const char *log_esc(const char *text, char *out, unsigned size);
#define LOG_ESC(text) log_esc((text), (char[256]){0}, 256)

#endif
