/*
 * mounts - where contracts are reached, from the configuration: below their base paths
 * beside our own routes, at the root of host names, at the root of listeners of their
 * own, or one alone at the root of the main listener (profile).
 */
#ifndef SERVER_MOUNTS_H
#define SERVER_MOUNTS_H

#include "base/errors.h"
#include "server/contract.h"

struct pg;
struct server_config;

enum { MOUNTS_MAX = 32, MOUNT_TEXT_MAX = 512 };

struct mounts {
    struct mount list[MOUNTS_MAX];
    char texts[MOUNTS_MAX][2][MOUNT_TEXT_MAX]; /* host, public URL */
    char bases[CONTRACTS][40];
    size_t n;
    struct http_listener listeners[CONTRACTS];
    const struct contract *listener_contract[CONTRACTS];
    size_t listener_count;
};

/* Two sets of our own routes: all, and those that are there wherever a contract is
 * mounted alone. Both, and c, are borrowed for the life of out. pg: to look up the
 * tenants that are served. EINVAL, ENOENT: e says what is wrong in the configuration. */
NODISCARD int mounts_build(struct mounts *out, const struct server_config *c,
                           const struct contract *all, const struct contract *everywhere,
                           struct pg *pg, struct errtext *e);

#endif
