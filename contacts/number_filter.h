/*
 * number_filter - which numbers have surely not been seen yet, in 16 MiB whatever
 * their count (a Bloom filter). One thread.
 */
#ifndef CONTACTS_NUMBER_FILTER_H
#define CONTACTS_NUMBER_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct number_filter;

struct number_filter *number_filter_new(void);
void number_filter_free(struct number_filter *f); /* NULL is allowed */

/* Remembers the number. False: it was surely not there before. True: perhaps. */
bool number_filter_add(struct number_filter *f, int64_t number);

#endif
