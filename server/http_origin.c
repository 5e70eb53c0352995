#include "server/http_origin.h"

#include <string.h>
#include <strings.h>

#include <microhttpd.h>

static bool is_origin(const char *list, const char *origin)
{
    const size_t len = strlen(origin);

    for (const char *at = list; *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        if (n == len && strncasecmp(at, origin, len) == 0)
            return true;
        at += n;
    }
    return false;
}

void origin_allow(const struct request *req, struct response *resp)
{
    const char *list = req->mount->origins ? req->mount->origins : "*";
    const char *origin = request_header(req, "Origin");

    if (!origin || !req->mount->contract->cross_origin)
        return;
    if (str_is(list, "*")) {
        respond_header(resp, "Access-Control-Allow-Origin", "*");
        return;
    }
    respond_header(resp, "Vary", "Origin");
    if (is_origin(list, origin))
        respond_header(resp, "Access-Control-Allow-Origin", origin);
}

bool origin_asks(const struct request *req)
{
    return req->mount && req->mount->contract->cross_origin &&
           strcmp(req->method, "OPTIONS") == 0 && request_header(req, "Origin") &&
           request_header(req, "Access-Control-Request-Method");
}

void origin_answer(const struct request *req, struct response *resp)
{
    const char *headers = request_header(req, "Access-Control-Request-Headers");

    respond_text(resp, MHD_HTTP_OK, "OK");
    respond_header(resp, "Access-Control-Allow-Methods",
                   "GET, POST, PUT, PATCH, DELETE, OPTIONS");
    respond_header(resp, "Access-Control-Allow-Headers", headers ? headers : "*");
    respond_header(resp, "Access-Control-Max-Age", "600");
}
