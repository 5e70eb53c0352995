/*
 * request_log - one JSON line per transcription request, so that whoever sent
 * the requests can count them again: {"id","status","ms","bytes","text"}.
 * A line is one write(); any thread.
 */
#ifndef ASR_LOCAL_REQUEST_LOG_H
#define ASR_LOCAL_REQUEST_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct request_log {
    int fd; /* -1: none is kept */
};

struct request_line {
    const char *id;
    int status; /* of the reply */
    int64_t ms; /* from the last byte of the request to the reply */
    size_t bytes;
    const char *text; /* NULL unless recognised */
    const char *code; /* of the error; NULL none */
};

/* path "" keeps none. Appends to what is there. */
NODISCARD int request_log_open(struct request_log *log, const char *path);
void request_log_write(const struct request_log *log, const struct request_line *line);
void request_log_close(struct request_log *log);

#endif
