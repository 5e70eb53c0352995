/* campaign_mode - the `mode` member of a campaign's document. For campaign.c. */
#ifndef CAMPAIGNS_CAMPAIGN_MODE_H
#define CAMPAIGNS_CAMPAIGN_MODE_H

#include <jansson.h>

#include "campaigns/doc_reader.h"
#include "campaigns/mode.h"

void campaign_read_mode(struct doc_reader *r, json_t *value, const char *pointer,
                        struct mode_rules *out);

#endif
