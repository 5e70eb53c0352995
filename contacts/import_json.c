/*
 * import_json - JSON Lines for the import: each object is laid out as the cells of a
 * row, so that everything behind it is the same as for CSV. The first object says what
 * the columns are; members that only later ones have are kept beside the cells.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/import_parse.h"

/* A member's value as a person would write it in a cell; the caller's to free(). */
static char *cell_of(const json_t *value)
{
    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    if (json_is_true(value) || json_is_false(value))
        return xstrdup(json_is_true(value) ? "true" : "false");
    if (!value || json_is_null(value))
        return xstrdup("");
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    return text ? text : xstrdup("");
}

static const json_t *member(const json_t *object, const struct column *column)
{
    return json_object_get(object, column->name);
}

static bool is_column(const struct columns *columns, const char *name)
{
    size_t i = 0;

    while (i < columns->n && strcmp(columns->at[i].name, name) != 0)
        i++;
    return i < columns->n;
}

static void add_extra(struct import_block *b, struct block_record *r, const char *name,
                      const json_t *value)
{
    CLEANUP(free_cleanup) char *key = column_key(name), *cell = cell_of(value);

    if (!*key)
        return;
    if (r->extra_len)
        buf_add(&b->extras, ",", 1);
    block_put_json_text(&b->extras, key, strlen(key));
    buf_add(&b->extras, ":", 1);
    block_put_json_text(&b->extras, cell, strlen(cell));
    r->extra_len = b->extras.len - r->extra;
}

static void lay_out(struct import_block *b, const struct columns *columns,
                    struct block_record *r, json_t *object)
{
    const char *name = NULL;
    json_t *value = NULL;

    r->first_cell = b->cell_count;
    r->n = columns->n;
    for (size_t i = 0; i < columns->n; i++) {
        CLEANUP(free_cleanup) char *cell = cell_of(member(object, &columns->at[i]));

        block_put_cell(b, cell, strlen(cell));
    }
    r->extra = b->extras.len;
    json_object_foreach(object, name, value) if (!is_column(columns, name))
        add_extra(b, r, name, value);
}

void block_read_json(struct import_block *b, const struct columns *columns)
{
    for (size_t i = 0; i < b->n; i++) {
        struct block_record *r = &b->records[i];

        if (r->fault != RECORD_SOUND)
            continue;
        const struct block_cell *cell = &b->cells[r->first_cell];
        json_auto_t *object =
            json_loadb(b->text.data + cell->at, cell->len, JSON_REJECT_DUPLICATES, NULL);
        if (json_is_object(object))
            lay_out(b, columns, r, object);
        else
            r->bad_json = true;
    }
}

int json_columns_new(struct columns **out, const struct csv_record *first,
                     const char *region, const struct column_map *maps, size_t map_count,
                     struct errtext *e)
{
    struct csv_record header = {.line = first->line};
    const char *name = NULL;
    json_t *value = NULL;
    json_error_t why;

    json_auto_t *object = json_loadb(first->cells[0].text, first->cells[0].len,
                                     JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(object))
        return errtext_set(e, EBADMSG, (int)first->line, 0,
                           "line %d is no JSON object%s%.100s; write one object a line, "
                           "e.g. {\"phone\": \"+251911234567\"}",
                           (int)first->line, object ? "" : ": ", object ? "" : why.text);
    CLEANUP(free_cleanup)
    struct csv_cell *cells = xcalloc(json_object_size(object) + 1, sizeof(*cells));
    json_object_foreach(object, name, value) cells[header.n++] =
        (struct csv_cell){name, strlen(name)};
    header.cells = cells;
    if (header.n > RECORD_CELLS_LIMIT)
        return errtext_set(e, EBADMSG, (int)first->line, 0,
                           "the first object has over %d members", RECORD_CELLS_LIMIT);
    return columns_new(out, &header, region, maps, map_count, e);
}
