/*
 * hook_url - by which URL did the provider ask? It signed that one. A configured public
 * URL is it; without one it is put together from the Host header, and a proxy's word
 * about the outside is taken only from addresses that are trusted. Pure.
 */
#ifndef SERVER_HOOK_URL_H
#define SERVER_HOOK_URL_H

#include <stdbool.h>
#include <stddef.h>

struct hook_asked {
    const char *public_url;      /* of the account or of the program; "" none */
    const char *trusted_proxies; /* "10.0.0.5, 192.168.0.0/16"; "" none */
    const char *peer;            /* who asked us: an IPv4 address */
    const char *host;            /* headers; NULL none: Host, */
    const char *forwarded_proto; /* X-Forwarded-Proto, */
    const char *forwarded_host;  /* X-Forwarded-Host */
    const char *url;             /* path and query as they came */
};

/* https://host[:port]/path?query. False: it cannot be known, or does not fit. */
bool hook_url(const struct hook_asked *a, char *out, size_t size);
/* Is the list sound? For the configuration's check. */
bool hook_proxies_are_sound(const char *list);

#endif
