/* facts_set - what the files facts_store*.c fill together. Internal. */
#ifndef COMPLIANCE_FACTS_SET_H
#define COMPLIANCE_FACTS_SET_H

#include "compliance/facts_store.h"

struct dnc_list;
struct pg_args;
struct pg_result; /* PGresult */

enum { FACTS_PHONE_BITS = 50 }; /* of a lock's key: no number has more */

struct number {
    struct compliance_facts facts;
    const char **zones, **address_zones;
    char *zone_text, *address_text; /* the names, one after the other */
    struct compliance_call *calls;
    struct compliance_wash *washes;
    char *wash_names;
    struct compliance_list *lists;
};

struct facts_set {
    size_t n;
    struct number *numbers;
    struct compliance_holiday *holidays;
    size_t holiday_count;
    struct compliance_registration *registrations;
    size_t registration_count;
    struct compliance_block *blocks;
    size_t block_count;
    struct dnc_list *pinned[64]; /* their names are borrowed by facts */
    size_t pinned_count;
};

/* The keys as parameters $1 (tenant) to $5 stand for this in a statement. */
#define FACTS_KEYS                                                                       \
    "unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::uuid[]) WITH ORDINALITY AS "   \
    "k(phone, campaign_id, zone_group, own, i) "

/* A consent that was given for one purpose is none for another. */
#define FACTS_CONSENT_PURPOSE(c)                                                         \
    "(" c ".purpose = '' OR " c ".purpose = (SELECT coalesce(p.document->>'purpose', "   \
    "'telemarketing') FROM campaigns p WHERE p.id = k.campaign_id))"

/* Rows whose first column says which number they are of, in that order: each number's
 * from i to before end. EPROTO: there is no such number. */
typedef void(facts_take_fn)(struct number *f, const struct pg_result *res, int i,
                            int end);
NODISCARD int facts_each_number(struct facts_set *set, const struct pg_result *res,
                                facts_take_fn *take);

/* A JSON array of names to a list of pointers into one text; both are the caller's. */
size_t facts_read_names(const char *json, const char ***names, char **text);

/* Line types, reassigned numbers, places, consent's circumstances, washes; and what holds
 * for the whole tenant: registrations, emergency blocks, the kill switch. */
NODISCARD int facts_load_rare(struct pg *pg, const struct pg_args *keys, int tenant_id,
                              int64_t now_ms, struct facts_set *set);
/* Of the numbers and of the others of their persons; keys: the same as args has. */
NODISCARD int facts_load_calls(struct pg *pg, const struct pg_args *args, int tenant_id,
                               const struct facts_key *keys, int64_t now_ms,
                               struct facts_set *set);
void facts_free_rare(struct facts_set *set);

#endif
