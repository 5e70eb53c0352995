/* What goes into a statement and what comes out of it: parameters, arrays, cells. */
#include "base/pg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/uuid.h"
#include "base/xalloc.h"

/* ---- parameters ---- */

static char *next_arg(struct pg_args *a)
{
    if (a->n >= PG_ARGS_MAX)
        abort(); /* a programming error: the statement is a literal */
    a->values[a->n] = a->text[a->n];
    return a->text[a->n++];
}

void pg_arg_i64(struct pg_args *a, int64_t v)
{
    snprintf(next_arg(a), PG_ARG_TEXT, "%" PRId64, v);
}

void pg_arg_double(struct pg_args *a, double v)
{
    snprintf(next_arg(a), PG_ARG_TEXT, "%.17g", v);
}

void pg_arg_bool(struct pg_args *a, bool v)
{
    snprintf(next_arg(a), PG_ARG_TEXT, "%s", v ? "t" : "f");
}

void pg_arg_text(struct pg_args *a, const char *v)
{
    next_arg(a);
    a->values[a->n - 1] = v;
}

void pg_arg_bytes(struct pg_args *a, const void *v, size_t len)
{
    next_arg(a);
    a->values[a->n - 1] = v;
    a->lengths[a->n - 1] = (int)len;
    a->formats[a->n - 1] = 1;
}

void pg_arg_uuid(struct pg_args *a, const struct uuid *u)
{
    if (!u) {
        pg_arg_null(a);
        return;
    }
    uuid_text(u, next_arg(a));
}

void pg_arg_null(struct pg_args *a)
{
    pg_arg_text(a, NULL);
}

void pg_arg_id(struct pg_args *a, int64_t id)
{
    if (id > 0)
        pg_arg_i64(a, id);
    else
        pg_arg_null(a);
}

void pg_arg_ms(struct pg_args *a, int64_t at_ms)
{
    if (at_ms == 0)
        pg_arg_null(a);
    else
        pg_arg_i64(a, at_ms);
}

/* ---- results ---- */

void pg_result_free(PGresult **res)
{
    PQclear(*res);
    *res = NULL;
}

int64_t pg_i64(const PGresult *res, int row, int col)
{
    return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

double pg_double(const PGresult *res, int row, int col)
{
    return strtod(PQgetvalue(res, row, col), NULL);
}

bool pg_bool(const PGresult *res, int row, int col)
{
    return PQgetvalue(res, row, col)[0] == 't';
}

const char *pg_text(const PGresult *res, int row, int col)
{
    return PQgetvalue(res, row, col);
}

int pg_uuid(const PGresult *res, int row, int col, struct uuid *out)
{
    return uuid_parse(PQgetvalue(res, row, col), out);
}

int pg_bytes(const PGresult *res, int row, int col, uint8_t *out, size_t n)
{
    size_t len = 0;
    unsigned char *bytes =
        PQunescapeBytea((const unsigned char *)PQgetvalue(res, row, col), &len);
    int err = bytes && len == n ? 0 : EBADMSG;

    if (!err && n > 0)
        memcpy(out, bytes, n);
    PQfreemem(bytes);
    return err;
}

int pg_bytes_dup(const PGresult *res, int row, int col, uint8_t **out, size_t *len)
{
    *out = NULL;
    *len = 0;
    if (pg_is_null(res, row, col))
        return 0;
    unsigned char *bytes =
        PQunescapeBytea((const unsigned char *)PQgetvalue(res, row, col), len);
    if (!bytes)
        return ENOMEM;
    *out = xmalloc(*len + 1);
    memcpy(*out, bytes, *len);
    PQfreemem(bytes);
    return 0;
}

int64_t pg_affected(PGresult *res)
{
    return strtoll(PQcmdTuples(res), NULL, 10);
}

void pg_array_i64(struct buf *b, const int64_t *v, size_t n)
{
    buf_puts(b, "{");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add(b, ",", 1);
        buf_i64(b, v[i]);
    }
    buf_puts(b, "}");
}

void pg_array_text(struct buf *b, const char *const *v, size_t n)
{
    buf_puts(b, "{");
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i ? ",\"" : "\"");
        for (const char *p = v[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                buf_puts(b, "\\");
            buf_add(b, p, 1);
        }
        buf_puts(b, "\"");
    }
    buf_puts(b, "}");
}

void pg_array_uuid(struct buf *b, const struct uuid *v, size_t n)
{
    char text[UUID_TEXT_MAX];

    buf_puts(b, "{");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add(b, ",", 1);
        buf_puts(b, uuid_text(&v[i], text));
    }
    buf_puts(b, "}");
}

/* ---- columns ---- */

/* Of pg_type, which never change. */
enum { TYPE_BOOL = 16, TYPE_BYTES = 17, TYPE_I64 = 20, TYPE_TEXT = 25, TYPE_UUID = 2950 };
enum { HEADER = 5 }; /* words before the items */

static void put_word(struct buf *b, uint32_t v)
{
    const uint32_t word = htonl(v);

    buf_add(b, &word, sizeof(word));
}

static void put_item(struct pg_column *c, uint32_t type, const void *v, size_t len)
{
    if (c->n++ == 0) {
        c->type = type;
        for (int i = 0; i < HEADER; i++)
            put_word(&c->data, 0);
    }
    put_word(&c->data, v ? (uint32_t)len : UINT32_MAX);
    if (v)
        buf_add(&c->data, v, len);
}

void pg_column_i64(struct pg_column *c, int64_t v)
{
    const uint64_t item = htobe64((uint64_t)v);

    put_item(c, TYPE_I64, &item, sizeof(item));
}

void pg_column_id(struct pg_column *c, int64_t id)
{
    if (id > 0)
        pg_column_i64(c, id);
    else
        put_item(c, TYPE_I64, NULL, 0);
}

void pg_column_text(struct pg_column *c, const char *v)
{
    put_item(c, TYPE_TEXT, v, v ? strlen(v) : 0);
}

void pg_column_uuid(struct pg_column *c, const struct uuid *v)
{
    put_item(c, TYPE_UUID, v ? v->bytes : NULL, sizeof(v->bytes));
}

void pg_column_bytes(struct pg_column *c, const void *v, size_t len)
{
    put_item(c, TYPE_BYTES, v, len);
}

void pg_column_bool(struct pg_column *c, bool v)
{
    const char item = v ? 1 : 0;

    put_item(c, TYPE_BOOL, &item, sizeof(item));
}

void pg_arg_column(struct pg_args *a, struct pg_column *c)
{
    /* Dimensions, whether there are nulls, type, length, first index. */
    const uint32_t header[HEADER] = {htonl(1), htonl(1), htonl(c->type),
                                     htonl((uint32_t)c->n), htonl(1)};

    if (c->n == 0) {
        pg_arg_text(a, "{}");
        return;
    }
    memcpy(c->data.data, header, sizeof(header));
    pg_arg_bytes(a, c->data.data, c->data.len);
}

void pg_columns_free(struct pg_column *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_free(&c[i].data);
        c[i] = (struct pg_column){0};
    }
}
