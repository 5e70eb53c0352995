/*
 * columns - what the columns of a contact file are: which one is the phone number,
 * what the others are called in {{contact.*}}.
 *
 * Pure. A struct columns is read-only once made and may be shared by threads.
 */
#ifndef CONTACTS_COLUMNS_H
#define CONTACTS_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "contacts/csv_reader.h"

enum { PHONE_COLUMNS_MAX = 9 };

/* The key that names the column of what persons are told apart by. */
#define COLUMN_PERSON "@person"
#define COLUMN_NONE   ((size_t)-1)

/* --map key=column: column by its name in the file, or by its number from 1. The
 * keys phone, phone2 … phone9 are a person's numbers, the preferred one first. */
struct column_map {
    const char *key, *column;
};

struct column {
    char *name; /* as in the file, "column 3" when it has none */
    char *key;  /* in {{contact.*}}: lower case, _ for anything but letters and digits */
    char *json; /* the key as a JSON string with its colon, ready to be written */
    size_t json_len;
};

struct columns {
    bool has_header;
    size_t phone; /* index of the number's column: phones[0] */
    size_t phones[PHONE_COLUMNS_MAX], phone_count;
    size_t person; /* COLUMN_NONE: none was named */
    size_t n;
    struct column *at; /* key and json of phone columns are not used */
    /* The others in the order in which the database keeps them (shorter keys first):
     * it has nothing to sort then. */
    size_t *order, order_count;
};

/* first is the file's first record. It is a header unless one of its cells is a
 * phone number. *out is the caller's to columns_free(). EINVAL: there is no phone
 * column or a map names none; the text lists the columns. EBADMSG: the header
 * cannot be read. */
NODISCARD int columns_new(struct columns **out, const struct csv_record *first,
                          const char *region, const struct column_map *maps,
                          size_t map_count, struct errtext *e);
/* "First Name" as first_name; the caller's to free(). */
char *column_key(const char *name);
bool columns_is_phone(const struct columns *c, size_t i);
void columns_free(struct columns *c); /* NULL is allowed */

/* {key: column's name}, numbers as phone, phone2 …; the caller's. */
json_t *columns_json(const struct columns *columns);

#endif
