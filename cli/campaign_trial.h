/* campaign_trial - what `campaign watch`, `show` and `history` say of a campaign's
 * canary, of what it has in quarantine and of what happened to it; `campaign release`. */
#ifndef CLI_CAMPAIGN_TRIAL_H
#define CLI_CAMPAIGN_TRIAL_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "campaigns/campaign_event_store.h"
#include "campaigns/canary_store.h"
#include "campaigns/quarantine_store.h"

struct cli;

enum { CANARY_TEXT_MAX = 300 };

/* "trial: 12 of 50 calls placed, …"; "" when the campaign has no canary. */
const char *canary_text(const struct canary_rule *rule, const struct canary_row *row,
                        char out[CANARY_TEXT_MAX]);
/* All of its calls are placed, and it waits for their end. */
bool canary_is_waited_for(const struct canary_rule *rule, const struct canary_row *row);
/* null without a canary; the caller owns the reference. */
json_t *canary_to_json(const struct canary_rule *rule, const struct canary_row *row);

/* One line each, label in front. */
void holds_print(const struct quarantine_hold *list, size_t n, const char *label,
                 FILE *to);
json_t *holds_to_json(const struct quarantine_hold *list, size_t n);

int cmd_campaign_release(struct cli *cli, int argc, char **argv);

void event_print(const struct campaign_event *e, FILE *to);
json_t *event_to_json(const struct campaign_event *e);

#endif
