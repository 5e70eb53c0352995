/* campaign_change - the verbs `furrow campaign change`, `history` and `clone`: a
 * campaign's document with other values, those it had before, and the same for a new one.
 */
#ifndef CLI_CAMPAIGN_CHANGE_H
#define CLI_CAMPAIGN_CHANGE_H

#include "cli/cli.h"

cli_verb_fn cmd_campaign_change, cmd_campaign_history, cmd_campaign_clone;

#endif
