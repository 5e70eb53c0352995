/*
 * cohort - which variant of a campaign a person gets. Pure: the same campaign and person,
 * the same variant, on every retry, in every process and on every number of the person.
 *
 * A variant is a flow (a revision of it), or only a name that the flow can read as
 * {{contact.variant}} to say something else.
 */
#ifndef CAMPAIGNS_COHORT_H
#define CAMPAIGNS_COHORT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct doc_reader;

enum { VARIANTS_MAX = 8, VARIANT_NAME_MAX = 32, VARIANT_WEIGHT_MAX = 1000 };

struct variant_rule {
    char name[VARIANT_NAME_MAX];
    char flow[128]; /* "survey" or "survey@3"; "": the campaign's */
    int weight;
};

/* "variants" of a campaign's document; n 0: none. */
struct variant_rules {
    size_t n;
    struct variant_rule at[VARIANTS_MAX];
};

/* The document's part, what is wrong with it as issues. */
void variant_rules_read(struct doc_reader *r, json_t *value, const char *pointer,
                        struct variant_rules *out);

/* Index into rules->at; person: who it is, as contacts name them. Of a share of a variant
 * that is held (a bit of held), the others get their parts by their weights; when all are
 * held it is as if none were. rules->n must not be 0. */
size_t cohort_of(const struct variant_rules *rules, int64_t campaign_id,
                 const char *person, unsigned held);

/* The same in two steps, for many persons: where their own variant is held, spare (of
 * cohort_spare) says which of the others they get. */
uint64_t cohort_spare(int64_t campaign_id, const char *person);
size_t cohort_among(const struct variant_rules *rules, size_t own, uint64_t spare,
                    unsigned held);

#endif
