#include "base/url.h"

#include <string.h>
#include <strings.h>

static const char host_bytes[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";

const char *url_authority(const char *url, size_t *len, bool *https)
{
    const char *host;

    *https = strncasecmp(url, "https://", 8) == 0;
    if (*https)
        host = url + 8;
    else if (strncasecmp(url, "http://", 7) == 0)
        host = url + 7;
    else
        return NULL;
    /* libcurl reads "a.org\@b.org" as a name, a password and b.org. */
    *len = strcspn(host, "/?#");
    return *len > 0 && strspn(host, host_bytes) >= *len ? host : NULL;
}

bool url_host_is_in(const char *host, size_t len, const char *domain, size_t domain_len)
{
    if (domain_len == 0 || len < domain_len ||
        strncasecmp(host + len - domain_len, domain, domain_len) != 0)
        return false;
    return len == domain_len || host[len - domain_len - 1] == '.';
}
