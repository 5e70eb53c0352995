/*
 * service - the HTTP side: POST /v1/audio/transcriptions as OpenAI shapes it,
 * GET /healthz. One thread per connection; each waits for a free decoder.
 */
#ifndef ASR_LOCAL_SERVICE_H
#define ASR_LOCAL_SERVICE_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/errors.h"

#include "deploy/asr-local/recognizer.h"
#include "deploy/asr-local/request_log.h"

struct service_options {
    const char *address; /* to bind, numeric IPv4 */
    int port;            /* 0: any free one */
    size_t max_bytes;    /* of one request */
    double max_s;        /* of one recording */
    struct recognizer *recognizer;
    const struct request_log *log;
};

struct service;
NODISCARD int service_start(struct service **out, const struct service_options *o,
                            struct errtext *e);
int service_port(const struct service *s);
void service_stop(struct service *s); /* waits for requests at hand; NULL is allowed */

#endif
