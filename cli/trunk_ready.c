#include "cli/trunk_ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/http.h"
#include "base/str.h"
#include "base/xalloc.h"

enum { CONNECT_MS = 2000, TOTAL_MS = 4000 };

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

/* -1: no answer, resp->error says why. */
static long ask(const char *path, struct http_resp *resp)
{
    CLEANUP(free_cleanup)
    char *url = xasprintf("%s%s", environment("FURROW_ARI_URL", ""), path);
    const struct http_req req = {.url = url,
                                 .user = environment("FURROW_ARI_USER", "furrow"),
                                 .password = environment("FURROW_ARI_SECRET", ""),
                                 .connect_ms = CONNECT_MS,
                                 .timeout_ms = TOTAL_MS};
    struct http *http = NULL;

    if (http_new(&http, NULL))
        return -1;
    int err = http_do(http, &req, resp);
    http_free(http);
    return err ? -1 : resp->status;
}

/* "PJSIP/{number}@trunk" to "PJSIP/trunk"; false: it names none (Local channels). */
static bool endpoint_of(const char *dial, char *out, size_t size)
{
    const char *slash = strchr(dial, '/'), *at = strchr(dial, '@');

    if (!slash || !at || strncmp(dial, "PJSIP/", 6) != 0)
        return false;
    int len = snprintf(out, size, "%.*s/%.*s", (int)(slash - dial), dial,
                       (int)strcspn(at + 1, "/"), at + 1);
    return len > 0 && (size_t)len < size;
}

static enum trunk_readiness look_at_endpoint(const struct trunk_row *t, char *text,
                                             size_t size)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    char endpoint[128], path[160];

    if (!endpoint_of(t->endpoint, endpoint, sizeof(endpoint))) {
        snprintf(text, size, "Asterisk answers");
        return TRUNK_READY;
    }
    snprintf(path, sizeof(path), "/endpoints/%s", endpoint);
    long status = ask(path, &resp);
    if (status == 404) {
        snprintf(text, size, "Asterisk has no endpoint %s; add it to its pjsip.conf",
                 endpoint);
        return TRUNK_NOT_READY;
    }
    json_auto_t *json = json_loads(resp.body ? resp.body : "", 0, NULL);
    const char *state = json_string_value(json_object_get(json, "state"));
    if (str_is(state, "offline")) {
        snprintf(text, size,
                 "Asterisk cannot reach %s; is the provider up, the registration valid? "
                 "('pjsip show endpoints' in Asterisk)",
                 endpoint);
        return TRUNK_NOT_READY;
    }
    snprintf(text, size, "Asterisk answers, %s is %s", endpoint,
             state ? state : "not known");
    return TRUNK_READY;
}

enum trunk_readiness cli_trunk_ready(const struct trunk_row *trunk, char *text,
                                     size_t size)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    const char *url = environment("FURROW_ARI_URL", NULL);

    if (str_is(trunk->kind, "simulated")) {
        snprintf(text, size, "simulated: no phone rings");
        return TRUNK_READY;
    }
    if (trunk->account_id) {
        snprintf(text, size, "through %s account '%s'", trunk->kind, trunk->account);
        return TRUNK_READY;
    }
    if (!url) {
        snprintf(text, size,
                 "not asked: FURROW_ARI_URL, which the dialer has, is not set here");
        return TRUNK_NOT_ASKED;
    }
    long status = ask("/asterisk/info", &resp);
    if (status == 200)
        return look_at_endpoint(trunk, text, size);
    if (status == 401 || status == 403)
        snprintf(text, size,
                 "Asterisk at %s refuses us; FURROW_ARI_USER and FURROW_ARI_SECRET must "
                 "be as in its ari.conf",
                 url);
    else if (status < 0)
        snprintf(text, size, "Asterisk at %s does not answer (%s); is it running?", url,
                 resp.error[0] ? resp.error : "no connection");
    else
        snprintf(text, size,
                 "Asterisk at %s answers %ld; FURROW_ARI_URL must end in /ari and "
                 "http.conf have it enabled",
                 url, status);
    return TRUNK_NOT_READY;
}
