/*
 * provider_media - may a recording be downloaded from there? The address comes from a
 * request, and a redirect from a server: neither leads our programs, with an account's
 * token, wherever it likes. Pure; any thread.
 */
#ifndef CAMPAIGNS_PROVIDER_MEDIA_H
#define CAMPAIGNS_PROVIDER_MEDIA_H

#include "campaigns/provider.h"

enum provider_media {
    PROVIDER_MEDIA_REFUSED,
    PROVIDER_MEDIA_PLAIN, /* without the token: storage that a redirect leads to */
    PROVIDER_MEDIA_TOKEN, /* the provider itself */
    PROVIDER_MEDIA_API,   /* the account's own API URL: any scheme, private hosts too */
};

/* Over https to hosts of the provider (twilio.com, plivo.com), to storage (amazonaws.com)
 * and to those of the account's setting media_hosts; over anything only to its api_url.
 */
enum provider_media provider_media_may(const struct provider *p, const char *url);
/* The file itself, as WAV where the provider lets us choose. False: it does not fit. */
NODISCARD bool provider_media_file(const struct provider *p, const char *url, char *out,
                                   size_t size);
/* What a DELETE of it is sent to. False: it does not say. */
NODISCARD bool provider_media_delete(const struct provider *p, const char *url, char *out,
                                     size_t size);

#endif
