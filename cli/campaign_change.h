/* campaign_change - the verbs `furrow campaign change` and `clone`: a campaign's document
 * with other values, for the same campaign or for a new one. */
#ifndef CLI_CAMPAIGN_CHANGE_H
#define CLI_CAMPAIGN_CHANGE_H

#include "cli/cli.h"

cli_verb_fn cmd_campaign_change, cmd_campaign_clone;

#endif
