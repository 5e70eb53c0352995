/* campaign_trunks - the document's "trunks": over which trunks a campaign's calls go,
 * with what weight, and which of them only when others cannot. Pure. */
#ifndef CAMPAIGNS_CAMPAIGN_TRUNKS_H
#define CAMPAIGNS_CAMPAIGN_TRUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct doc_reader;

/* A doc_part_fn into a struct campaign_doc. */
void campaign_read_trunks(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner);

/* How one trunk of a campaign stands, for the choice of the next. */
struct trunk_standing {
    int weight, priority;
    bool usable; /* ready, its breaker closed */
    bool wants;  /* it has room and pace for more calls now */
    double sent; /* calls taken so far */
};

/*
 * May trunk `which` of n take the campaign's next calls? Not while one of a lower
 * priority number is usable and, among its equals, not while one that wants calls too
 * has had fewer for its weight. A trunk at its own limit does not hold the others.
 */
bool campaign_trunk_may(const struct trunk_standing *all, int n, int which);

#endif
