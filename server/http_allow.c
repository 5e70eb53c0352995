#include "server/http_allow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "server/contract.h"

static const char bearer[] = "Bearer ";

bool http_bearer_is(const char *authorization, const char *token)
{
    const size_t lead = sizeof(bearer) - 1, len = strlen(token);

    return len > 0 && authorization && strlen(authorization) == lead + len &&
           strncmp(authorization, bearer, lead) == 0 &&
           mem_equal_ct(authorization + lead, token, len);
}

/* Its length may be known, its bytes not. */
static bool has_mount_token(const struct request *req)
{
    const char *want = req->mount->token, *given = req->authorization;

    if (!want || !want[0])
        return true;
    if (given && strncasecmp(given, bearer, strlen(bearer)) == 0)
        given += strlen(bearer);
    else
        given = request_header(req, "X-API-Key");
    return given && strlen(given) == strlen(want) &&
           mem_equal_ct(given, want, strlen(want));
}

/* Contracts say "Invalid API key"; what to do about it stands beside it. */
static void refuse_key(const struct request *req, struct response *resp, int err,
                       int wait_s, bool given)
{
    static const char sent[] = "this key is not known here, or was revoked; 'furrow key "
                               "list' shows those that work";
    const bool own = req->mount->contract->errors == ERRORS_CODED;
    char seconds[16];

    if (err == ENOKEY && !own) {
        respond_json(resp, MHD_HTTP_INTERNAL_SERVER_ERROR,
                     json_pack("{s:s, s:s}", "detail", "API key not configured", "hint",
                               "'furrow key create NAME --scope …' makes one"));
    } else if ((err == ENOENT || err == ENOKEY) && own) {
        request_refuse_as(
            req, resp, MHD_HTTP_UNAUTHORIZED, "unauthorized",
            given ? sent
                  : "send Authorization: Bearer <key>; 'furrow key create' makes one");
    } else if (err == ENOENT || err == ENOKEY) {
        respond_json(
            resp, MHD_HTTP_UNAUTHORIZED,
            json_pack("{s:s, s:s}",
                      req->mount->contract->errors == ERRORS_TEXT ? "error" : "detail",
                      "Invalid API key", "hint",
                      given ? sent
                            : "send X-API-Key: <key>, or Authorization: Bearer <key>"));
    } else if (err == EACCES) {
        request_refuse_as(req, resp, MHD_HTTP_FORBIDDEN, "forbidden",
                          "this key may not do that; 'furrow key list' shows its scopes");
    } else if (err == EBUSY) {
        snprintf(seconds, sizeof(seconds), "%d", wait_s);
        respond_header(resp, "Retry-After", seconds);
        request_refuse_as(req, resp, MHD_HTTP_TOO_MANY_REQUESTS, "too_many",
                          "this key asks too often; wait as long as Retry-After says");
    } else {
        respond_header(resp, "Retry-After", "5");
        request_refuse_as(req, resp, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
                          "the database does not answer; send it again");
    }
}

static bool has_key(const struct http_server_options *o, const struct route *r,
                    struct request *req, struct response *resp)
{
    const char *given = req->authorization;
    int err = ENOENT, wait_s = 1;

    if (given && strncasecmp(given, bearer, strlen(bearer)) == 0)
        given += strlen(bearer);
    else
        given = request_header(req, "X-API-Key");
    if (given)
        err = o->authorise(req, given, r->api_scope, &wait_s);
    if (err)
        refuse_key(req, resp, err, wait_s, given != NULL);
    return err == 0;
}

/* False: the answer is in resp. */
bool http_is_allowed(const struct http_server_options *o, const struct route *r,
                     struct request *req, struct response *resp)
{
    switch (r->scope) {
    case SCOPE_OPEN:
        return true;
    case SCOPE_MEDIA:
        if (!*o->media_token || http_bearer_is(req->authorization, o->media_token))
            return true;
        request_refuse_as(req, resp, MHD_HTTP_UNAUTHORIZED, "unauthorized",
                          "send Authorization: Bearer <media_token>");
        return false;
    case SCOPE_OPERATOR:
        if (has_mount_token(req))
            return true;
        request_refuse_as(req, resp, MHD_HTTP_UNAUTHORIZED, "unauthorized",
                          "send Authorization: Bearer <token>, the one configured here");
        return false;
    case SCOPE_API:
        return has_key(o, r, req, resp);
    }
    return false;
}
