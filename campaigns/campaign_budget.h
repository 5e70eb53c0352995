/* campaign_budget - the part of a campaign's document that becomes its struct budget. For
 * campaign.c alone; a doc_part_fn owner is the struct budget. Pure. */
#ifndef CAMPAIGNS_CAMPAIGN_BUDGET_H
#define CAMPAIGNS_CAMPAIGN_BUDGET_H

#include <jansson.h>

struct doc_reader;

void campaign_read_budget(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner);

#endif
