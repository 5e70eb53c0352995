#include "server/load.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    RECENT_MS = 5000,
    PROBES_MAX = 16, /* in line */
    PROBE_MS = 1000, /* for so long */
};

static const char *const names[HTTP_CLASSES] = {[HTTP_REST] = "rest",
                                                [HTTP_CALLBACK] = "callback",
                                                [HTTP_VOICE] = "voice",
                                                [HTTP_PROBE] = "probe"};

const char *load_class_name(enum http_class class)
{
    return names[class];
}

bool load_trouble(const struct request *req, char out[LOAD_TROUBLE_MAX])
{
    struct http_load load;

    http_server_load(req->server, &load);
    for (int c = HTTP_PROBE - 1; c >= 0; c--) {
        const int64_t ago = load.of[c].shed_ago_ms;
        if (ago < 0 || ago > RECENT_MS)
            continue;
        snprintf(out, LOAD_TROUBLE_MAX,
                 "too much to do: requests of class %s were shed %.1f s ago, %d stand in "
                 "line, the oldest for %" PRId64 " ms, %d are being served",
                 names[c], (double)ago / 1000.0, load.of[c].waiting, load.of[c].oldest_ms,
                 load.of[c].running);
        return true;
    }
    out[0] = '\0';
    return false;
}

/* Whatever there is to do, some threads are left for what is more urgent. */
struct http_limits load_limits(const struct server_config *c)
{
    const int all = (int)c->threads, most = all > 1 ? all - 1 : 1,
              half = all > 1 ? all / 2 : 1;

    return (struct http_limits){
        .of = {
            [HTTP_REST] = {half, (int)c->shed_rest.waiting, (int)c->shed_rest.after_ms},
            [HTTP_CALLBACK] = {most, (int)c->shed_callback.waiting,
                               (int)c->shed_callback.after_ms},
            [HTTP_VOICE] = {all, (int)c->shed_voice.waiting, (int)c->shed_voice.after_ms},
            [HTTP_PROBE] = {1, PROBES_MAX, PROBE_MS}}};
}
