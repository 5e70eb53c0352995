#include "server/mounts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "server/server.h"

enum { PORT_MAX = 65535 };

struct builder {
    struct mounts *m;
    const struct server_config *c;
    int tenants[CONTRACTS];
    struct errtext *e;
};

/* Room for one more; NULL: too many, and e says so. */
static struct mount *add(struct builder *b, const struct contract *contract)
{
    if (b->m->n == MOUNTS_MAX) {
        errtext_set(b->e, E2BIG, 0, 0, "at most %d mounts of contracts", MOUNTS_MAX);
        return NULL;
    }
    struct mount *m = &b->m->list[b->m->n];
    *m = (struct mount){.contract = contract, .base = "", .public_url = ""};
    b->m->n++;
    return m;
}

static void below_public(const char *url, const char *base, char out[MOUNT_TEXT_MAX])
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    snprintf(out, MOUNT_TEXT_MAX, "%.*s%s", (int)len, url, base);
}

/* base: at which it is below the program's public URL; NULL: elsewhere. */
static int add_contract(struct builder *b, int id, int listener, const char *host,
                        const char *base)
{
    const struct contract_config *own = &b->c->contracts[id];
    char(*texts)[MOUNT_TEXT_MAX] = b->m->texts[b->m->n];

    struct mount *m = add(b, contracts[id]);
    if (!m)
        return E2BIG;
    m->listener = listener;
    m->token = own->token;
    m->origins = own->origins;
    m->tenant_id = b->tenants[id];
    if (host) {
        str_cut(texts[0], MOUNT_TEXT_MAX, host);
        m->host = texts[0];
    }
    if (base)
        m->base = base;
    m->public_url = texts[1];
    const char *public_url = id == CONTRACT_VOICE_LEDGER
                                 ? b->c->common.voice_ledger_public_url
                                 : own->public_url;
    if (*public_url)
        str_cut(texts[1], MOUNT_TEXT_MAX, public_url);
    else if (base && b->c->common.public_url[0])
        below_public(b->c->common.public_url, base, texts[1]);
    return 0;
}

/* The next word of a list "a, b"; false at its end. */
static bool next_word(const char **list, char *out, size_t size)
{
    *list += strspn(*list, ", ");
    size_t len = strcspn(*list, ", ");
    if (len == 0)
        return false;
    snprintf(out, size, "%.*s", (int)len, *list);
    *list += len;
    return true;
}

static int add_hosts(struct builder *b, int id)
{
    const char *list = b->c->contracts[id].host;
    char host[256];
    int err = 0;

    while (!err && next_word(&list, host, sizeof(host))) {
        host[strcspn(host, ":")] = '\0';
        err = add_contract(b, id, 0, host, NULL);
    }
    return err;
}

/* "127.0.0.1:8090", ":8090" or "8090". */
static bool read_listen(const char *text, struct http_listener *out)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    size_t len = colon ? (size_t)(colon - text) : 0;
    struct in_addr in;
    int64_t number;

    snprintf(out->address, sizeof(out->address), "%.*s",
             len ? (int)len : (int)strlen("127.0.0.1"), len ? text : "127.0.0.1");
    if (!str_to_i64(port, &number) || number < 0 || number > PORT_MAX ||
        inet_pton(AF_INET, out->address, &in) != 1)
        return false;
    out->port = (int)number;
    return true;
}

static int add_listener(struct builder *b, int id, const struct contract *everywhere)
{
    const char *text = b->c->contracts[id].listen;
    struct http_listener *l = &b->m->listeners[b->m->listener_count];

    if (!text[0])
        return 0;
    if (!read_listen(text, l))
        return errtext_set(b->e, EINVAL, 0, 0,
                           "'%s' is no place for %s to listen, e.g. 127.0.0.1:8090", text,
                           contracts[id]->name);
    b->m->listener_contract[b->m->listener_count] = contracts[id];
    const int place = (int)++b->m->listener_count;
    int err = add_contract(b, id, place, NULL, NULL);
    struct mount *own = err ? NULL : add(b, everywhere);
    if (own)
        own->listener = place;
    return own ? 0 : E2BIG;
}

static int find_tenants(struct builder *b, struct pg *pg)
{
    for (int i = 0; i < CONTRACTS; i++) {
        int err = pg_tenant_find(pg, b->c->contracts[i].tenant, &b->tenants[i], b->e);
        if (err)
            return err;
    }
    return 0;
}

static bool is_named(const char *list, const char *name)
{
    char word[64];

    while (next_word(&list, word, sizeof(word)))
        if (strcmp(word, name) == 0)
            return true;
    return false;
}

static int check_names(struct builder *b)
{
    const char *list = b->c->contract_names;
    char word[64];

    while (next_word(&list, word, sizeof(word)))
        if (!contract_find(word))
            return errtext_set(b->e, EINVAL, 0, 0,
                               "contracts: there is no '%s'; there are plivo-ivr, "
                               "ivr-simulator, voice-ledger",
                               word);
    return 0;
}

/* One alone: at the root, and below its base path as everywhere. */
static int build_profile(struct builder *b, int id, const struct contract *everywhere)
{
    int err = add_contract(b, id, 0, NULL, b->m->bases[id]);

    if (!err)
        err = add_contract(b, id, 0, NULL, "");
    return !err && add(b, everywhere) ? 0 : E2BIG;
}

/* Beside a contract lie the prompts that its documents name. */
static int add_below(struct builder *b, int id, const struct contract *everywhere)
{
    int err = add_contract(b, id, 0, NULL, b->m->bases[id]);
    struct mount *own = err ? NULL : add(b, everywhere);

    if (!own)
        return E2BIG;
    own->base = b->m->bases[id];
    return 0;
}

static int build_all(struct builder *b, const struct contract *all,
                     const struct contract *everywhere)
{
    int err = check_names(b);

    for (int i = 0; !err && i < CONTRACTS; i++)
        err = add_hosts(b, i);
    for (int i = 0; !err && i < CONTRACTS; i++)
        err = add_listener(b, i, everywhere);
    for (int i = 0; !err && i < CONTRACTS; i++)
        if (is_named(b->c->contract_names, contracts[i]->name))
            err = add_below(b, i, everywhere);
    return err || add(b, all) ? err : E2BIG;
}

int mounts_build(struct mounts *out, const struct server_config *c,
                 const struct contract *all, const struct contract *everywhere,
                 struct pg *pg, struct errtext *e)
{
    struct builder b = {.m = out, .c = c, .e = e};
    int profile = -1;

    for (int i = 0; i < CONTRACTS; i++) {
        snprintf(out->bases[i], sizeof(out->bases[i]), "/%s", contracts[i]->name);
        if (str_is(c->profile, contracts[i]->name))
            profile = i;
    }
    int err = find_tenants(&b, pg);
    if (err)
        return err;
    return profile >= 0 ? build_profile(&b, profile, everywhere)
                        : build_all(&b, all, everywhere);
}
