#include "cli/flow_backends.h"

#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/provider_store.h"
#include "campaigns/trunk_store.h"

/* As people and rows call them, and as the flow engine does. */
static const char *const known[][2] = {
    {"twilio", "twiml"}, {"plivo", "plivo"}, {"asterisk", "ari"}, {"simulated", "sim"},
    {"twiml", "twiml"},  {"ari", "ari"},     {"sim", "sim"},
};

static bool add(struct flow_backends *b, const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strlen(known[i][0]) != len || strncmp(known[i][0], name, len) != 0)
            continue;
        bool there = false;
        for (size_t k = 0; k < b->n; k++)
            there = there || strcmp(b->names[k], known[i][1]) == 0;
        if (!there)
            b->names[b->n++] = known[i][1]; /* four different ones at most */
        return true;
    }
    return false;
}

int flow_backends_parse(struct flow_backends *out, const char *list)
{
    *out = (struct flow_backends){0};
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        if (!add(out, at, len))
            return cli_usage("--for wants twilio, plivo, asterisk or simulated, several "
                             "with a comma between, not '%.*s'",
                             (int)len, at);
        at += len;
        if (*at == '\0')
            return CLI_OK;
    }
}

int flow_backends_of_tenant(struct flow_backends *out, struct cli *cli)
{
    CLEANUP(free_cleanup) struct trunk_row *trunks = NULL;
    CLEANUP(free_cleanup) struct provider *accounts = NULL;
    size_t n = 0;

    *out = (struct flow_backends){0};
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (trunk_list(cli->pg, cli->tenant_id, &trunks, &n))
        return cli_fail("%s", pg_error(cli->pg));
    for (size_t i = 0; i < n; i++)
        add(out, trunks[i].kind, strlen(trunks[i].kind));
    n = 0;
    if (provider_list(cli->pg, cli->tenant_id, &accounts, &n))
        return cli_fail("%s", pg_error(cli->pg));
    for (size_t i = 0; i < n; i++) {
        const char *kind = provider_kind_name(accounts[i].kind);
        if (provider_carries_calls(accounts[i].kind))
            add(out, kind, strlen(kind));
    }
    return CLI_OK;
}
