#include "campaigns/table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/str.h"
#include "base/xalloc.h"

static const char *const types[] = {"text", "int", "number", "bool", "secret"};

const char *table_type_name(enum table_type type)
{
    return types[type];
}

/* ---- definitions ---- */

bool table_name_is_good(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < TABLE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static bool find_type(const char *name, enum table_type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i], name) == 0) {
            *out = (enum table_type)i;
            return true;
        }
    }
    return false;
}

const struct table_column *table_find(const struct table_def *def, const char *name)
{
    for (size_t i = 0; i < def->n; i++)
        if (strcmp(def->columns[i].name, name) == 0)
            return &def->columns[i];
    return NULL;
}

int table_def_add(struct table_def *def, const char *heading, struct errtext *e)
{
    struct table_column c = {.type = TABLE_TEXT};
    const char *colon = strchr(heading, ':');
    char name[2 * TABLE_NAME_MAX];
    bool key = colon && strcmp(colon + 1, "key") == 0;

    if (def->n == 0)
        def->key = -1;
    str_cut(name, sizeof(name), heading);
    name[strcspn(name, ":")] = '\0';
    if (!table_name_is_good(name) || str_copy(c.name, sizeof(c.name), name))
        return errtext_set(e, EINVAL, 0, 0,
                           "'%.60s' cannot be a column's name: up to 31 letters a-z, "
                           "digits and _, a letter first",
                           name);
    if (colon && !key && !find_type(colon + 1, &c.type))
        return errtext_set(e, EINVAL, 0, 0,
                           "column '%s': there is no type '%.40s'; known: text, int, "
                           "number, bool, secret, and key for the one that tells rows "
                           "apart",
                           c.name, colon + 1);
    if (table_find(def, c.name))
        return errtext_set(e, EINVAL, 0, 0, "two columns are called '%s'", c.name);
    if (key && def->key >= 0)
        return errtext_set(e, EINVAL, 0, 0, "two columns are the key: '%s' and '%s'",
                           def->columns[def->key].name, c.name);
    if (def->n == TABLE_COLUMNS_MAX)
        return errtext_set(e, EINVAL, 0, 0, "a table has up to %d columns",
                           TABLE_COLUMNS_MAX);
    if (key)
        def->key = (int)def->n;
    def->columns[def->n++] = c;
    return 0;
}

json_t *table_def_json(const struct table_def *def)
{
    json_t *list = json_array();

    for (size_t i = 0; i < def->n; i++) {
        json_t *c = json_pack("{s:s, s:s}", "name", def->columns[i].name, "type",
                              types[def->columns[i].type]);
        if (def->key == (int)i)
            json_object_set_new(c, "key", json_true());
        json_array_append_new(list, c);
    }
    return list;
}

int table_def_read(struct table_def *out, const json_t *columns)
{
    *out = (struct table_def){.key = -1};
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const json_t *c = json_array_get(columns, i);
        const char *name = json_string_value(json_object_get(c, "name"));
        const char *type = json_string_value(json_object_get(c, "type"));
        struct table_column *to = &out->columns[out->n];
        if (!name || !type || out->n == TABLE_COLUMNS_MAX ||
            str_copy(to->name, sizeof(to->name), name) || !find_type(type, &to->type))
            return EBADMSG;
        if (json_is_true(json_object_get(c, "key")))
            out->key = (int)out->n;
        out->n++;
    }
    return 0;
}

/* ---- cells ---- */

static json_t *cell_of_text(enum table_type type, const char *text)
{
    int64_t i;
    char *end;
    double real;

    switch (type) {
    case TABLE_INT:
        return str_to_i64(text, &i) ? json_integer(i) : NULL;
    case TABLE_NUMBER:
        if (str_to_i64(text, &i))
            return json_integer(i);
        real = strtod(text, &end);
        return *text && !*end && isfinite(real) ? json_real(real) : NULL;
    case TABLE_BOOL:
        if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0)
            return json_true();
        return strcmp(text, "false") == 0 || strcmp(text, "no") == 0 ? json_false()
                                                                     : NULL;
    case TABLE_TEXT:
    case TABLE_SECRET:
        break;
    }
    return strlen(text) <= TABLE_CELL_MAX ? json_string(text) : NULL;
}

/* A value of a flow as the column holds it; NULL: it is of another type. Digits are text
 * in a flow, and numbers where the column has numbers. */
static json_t *cell_of_value(enum table_type type, const json_t *v)
{
    char text[40];

    if (json_is_null(v))
        return json_null();
    if (json_is_string(v))
        return cell_of_text(type, json_string_value(v));
    if (type == TABLE_BOOL)
        return json_is_boolean(v) ? json_incref((json_t *)(uintptr_t)v) : NULL;
    if (type == TABLE_INT)
        return json_is_integer(v) ? json_integer(json_integer_value(v)) : NULL;
    if (type == TABLE_NUMBER)
        return json_is_number(v) ? json_deep_copy(v) : NULL;
    if (!json_is_integer(v))
        return NULL;
    snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
    return json_string(text);
}

/* ---- files ---- */

static const char *what_is_wanted(enum table_type type)
{
    switch (type) {
    case TABLE_INT:
        return "a whole number";
    case TABLE_BOOL:
        return "true or false";
    case TABLE_NUMBER:
        return "a number";
    case TABLE_TEXT:
    case TABLE_SECRET:
        break;
    }
    return "a text of up to 2000 bytes of UTF-8";
}

/* NULL: it cannot be one. */
static json_t *read_cell(const struct table_column *c, const char *text, size_t len)
{
    if (!str_is_utf8(text, len))
        return NULL;
    return !*text && c->type != TABLE_TEXT ? json_null() : cell_of_text(c->type, text);
}

static int read_record(const struct table_def *def, const struct csv_record *r,
                       json_t *rows, struct errtext *e)
{
    json_t *row = json_object();

    json_array_append_new(rows, row);
    if (r->fault != RECORD_SOUND || r->n != def->n)
        return errtext_set(e, EBADMSG, (int)r->line, 0, "line %d: %zu cells, not %zu",
                           (int)r->line, r->n, def->n);
    for (size_t i = 0; i < def->n; i++) {
        const struct table_column *c = &def->columns[i];
        const char *text = r->cells[i].text;
        bool no_key = (int)i == def->key && !*text;
        json_t *cell = read_cell(c, text, r->cells[i].len);
        if (!cell || no_key) {
            const char *wanted = cell ? "a key" : what_is_wanted(c->type);
            json_decref(cell);
            return errtext_set(e, EBADMSG, (int)r->line, (int)i + 1,
                               "line %d, column '%s': '%.40s' is not %s", (int)r->line,
                               c->name, c->type == TABLE_SECRET ? "…" : text, wanted);
        }
        json_object_set_new(row, c->name, cell);
    }
    return 0;
}

static int read_headings(struct table_def *def, const struct csv_record *r,
                         struct errtext *e)
{
    int err = 0;

    *def = (struct table_def){.key = -1};
    for (size_t i = 0; !err && i < r->n; i++)
        err = table_def_add(def, r->cells[i].text, e);
    return err;
}

int table_file_read(csv_read_fn *read, void *arg, struct table_def *def, json_t **rows,
                    struct errtext *e)
{
    const struct csv_options options = {0};
    struct csv_reader *csv = NULL;
    struct csv_record r;
    json_t *list = json_array();

    int err = csv_reader_new(&csv, read, arg, &options, e);
    if (!err)
        err = csv_reader_next(csv, &r, e);
    if (!err)
        err = read_headings(def, &r, e);
    while (!err && !(err = csv_reader_next(csv, &r, e))) {
        if (json_array_size(list) == TABLE_ROWS_MAX)
            err = errtext_set(e, EMSGSIZE, 0, 0, "a table has up to %d rows",
                              TABLE_ROWS_MAX);
        else if (r.n > 1 || (r.n == 1 && *r.cells[0].text))
            err = read_record(def, &r, list, e);
    }
    csv_reader_free(csv);
    if (err == ENODATA && def->n > 0)
        err = 0;
    if (err)
        json_decref(list);
    else
        *rows = list;
    return err;
}

/* ---- requests ---- */

static int unfit(struct errtext *e, const struct table_column *c)
{
    return errtext_set(e, EINVAL, 0, 0, "column '%s': not a value of type %s", c->name,
                       types[c->type]);
}

static int read_where(struct table_request *out, const struct table_column *c,
                      const json_t *value, struct errtext *e)
{
    const char *test =
        json_is_object(value)
            ? json_object_iter_key(json_object_iter((json_t *)(uintptr_t)value))
            : NULL;
    json_t *cell = cell_of_value(c->type, test ? json_object_get(value, test) : value);

    if (!cell || (c->type == TABLE_SECRET && (test || !json_is_string(cell)))) {
        json_decref(cell);
        return unfit(e, c);
    }
    if (c->type == TABLE_SECRET) {
        out->secret = c;
        str_cut(out->guess, sizeof(out->guess), json_string_value(cell));
        json_decref(cell);
    } else if (test) {
        json_object_set_new(out->tests, c->name, json_pack("{s:o}", test, cell));
    } else {
        json_object_set_new(out->equal, c->name, cell);
    }
    return 0;
}

static int read_change(struct table_request *out, const struct table_def *def,
                       const struct table_column *c, const json_t *value,
                       struct errtext *e)
{
    const json_t *more = json_object_get(value, "add");
    json_t *cell = cell_of_value(c->type, more ? more : value);

    if (!cell || (more && (!json_is_number(cell) || out->op != IVR_DATA_UPDATE))) {
        json_decref(cell);
        return unfit(e, c);
    }
    if (out->op == IVR_DATA_UPDATE && def->key >= 0 && c == &def->columns[def->key]) {
        json_decref(cell);
        return errtext_set(e, EINVAL, 0, 0, "column '%s' is the key: it stays as it is",
                           c->name);
    }
    json_object_set_new(out->change, c->name,
                        more ? json_pack("{s:o}", "add", cell) : cell);
    return 0;
}

static int each(struct table_request *out, const struct table_def *def, const char *text,
                bool change, struct errtext *e)
{
    json_t *given = json_loads(text, 0, NULL), *value = NULL;
    const char *name = NULL;
    int err = json_is_object(given) ? 0 : errtext_set(e, EINVAL, 0, 0, "no conditions");

    json_object_foreach(given, name, value)
    {
        const struct table_column *c = table_find(def, name);
        if (!c)
            err = errtext_set(e, EINVAL, 0, 0, "there is no column '%.40s'", name);
        else if (change)
            err = read_change(out, def, c, value, e);
        else
            err = read_where(out, c, value, e);
        if (err)
            break;
    }
    json_decref(given);
    return err;
}

int table_request_read(struct table_request *out, const struct table_def *def,
                       const struct ivr_data *d, struct errtext *e)
{
    *out = (struct table_request){.op = d->op,
                                  .equal = json_object(),
                                  .tests = json_object(),
                                  .change = json_object()};
    int err = each(out, def, d->where, false, e);
    return err ? err : each(out, def, d->change, true, e);
}

void table_request_free(struct table_request *r)
{
    json_decref(r->equal);
    json_decref(r->tests);
    json_decref(r->change);
    sodium_memzero(r->guess, sizeof(r->guess));
    *r = (struct table_request){0};
}

/* ---- rows ---- */

/* 2: they cannot be compared. */
static int order(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) -
               (json_integer_value(a) < json_integer_value(b));
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return (x > y) - (x < y);
    }
    if (json_is_string(a) && json_is_string(b)) {
        int c = strcmp(json_string_value(a), json_string_value(b));
        return (c > 0) - (c < 0);
    }
    return json_equal(a, b) ? 0 : 2;
}

static bool holds(const char *test, const json_t *cell, const json_t *value)
{
    int o = order(cell, value);

    if (strcmp(test, "not") == 0)
        return o != 0;
    if (o == 2)
        return false;
    return (strcmp(test, "more") == 0 && o > 0) || (strcmp(test, "less") == 0 && o < 0) ||
           (strcmp(test, "at_least") == 0 && o >= 0) ||
           (strcmp(test, "at_most") == 0 && o <= 0);
}

bool table_row_fits(const struct table_request *r, const json_t *row)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach(r->equal, name, value)
    {
        const json_t *cell = json_object_get(row, name);
        if (order(cell ? cell : json_null(), value) != 0)
            return false;
    }
    json_object_foreach(r->tests, name, value)
    {
        const char *test = json_object_iter_key(json_object_iter(value));
        const json_t *cell = json_object_get(row, name);
        if (!holds(test, cell ? cell : json_null(), json_object_get(value, test)))
            return false;
    }
    return true;
}

static json_t *sum(const json_t *a, const json_t *b)
{
    int64_t i;

    if (json_is_integer(a) && json_is_integer(b))
        return __builtin_add_overflow((int64_t)json_integer_value(a),
                                      (int64_t)json_integer_value(b), &i)
                   ? NULL
                   : json_integer(i);
    double real = json_number_value(a) + json_number_value(b);
    return isfinite(real) ? json_real(real) : NULL;
}

static json_t *as_kept(const struct table_column *c, json_t *cell)
{
    char hash[TABLE_HASH_MAX];

    if (c->type != TABLE_SECRET || !json_is_string(cell))
        return json_incref(cell);
    table_secret_hash(json_string_value(cell), hash);
    return json_string(hash);
}

int table_row_change(const struct table_request *r, const struct table_def *def,
                     json_t *row)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach(r->change, name, value)
    {
        json_t *more = json_object_get(value, "add");
        json_t *now = more ? sum(json_object_get(row, name), more)
                           : as_kept(table_find(def, name), value);
        if (!now)
            return ERANGE;
        json_object_set_new(row, name, now);
    }
    return 0;
}

json_t *table_row_new(const struct table_request *r, const struct table_def *def)
{
    json_t *row = json_object();

    for (size_t i = 0; i < def->n; i++) {
        const struct table_column *c = &def->columns[i];
        json_t *value = json_object_get(r->change, c->name);
        json_object_set_new(row, c->name, value ? as_kept(c, value) : json_null());
    }
    return row;
}

char *table_row_key(const struct table_def *def, const json_t *row)
{
    const json_t *cell =
        def->key >= 0 ? json_object_get(row, def->columns[def->key].name) : NULL;

    return json_is_string(cell) ? xstrdup(json_string_value(cell)) : NULL;
}

char *table_row_shown(const struct table_def *def, const json_t *row)
{
    json_t *shown = json_copy((json_t *)(uintptr_t)row);

    for (size_t i = 0; i < def->n; i++)
        if (def->columns[i].type == TABLE_SECRET)
            json_object_del(shown, def->columns[i].name);
    char *text = json_dumps(shown, JSON_COMPACT);
    json_decref(shown);
    return text;
}

/* ---- secrets ---- */

enum { HASH_MEMORY = 19 * 1024 * 1024, HASH_PASSES = 2 };
_Static_assert(TABLE_HASH_MAX >= crypto_pwhash_STRBYTES, "a hash fits");

void table_secret_hash(const char *plain, char out[TABLE_HASH_MAX])
{
    /* Only memory can be lacking: then a hash that no guess is. */
    if (crypto_pwhash_str(out, plain, strlen(plain), HASH_PASSES, HASH_MEMORY))
        str_cut(out, TABLE_HASH_MAX, "none");
}

bool table_secret_is(const char *hash, const char *guess)
{
    return crypto_pwhash_str_verify(hash, guess, strlen(guess)) == 0;
}

/* ---- results ---- */

void table_result_free(struct table_result *r)
{
    free(r->row);
    r->row = NULL;
}

struct ivr_input table_result_input(const struct table_result *r, uint32_t token)
{
    struct ivr_input in = {.kind = IVR_IN_DATA_DONE, .token = token};

    in.data.result = r->result;
    in.data.row = r->row;
    in.data.row_len = r->row ? strlen(r->row) : 0;
    return in;
}
