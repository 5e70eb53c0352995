/*
 * doc_reader - reads JSON objects by tables of fields and says everything that
 * is wrong: pointer, line, column, what, and a hint. Used by the campaign
 * document; knows nothing about campaigns itself. Pure.
 */
#ifndef CAMPAIGNS_DOC_READER_H
#define CAMPAIGNS_DOC_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/json_position.h"
#include "campaigns/campaign.h"

enum { DOC_POINTER_MAX = sizeof(((struct campaign_issue *)0)->pointer) };

struct doc_reader {
    const char *text; /* what the author wrote, for positions */
    size_t len;
    struct campaign_issues *issues;
};

enum doc_kind {
    DOC_TEXT,    /* char array */
    DOC_INT,     /* int */
    DOC_INT64,   /* int64_t */
    DOC_NUMBER,  /* double */
    DOC_BOOL,    /* bool */
    DOC_INSTANT, /* RFC 3339 text to int64_t epoch ms */
    DOC_CHOICE,  /* one of words, to int: its index */
    DOC_PART,    /* read() does it */
};

/* owner: the struct that the table's offsets are into. */
typedef void(doc_part_fn)(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner);

struct doc_field {
    const char *key;
    enum doc_kind kind;
    bool required;
    size_t offset, size;      /* size: of a char array */
    double min, max;          /* numbers */
    const char *const *words; /* CHOICE, NULL-terminated */
    doc_part_fn *read;        /* PART */
    const char *hint;         /* shown when the value is wrong or missing */
};

/* Fields that are absent keep what out holds. An unknown key is an issue. */
void doc_read_object(struct doc_reader *r, json_t *value, const char *pointer,
                     const struct doc_field *fields, size_t n, void *out);

void doc_issue(struct doc_reader *r, const char *pointer, enum json_place place,
               const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* "text", "an integer", "an object", … */
const char *doc_type_name(const json_t *value);

/* The word nearest to what was written, or NULL when none is near. */
const char *doc_nearest(const char *written, const char *const *words, size_t n);

#endif
