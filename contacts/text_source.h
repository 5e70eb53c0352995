/*
 * text_source - a stream of bytes as UTF-8, whatever it was written in.
 *
 * Looks at the first 64 KiB: byte order marks decide; without one, NUL bytes at every
 * other place mean UTF-16, and bytes that are no UTF-8 (more of them than of proper
 * characters beyond ASCII) mean Windows-1252. What was concluded can be asked and is to
 * be said aloud. UTF-16 is converted here; Windows-1252 is only recognised, its bytes
 * pass (contacts/csv_reader.h converts cells). One thread.
 */
#ifndef CONTACTS_TEXT_SOURCE_H
#define CONTACTS_TEXT_SOURCE_H

#include "contacts/csv_reader.h"

enum text_encoding {
    TEXT_FIND_OUT,
    TEXT_UTF8,
    TEXT_UTF16LE,
    TEXT_UTF16BE,
    TEXT_WINDOWS_1252,
};

struct text_source;

/* wanted TEXT_FIND_OUT, or what it is said to be; a byte order mark knows better.
 * Errors: the errno of read. */
NODISCARD int text_source_new(struct text_source **out, csv_read_fn *read, void *arg,
                              enum text_encoding wanted, struct errtext *e);
void text_source_free(struct text_source *t); /* NULL is allowed */

ssize_t text_source_read(void *source, void *buf, size_t size); /* a csv_read_fn */

enum text_encoding text_source_encoding(const struct text_source *t);
/* Nobody said so and no mark did: it was concluded from the bytes. */
bool text_source_is_guess(const struct text_source *t);

const char *text_encoding_name(enum text_encoding encoding); /* "UTF-16 LE" */
/* "utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252"; ENOENT. */
NODISCARD int text_encoding_find(const char *name, enum text_encoding *out);

#endif
