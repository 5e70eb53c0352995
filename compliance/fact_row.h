/*
 * fact_row - one row of a file of compliance facts: what a service answered about a
 * number (wash, line type, reassigned or not), where its owner lives, what was agreed to.
 * Finds the columns by their names and reads the words people write. Pure.
 */
#ifndef COMPLIANCE_FACT_ROW_H
#define COMPLIANCE_FACT_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "compliance/check.h"
#include "contacts/csv_reader.h"

enum fact_kind {
    FACT_WASH,
    FACT_LINE_TYPE,
    FACT_REASSIGNED,
    FACT_PLACE,
    FACT_CONSENT,
    FACT_KINDS,
};

enum fact_field {
    FIELD_PHONE,
    FIELD_LIST,
    FIELD_HIT,
    FIELD_LINE,
    FIELD_ANSWER,
    FIELD_REGION,
    FIELD_ZONES,
    FIELD_CONFIRMED,
    FIELD_CHECKED_AT, /* of a place: when it was said */
    FIELD_EXPIRES_AT,
    FIELD_LEVEL,
    FIELD_GIVEN_AT,
    FIELD_SELLER,
    FIELD_PURPOSE,
    FIELD_EVIDENCE,
    FIELD_REVOKED_AT,
    FACT_FIELDS,
};

struct fact_row {
    int64_t phone;
    char list[48];
    bool hit;
    enum line_class_fact line;
    enum rnd_answer answer;
    char region[8];
    char zones[256]; /* names with one space between them */
    bool confirmed;
    int64_t checked_at_ms, expires_at_ms;
    enum consent_level level; /* none: a revocation alone */
    int64_t given_at_ms, revoked_at_ms;
    char seller[32], purpose[32], evidence[512];
};

/* What holds for every row whose cell is empty or missing. */
struct fact_defaults {
    const char *region;                             /* of numbers without +; NULL none */
    const char *list, *seller, *evidence, *purpose; /* NULL none */
    enum consent_level level;
    int64_t checked_at_ms, given_at_ms; /* 0 none */
    int64_t valid_days;                 /* of a wash's answer; 0 none */
    int64_t now_ms;
};

struct fact_columns {
    int at[FACT_FIELDS]; /* index in a record; -1 there is none */
};

/* Why a row was not taken. Static texts. */
struct fact_reject {
    enum fact_field field;
    const char *reason, *hint; /* "no_date", a sentence */
};

const char *fact_kind_name(enum fact_kind kind);
NODISCARD bool fact_kind_parse(const char *name, enum fact_kind *out);
const char *fact_field_name(enum fact_field field); /* as a header says it */
/* The columns of a kind, those that must be there first: "phone, hit, [list], …". */
void fact_columns_text(enum fact_kind kind, char *out, size_t size);

/* EINVAL: the header lacks a column that nothing stands in for; e names it and those that
 * are known. */
NODISCARD int fact_columns_find(enum fact_kind kind, const struct csv_record *header,
                                const struct fact_defaults *defaults,
                                struct fact_columns *out, struct errtext *e);
/* False: *why says why not. */
NODISCARD bool fact_row_read(enum fact_kind kind, const struct fact_columns *columns,
                             const struct csv_record *record,
                             const struct fact_defaults *defaults, struct fact_row *out,
                             struct fact_reject *why);

/* "2026-11-24T08:00:00Z", or a date, which is its first instant in UTC. */
NODISCARD bool fact_time_parse(const char *text, int64_t *out_ms);
/* "US", "US-CA". */
NODISCARD bool fact_region_is_known(const char *text);

#endif
