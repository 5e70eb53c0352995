#include "server/hook_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum { ITEM_MAX = 64, PREFIX_BITS = 32, HOST_MAX = 256 };

/* "10.0.0.0/8", or one address. */
static bool read_range(const char *text, uint32_t *net, uint32_t *mask)
{
    char address[ITEM_MAX];
    int64_t bits = PREFIX_BITS;
    struct in_addr in;

    if (str_copy(address, sizeof(address), text))
        return false;
    char *slash = strchr(address, '/');
    if (slash) {
        *slash = '\0';
        if (!str_to_i64(slash + 1, &bits) || bits < 0 || bits > PREFIX_BITS)
            return false;
    }
    if (inet_pton(AF_INET, address, &in) != 1)
        return false;
    *mask = bits == 0 ? 0 : UINT32_MAX << (PREFIX_BITS - bits);
    *net = ntohl(in.s_addr) & *mask;
    return true;
}

/* Walks the list; false at its end. *sound tells whether the item was a range. */
static bool next_range(const char **list, uint32_t *net, uint32_t *mask, bool *sound)
{
    char item[ITEM_MAX];

    *list += strspn(*list, ", ");
    size_t len = strcspn(*list, ", ");
    if (len == 0)
        return false;
    *sound = len < sizeof(item);
    if (*sound) {
        memcpy(item, *list, len);
        item[len] = '\0';
        *sound = read_range(item, net, mask);
    }
    *list += len;
    return true;
}

bool hook_proxies_are_sound(const char *list)
{
    uint32_t net, mask;
    bool sound = true;

    while (sound && next_range(&list, &net, &mask, &sound))
        ;
    return sound;
}

static bool is_trusted(const char *list, const char *peer)
{
    uint32_t net, mask;
    struct in_addr in;
    bool sound;

    if (inet_pton(AF_INET, peer, &in) != 1)
        return false;
    while (next_range(&list, &net, &mask, &sound))
        if (sound && (ntohl(in.s_addr) & mask) == net)
            return true;
    return false;
}

static bool is_host(const char *text)
{
    size_t n = text ? strlen(text) : 0;

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(".-:[]", text[i]))
            return false;
    return n > 0 && n < HOST_MAX;
}

/* The first of several, which is what the outermost proxy saw. */
static const char *first_of(const char *header, char *out, size_t size)
{
    size_t len = header ? strcspn(header, ", ") : 0;

    if (len == 0 || len >= size)
        return NULL;
    memcpy(out, header, len);
    out[len] = '\0';
    return out;
}

bool hook_url(const struct hook_asked *a, char *out, size_t size)
{
    char proto[8], host[HOST_MAX];
    const char *scheme = "http", *name = a->host;
    int n;

    if (a->public_url[0]) {
        size_t len = strlen(a->public_url);
        while (len > 0 && a->public_url[len - 1] == '/')
            len--;
        n = snprintf(out, size, "%.*s%s", (int)len, a->public_url, a->url);
        return n > 0 && (size_t)n < size;
    }
    if (is_trusted(a->trusted_proxies, a->peer)) {
        const char *said = first_of(a->forwarded_proto, proto, sizeof(proto));
        if (said && (strcasecmp(said, "https") == 0 || strcasecmp(said, "http") == 0))
            scheme = strcasecmp(said, "https") == 0 ? "https" : "http";
        said = first_of(a->forwarded_host, host, sizeof(host));
        if (said)
            name = said;
    }
    if (!is_host(name))
        return false;
    n = snprintf(out, size, "%s://%s%s", scheme, name, a->url);
    return n > 0 && (size_t)n < size;
}
