/*
 * dnc_list - do-not-call lists of national size: files <dir>/<name>.dnc, mapped read-only
 * and shared by all processes of the machine. Exact: a bitmap of 1.25 MB for each area
 * code of +1, a sorted array for every other number.
 *
 * A file is published by rename with a growing generation. Readers notice within a
 * second; one that is pinned stays what it was. The head is checked when it is mapped, a
 * slot when it is first asked (its sha256 stands in the head): a whole national file is
 * never read just to start. What does not match is CORRUPT, and nobody is called by it.
 *
 * Thread: any; pin and unpin take a lock, looking takes none.
 */
#ifndef COMPLIANCE_DNC_LIST_H
#define COMPLIANCE_DNC_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "compliance/list.h"

enum {
    DNC_SLOT_BITS = 10 * 1000 * 1000, /* numbers of an area code */
    DNC_SLOT_BYTES = DNC_SLOT_BITS / 8,
    DNC_CODES = 1000, /* area codes 000 to 999 */
    DNC_SUM_BYTES = 16,
};

/* The head of a file; integers in the byte order of this machine (lists are not carried).
 */
struct dnc_head {
    char magic[8]; /* "FURDNC1" */
    uint64_t generation;
    int64_t obtained_at_ms, valid_until_ms; /* valid_until 0: what the rules say */
    uint64_t count;                         /* numbers in all */
    uint64_t other_count;                   /* of them outside +1 */
    uint32_t slot_count, head_bytes;
    char name[LIST_NAME_MAX], source[128];
    uint16_t slot_of[DNC_CODES]; /* area code to slot + 1; 0: no number of it */
    uint8_t slot_sums[800][DNC_SUM_BYTES];
    uint8_t other_sum[DNC_SUM_BYTES];
    uint8_t head_sum[DNC_SUM_BYTES]; /* of this struct with head_sum zero */
};

struct dnc_list;  /* one generation, mapped */
struct dnc_lists; /* those of a folder */

struct dnc_lists *dnc_lists_new(const char *dir);
void dnc_lists_free(struct dnc_lists *lists); /* nothing may be pinned; NULL is allowed */

/* The newest generation; NULL: there is no such list. now_ms: monotonic; the folder is
 * looked at once a second at most. */
struct dnc_list *dnc_lists_pin(struct dnc_lists *lists, const char *name, int64_t now_ms);
void dnc_lists_unpin(struct dnc_lists *lists,
                     struct dnc_list *list); /* NULL is allowed */
/* Pins every list: at most max, *n of them. */
void dnc_lists_pin_all(struct dnc_lists *lists, int64_t now_ms, struct dnc_list **out,
                       size_t max, size_t *n);

/* CLEAR, HIT or CORRUPT. */
enum list_state dnc_list_look(struct dnc_list *list, int64_t e164);
/* Of many numbers: memory is asked for ahead. */
void dnc_list_look_many(struct dnc_list *list, const int64_t *e164, size_t n,
                        enum list_state *out);
/* NULL: its head is damaged. */
const struct dnc_head *dnc_list_head(const struct dnc_list *list);
const char *dnc_list_name(const struct dnc_list *list);
/* Reads all of it: false when any part does not match its sum. */
bool dnc_list_verify(struct dnc_list *list);

/* The folder of this process' lists, set once before threads start; NULL until then. */
void dnc_lists_use(const char *dir);
struct dnc_lists *dnc_lists_of_process(void);

void dnc_head_sum(const struct dnc_head *head, uint8_t out[DNC_SUM_BYTES]);
void dnc_sum(const void *data, size_t len, uint8_t out[DNC_SUM_BYTES]);

#endif
