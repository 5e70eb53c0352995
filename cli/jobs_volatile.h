/* jobs_volatile - the verbs of `furrow jobs` about volatile kinds. */
#ifndef CLI_JOBS_VOLATILE_H
#define CLI_JOBS_VOLATILE_H

#include <stdbool.h>

#include <jansson.h>

#include "cli/cli.h"

cli_verb_fn jobs_send, jobs_volatile;
/* The volatile kinds beside the durable ones of `furrow jobs stats`; says on stderr when
 * Redis is away. cli_open_pg came before. */
void jobs_volatile_stats(struct cli *cli, json_t *kinds);
bool jobs_is_volatile(const char *kind);
/* Pauses such a kind, or lets it go on. cli_open_pg came before. */
NODISCARD int jobs_volatile_hold(struct cli *cli, const char *kind, bool on);

#endif
