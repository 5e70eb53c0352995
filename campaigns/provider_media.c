#include "campaigns/provider_media.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "base/url.h"

static const struct {
    const char *own, *storage; /* domains */
} domains[PROVIDER_KINDS] = {
    /* twilio.com/docs/voice/api/recording; plivo.com/docs/voice: media lie in S3. */
    [PROVIDER_TWILIO] = {"twilio.com", "amazonaws.com"},
    [PROVIDER_PLIVO] = {"plivo.com", "amazonaws.com"},
};

static bool is_listed(const char *host, size_t len, const char *list)
{
    while (*(list += strspn(list, ", "))) {
        size_t n = strcspn(list, ", ");
        if (url_host_is_in(host, len, list, n))
            return true;
        list += n;
    }
    return false;
}

enum provider_media provider_media_may(const struct provider *p, const char *url)
{
    const char *own = domains[p->kind].own, *storage = domains[p->kind].storage;
    size_t len = 0, api_len = 0;
    bool https = false, api_https = false;
    const char *host = url_authority(url, &len, &https);
    const char *api = url_authority(p->settings.api_url, &api_len, &api_https);

    if (!host || !own)
        return PROVIDER_MEDIA_REFUSED;
    if (api && https == api_https && len == api_len && strncasecmp(host, api, len) == 0)
        return PROVIDER_MEDIA_API;
    if (!https)
        return PROVIDER_MEDIA_REFUSED;
    if (url_host_is_in(host, len, own, strlen(own)))
        return PROVIDER_MEDIA_TOKEN;
    if (url_host_is_in(host, len, storage, strlen(storage)) ||
        is_listed(host, len, p->settings.media_hosts))
        return PROVIDER_MEDIA_PLAIN;
    return PROVIDER_MEDIA_REFUSED;
}

/* The last segment of the path, and where it ends. */
static const char *last_segment(const char *url, size_t *len)
{
    size_t end = strcspn(url, "?#");
    size_t at = end;

    while (at > 0 && url[at - 1] != '/')
        at--;
    *len = end - at;
    return url + at;
}

bool provider_media_file(const struct provider *p, const char *url, char *out,
                         size_t size)
{
    size_t len = 0;
    const char *name = last_segment(url, &len);
    bool bare = p->kind == PROVIDER_TWILIO && !memchr(name, '.', len) && !name[len];
    int n = snprintf(out, size, "%s%s", url, bare ? ".wav" : "");

    return n > 0 && (size_t)n < size;
}

bool provider_media_delete(const struct provider *p, const char *url, char *out,
                           size_t size)
{
    size_t len = 0;
    const char *name = last_segment(url, &len);
    const char *dot = memchr(name, '.', len);
    int n;

    if (dot)
        len = (size_t)(dot - name);
    for (size_t i = 0; i < len; i++)
        if (!strchr("-_", name[i]) && !(name[i] >= '0' && name[i] <= '9') &&
            !((name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z'))
            return false;
    if (len == 0)
        return false;
    n = snprintf(out, size,
                 p->kind == PROVIDER_TWILIO
                     ? "%s/2010-04-01/Accounts/%s/Recordings/%.*s.json"
                     : "%s/v1/Account/%s/Recording/%.*s/",
                 p->settings.api_url, p->account, (int)len, name);
    return n > 0 && (size_t)n < size;
}
