/*
 * campaign_rules - the parts of a campaign's document that become its policy:
 * calling windows, limits, regions. For campaign.c alone; doc_part_fn each, with
 * the struct policy as owner. Pure.
 */
#ifndef CAMPAIGNS_CAMPAIGN_RULES_H
#define CAMPAIGNS_CAMPAIGN_RULES_H

#include <jansson.h>

struct doc_reader;

/* What is stated replaces the default week: a day that is not named is closed. */
void campaign_read_windows(struct doc_reader *r, json_t *value, const char *pointer,
                           void *policy);
void campaign_read_limits(struct doc_reader *r, json_t *value, const char *pointer,
                          void *policy);
void campaign_read_regions(struct doc_reader *r, json_t *value, const char *pointer,
                           void *policy);

#endif
