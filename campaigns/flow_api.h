/*
 * flow_api - the API nodes of flows, as whoever hosts a flow sends them: the engine's
 * request with its secrets in place, and where it may lead. A flow is written by a
 * tenant, so it leads to no private address unless the operator has listed the host.
 *
 * Pure but for flow_secrets_read(). Any thread; what is read is read-only.
 */
#ifndef CAMPAIGNS_FLOW_API_H
#define CAMPAIGNS_FLOW_API_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "ivr/ivr.h"

enum { FLOW_HEADERS_MAX = 32, FLOW_ANSWER_MAX = 64 << 10, FLOW_SECRET_NAME_MAX = 64 };

struct flow_secrets;

/* Lines NAME = value; # begins a comment. "" or a file that cannot be read (logged):
 * NULL, which has none. */
struct flow_secrets *flow_secrets_read(const char *path);
void flow_secrets_free(struct flow_secrets *s); /* NULL is allowed */

struct flow_api {
    const struct flow_secrets *secrets;
    /* "crm.example.org, 10.0.0.5:8080": only these hosts, and those in these domains, at
     * any address; an entry without a port means any. "": any host, at public addresses.
     */
    const char *hosts;
};

/* All of it is its own. */
struct flow_request {
    char *method, *url;
    char *headers[FLOW_HEADERS_MAX + 1]; /* "Name: value", NULL-terminated */
    char *body;                          /* NULL: none */
    size_t body_len;
    int timeout_ms;
    bool public_only; /* to no private, loopback or link-local address */
};

/* ENOENT: a secret is not there; EACCES: not one of the hosts; EMSGSIZE: too many
 * headers. why: what it is about, e.g. the secret's name. *out is empty then. */
NODISCARD int flow_request_make(const struct flow_api *api, const struct ivr_http *http,
                                struct flow_request *out, char why[FLOW_SECRET_NAME_MAX]);
void flow_request_free(struct flow_request *r); /* for CLEANUP too */
/* The event's code for an error of flow_request_make. */
const char *flow_request_warning(int err);

/* What the answer is to the flow: err as base/http.h has it. */
enum ivr_http_result flow_http_result(int err);

#endif
