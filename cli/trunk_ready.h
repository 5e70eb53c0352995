/* trunk_ready - could this trunk carry a call now? Asks Asterisk as this environment
 * names it (FURROW_ARI_URL, FURROW_ARI_USER, FURROW_ARI_SECRET). Blocks for some seconds
 * at most.
 */
#ifndef CLI_TRUNK_READY_H
#define CLI_TRUNK_READY_H

#include <stddef.h>

#include "campaigns/trunk_store.h"

enum trunk_readiness {
    TRUNK_READY,
    TRUNK_NOT_ASKED, /* nothing here says where its switch is */
    TRUNK_NOT_READY,
};

/* text: what was found and, when it is not ready, what to do. */
enum trunk_readiness cli_trunk_ready(const struct trunk_row *trunk, char *text,
                                     size_t size);

#endif
