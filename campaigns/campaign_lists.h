/*
 * campaign_lists - the part of a campaign's document that names several lists, each with
 * a share of the calls or a place before the others. Pure.
 */
#ifndef CAMPAIGNS_CAMPAIGN_LISTS_H
#define CAMPAIGNS_CAMPAIGN_LISTS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct doc_reader;

enum {
    CAMPAIGN_LISTS_MAX = 16,
    CAMPAIGN_LIST_PRIORITY_MAX = 100,
    CAMPAIGN_LIST_BAND = 40, /* campaign_contacts.priority of one list priority: wide
                                enough for retries and a person's numbers */
};

struct campaign_list {
    char name[128];
    int share;    /* of the calls, beside lists of the same priority */
    int priority; /* higher first */
};

struct campaign_lists {
    size_t n; /* 0: the document names one list, by 'list' */
    struct campaign_list at[CAMPAIGN_LISTS_MAX];
};

/* For campaign.c alone; a doc_part_fn with the struct campaign_lists as owner. */
void campaign_read_lists(struct doc_reader *r, json_t *value, const char *pointer,
                         void *owner);
bool campaign_lists_are_equal(const struct campaign_lists *a,
                              const struct campaign_lists *b);

#endif
