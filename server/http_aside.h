/*
 * http_aside - a few threads for what takes long in a request, such as a disk: the
 * threads that answer webhooks of calls never do it. Tasks run in the order in which they
 * came.
 */
#ifndef SERVER_HTTP_ASIDE_H
#define SERVER_HTTP_ASIDE_H

#include <stdbool.h>

#include "base/attrs.h"

struct MHD_Connection;
struct http_aside;

typedef void(http_task_fn)(void *arg);

struct http_task { /* in memory that lives until it has run */
    struct http_task *next;
    http_task_fn *run;
    void *arg;
};

NODISCARD int http_aside_new(struct http_aside **out, int threads);
/* From the connection's handler: the connection waits until task resumes it, which must
 * be the last thing it does. False: the server stops, and it will not run. */
bool http_aside_add(struct http_aside *a, struct http_task *task,
                    struct MHD_Connection *c);
/* Runs all that there are; none comes from then on. */
void http_aside_stop(struct http_aside *a);
void http_aside_free(struct http_aside *a); /* after http_aside_stop; NULL is allowed */

#endif
