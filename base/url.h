/*
 * url - whom an address asks, told without asking: which hosts a request may go to, and
 * a credential with it, is decided by these. Pure.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stddef.h>

/* Host and port of an http or https URL, borrowed from it, *len bytes. NULL: it is none,
 * or what stands there is not a plain host in ASCII and a port: a name and password, an
 * escape, anything that two readers could read in two ways. */
const char *url_authority(const char *url, size_t *len, bool *https);
/* The domain itself, or a host in it, in any case; a port is a part of either. */
bool url_host_is_in(const char *host, size_t len, const char *domain, size_t domain_len);

#endif
