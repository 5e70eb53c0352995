/*
 * provider_control - ends or redirects a call that is up at a provider, by one blocking
 * request of its REST API. For the CLI and threads that may wait; the dialer's loop has
 * its own way. Either may be sent again: a call that is over stays so.
 */
#ifndef SERVER_PROVIDER_CONTROL_H
#define SERVER_PROVIDER_CONTROL_H

#include "campaigns/provider_rest.h"

struct http;

/* known: the call's id, and its status as far as it is known. url NULL: it ends. Errors
 * of base/http.h: the request did not come through; EINVAL: no kind that carries calls.
 */
NODISCARD int provider_control(struct http *http, const struct provider *p,
                               const struct provider_call_news *known, const char *url,
                               enum provider_control *out,
                               struct provider_call_news *why);

#endif
