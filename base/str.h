/*
 * str - checked copies, number parsing, masking, and a growing buffer.
 * Thread: pure functions; a struct buf belongs to one thread.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

/* Copy src into dst[size]; EMSGSIZE when it does not fit (dst is then ""). */
NODISCARD int str_copy(char *dst, size_t size, const char *src);
/* The same for what is only shown: cuts instead of failing, never inside a character,
 * which Postgres would refuse to store. */
void str_cut(char *dst, size_t size, const char *src);
/* Drops the first bytes of a UTF-8 character whose rest was cut off at the end of s. */
void str_end_whole(char *s);
NODISCARD bool str_to_i64(const char *s, int64_t *out); /* whole string, base 10 */
bool str_is(const char *a, const char *b);              /* NULL-safe equality */
char *str_trim(char *s); /* in place; returns the first non-space */
bool str_is_utf8(const char *s, size_t len);

enum { PHONE_TEXT_MAX = 24 };
/* "+2519…789" as "+*********789": all but the last three digits hidden. */
const char *phone_mask(int64_t e164, char out[PHONE_TEXT_MAX]);
const char *phone_text(int64_t e164, char out[PHONE_TEXT_MAX]); /* "+251911234567" */

/* Constant-time comparison of two byte strings of equal length. */
bool mem_equal_ct(const void *a, const void *b, size_t len);

struct buf {
    char *data; /* always NUL-terminated when not NULL */
    size_t len, cap;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_i64(struct buf *b, int64_t v); /* in base 10 */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_free(struct buf *b);  /* back to empty; for CLEANUP too */
char *buf_take(struct buf *b); /* the caller's to free(); never NULL; b is empty after */

#endif
