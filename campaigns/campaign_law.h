/* campaign_law - the parts of a campaign's document that say under which law it calls:
 * doc_part_fn each, into a struct policy. */
#ifndef CAMPAIGNS_CAMPAIGN_LAW_H
#define CAMPAIGNS_CAMPAIGN_LAW_H

#include <jansson.h>

struct doc_reader;

void campaign_read_frequency(struct doc_reader *r, json_t *value, const char *pointer,
                             void *policy);
void campaign_read_cooldowns(struct doc_reader *r, json_t *value, const char *pointer,
                             void *policy);
void campaign_read_blackout(struct doc_reader *r, json_t *value, const char *pointer,
                            void *policy);
/* {"lists": ["us.ftc"], "wash": ["au.dncr"], "max_age_days": 31, "internal_years": 5} */
void campaign_read_dnc(struct doc_reader *r, json_t *value, const char *pointer,
                       void *policy);

#endif
