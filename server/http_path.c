#include "server/http_path.h"

#include <string.h>
#include <strings.h>

#include "server/http_server.h"

/* Cuts path at slashes while it compares; {name} takes one non-empty segment. */
bool path_match(const char *pattern, char *path, const char **params)
{
    int n = 0;

    for (;;) {
        while (*pattern == '/')
            pattern++;
        while (*path == '/')
            path++;
        if (!*pattern || !*path)
            return !*pattern && !*path;
        size_t plen = strcspn(pattern, "/"), len = strcspn(path, "/");
        if (*pattern == '{') {
            if (n == REQUEST_PARAMS_MAX)
                return false;
            params[n++] = path;
        } else if (plen != len || strncmp(pattern, path, len) != 0) {
            return false;
        }
        pattern += plen;
        path += len;
        if (*path)
            *path++ = '\0';
    }
}

/* Cheap: false for most of the routes that do not match. */
bool path_is_like(const char *pattern, const char *path)
{
    size_t n = strcspn(pattern, "{");

    return strncmp(pattern, path, n) == 0 || strstr(path, "//");
}

bool host_is(const char *name, const char *host)
{
    size_t len = host ? strcspn(host, ":") : 0;

    return !name || (strlen(name) == len && strncasecmp(name, host, len) == 0);
}

/* What is left of the path below the base; NULL: it is elsewhere. */
const char *path_below(const char *base, const char *path)
{
    size_t len = strlen(base);

    if (strncmp(path, base, len) != 0 || (path[len] && path[len] != '/'))
        return NULL;
    return path[len] ? path + len : "/";
}
