/* http_path - patterns of routes, and where mounts are. Pure. */
#ifndef SERVER_HTTP_PATH_H
#define SERVER_HTTP_PATH_H

#include <stdbool.h>

/* Cuts path at slashes; params: at most REQUEST_PARAMS_MAX, into path. */
bool path_match(const char *pattern, char *path, const char **params);
/* Cheap: false for most of the patterns that do not match. */
bool path_is_like(const char *pattern, const char *path);
/* Is it the host that was asked for? name NULL: any is. host: with or without a port, or
 * NULL. */
bool host_is(const char *name, const char *host);
/* What is left of the path below the base; NULL: it is elsewhere. */
const char *path_below(const char *base, const char *path);

#endif
