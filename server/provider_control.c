#include "server/provider_control.h"

#include <errno.h>
#include <string.h>

#include "base/http.h"

enum { TIMEOUT_MS = 5000, ANSWER_MAX = 64 << 10 };

int provider_control(struct http *http, const struct provider *p,
                     const struct provider_call_news *known, const char *url,
                     enum provider_control *out, struct provider_call_news *why)
{
    static const char *const form[] = {"Content-Type: application/x-www-form-urlencoded",
                                       NULL};
    static const char *const json[] = {"Content-Type: application/json", NULL};
    const struct provider_rest_ops *rest = provider_rest_find(p->kind);
    CLEANUP(provider_request_free) struct provider_request r = {0};
    CLEANUP(http_resp_free) struct http_resp resp = {0};

    *out = PROVIDER_CONTROL_MAYBE;
    *why = PROVIDER_CALL_NEWS;
    if (!rest)
        return EINVAL;
    if (url)
        rest->redirect(p, known, url, &r);
    else
        rest->end(p, known, false, &r);
    const char *user = p->settings.user[0] ? p->settings.user : p->account;
    int err = http_do(http,
                      &(struct http_req){.method = r.method,
                                         .url = r.url,
                                         .headers = r.json ? json : form,
                                         .body = r.body,
                                         .body_len = r.body ? strlen(r.body) : 0,
                                         .user = user,
                                         .password = p->token,
                                         .timeout_ms = TIMEOUT_MS,
                                         .max_bytes = ANSWER_MAX},
                      &resp);
    if (!err)
        *out = provider_judge_control(p->kind, resp.status, resp.body ? resp.body : "",
                                      resp.len, why);
    return err;
}
