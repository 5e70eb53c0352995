/*
 * flow_backends - on which phones a flow must run: what --for names, or what the tenant's
 * trunks and provider accounts are. Single-threaded.
 */
#ifndef CLI_FLOW_BACKENDS_H
#define CLI_FLOW_BACKENDS_H

#include "base/attrs.h"
#include "cli/cli.h"

struct flow_backends {
    const char *names[8]; /* as ivr_backend_find() knows them, NULL-terminated */
    size_t n;
};

/* "twilio,plivo,asterisk,simulated". CLI_USAGE, said. */
NODISCARD int flow_backends_parse(struct flow_backends *out, const char *list);
/* Opens the database. CLI_FAILED, said. */
NODISCARD int flow_backends_of_tenant(struct flow_backends *out, struct cli *cli);

#endif
