#include "contacts/columns.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/phone.h"

enum { NAME_LIMIT = 200, LISTED = 12 };

/* Headers that mean the number, in order of preference, as keys. */
static const char *const phone_keys[] = {
    "phone",      "phone_number",  "phonenumber",    "phone_no",  "msisdn",
    "mobile",     "mobile_number", "mobile_phone",   "mobile_no", "cell",
    "cell_phone", "cellphone",     "cell_number",    "telephone", "telephone_number",
    "tel",        "tel_no",        "contact_number", "number",    "whatsapp",
    "ስልክ",        "ስልክ_ቁጥር",       "bilbila",        "simu",      "telefono",
    "teléfono",   "telefon",       "téléphone",      "هاتف",      "phone1",
    "phone_1",
};

/* Letters beyond ASCII stay as they are. */
char *column_key(const char *name)
{
    char *key = xcalloc(1, strlen(name) + 1), *p = key;

    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;

        if (isalnum(c) || c >= 0x80)
            *p++ = (char)tolower(c);
        else if (p > key && p[-1] != '_')
            *p++ = '_';
    }
    while (p > key && p[-1] == '_')
        *--p = '\0';
    return key;
}

static char *json_of(const char *key)
{
    /* A key has no quote, backslash or control character left. */
    return xasprintf("\"%s\":", key);
}

/* Two columns of one name: the second is name_2. */
static void make_unique(struct columns *c, size_t i)
{
    char *base = xstrdup(c->at[i].key);

    for (int copy = 2;; copy++) {
        size_t k = 0;

        while (k < i && strcmp(c->at[k].key, c->at[i].key) != 0)
            k++;
        if (k == i)
            break;
        free(c->at[i].key);
        c->at[i].key = xasprintf("%s_%d", base, copy);
    }
    free(base);
}

static void add_columns(struct columns *c, const struct csv_record *first)
{
    c->n = first->n;
    c->at = xcalloc(first->n ? first->n : 1, sizeof(*c->at));
    for (size_t i = 0; i < c->n; i++) {
        struct column *column = &c->at[i];
        char *copy = xstrdup(first->cells[i].text);
        char *name = str_trim(copy);

        column->name =
            c->has_header && *name ? xstrdup(name) : xasprintf("column %zu", i + 1);
        free(copy);
        column->key = column_key(column->name);
        if (!*column->key) {
            free(column->key);
            column->key = xasprintf("column_%zu", i + 1);
        }
        make_unique(c, i);
    }
}

static int no_column(const struct columns *c, const char *wanted, struct errtext *e)
{
    CLEANUP(buf_free) struct buf names = {0};

    for (size_t i = 0; i < c->n && i < LISTED; i++)
        buf_printf(&names, "%s%.40s", i ? ", " : "", c->at[i].name);
    if (c->n > LISTED)
        buf_puts(&names, ", …");
    if (wanted)
        return errtext_set(e, EINVAL, 1, 0, "no column '%.40s'; the file has: %s", wanted,
                           names.data);
    return errtext_set(e, EINVAL, 1, 0,
                       "line 1 has no phone column (it has: %.200s); name it with --map "
                       "phone=COLUMN",
                       names.data ? names.data : "");
}

static bool find_column(const struct columns *c, const char *wanted, size_t *out)
{
    int64_t number = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (strcasecmp(c->at[i].name, wanted) == 0 || strcmp(c->at[i].key, wanted) == 0) {
            *out = i;
            return true;
        }
    }
    if (!str_to_i64(wanted, &number) || number < 1 || (size_t)number > c->n)
        return false;
    *out = (size_t)number - 1;
    return true;
}

/* "phone" and "phone1" are 0, "phone2" 1 …; COLUMN_NONE for any other key. */
static size_t phone_rank(const char *key)
{
    if (strncmp(key, "phone", 5) != 0)
        return COLUMN_NONE;
    if (!key[5])
        return 0;
    return key[5] >= '1' && key[5] <= '9' && !key[6] ? (size_t)(key[5] - '1')
                                                     : COLUMN_NONE;
}

/* Ranks that were left out are closed up. */
static void close_ranks(struct columns *c, const size_t ranks[PHONE_COLUMNS_MAX])
{
    for (size_t k = 0; k < PHONE_COLUMNS_MAX; k++)
        if (ranks[k] != COLUMN_NONE && !columns_is_phone(c, ranks[k]))
            c->phones[c->phone_count++] = ranks[k];
}

static int apply_maps(struct columns *c, const struct column_map *maps, size_t n,
                      struct errtext *e)
{
    size_t ranks[PHONE_COLUMNS_MAX];

    for (size_t k = 0; k < PHONE_COLUMNS_MAX; k++)
        ranks[k] = COLUMN_NONE;
    for (size_t m = 0; m < n; m++) {
        size_t i = 0, rank = phone_rank(maps[m].key);

        if (!find_column(c, maps[m].column, &i))
            return no_column(c, maps[m].column, e);
        if (rank != COLUMN_NONE) {
            ranks[rank] = i;
            continue;
        }
        if (strcmp(maps[m].key, COLUMN_PERSON) == 0) {
            c->person = i;
            continue;
        }
        free(c->at[i].key);
        c->at[i].key = column_key(maps[m].key);
        if (!*c->at[i].key)
            return errtext_set(e, EINVAL, 0, 0,
                               "--map %s=%s: no name before the =", maps[m].key,
                               maps[m].column);
    }
    close_ranks(c, ranks);
    return 0;
}

static bool find_phone(struct columns *c)
{
    for (size_t k = 0; k < ARRAY_LEN(phone_keys); k++) {
        for (size_t i = 0; i < c->n; i++) {
            if (strcmp(c->at[i].key, phone_keys[k]) == 0) {
                c->phones[c->phone_count++] = i;
                return true;
            }
        }
    }
    return false;
}

bool columns_is_phone(const struct columns *c, size_t i)
{
    size_t k = 0;

    while (k < c->phone_count && c->phones[k] != i)
        k++;
    return k < c->phone_count;
}

static bool comes_before(const struct column *a, const struct column *b)
{
    size_t m = strlen(a->key), n = strlen(b->key);

    return m != n ? m < n : strcmp(a->key, b->key) < 0;
}

static void make_order(struct columns *c)
{
    c->order = xcalloc(c->n + 1, sizeof(*c->order));
    for (size_t i = 0; i < c->n; i++) {
        size_t k = c->order_count;

        if (columns_is_phone(c, i))
            continue;
        for (; k > 0 && comes_before(&c->at[i], &c->at[c->order[k - 1]]); k--)
            c->order[k] = c->order[k - 1];
        c->order[k] = i;
        c->order_count++;
    }
}

/* The first cell that is a valid number; n when none is. */
static size_t first_number(const struct csv_record *first, const char *region)
{
    size_t i = 0;
    struct phone phone;

    while (i < first->n && phone_parse(first->cells[i].text, first->cells[i].len, region,
                                       &phone) != PHONE_VALID)
        i++;
    return i;
}

static int check_header(const struct csv_record *first, struct errtext *e)
{
    static const char *const faults[] = {
        [RECORD_SOUND] = NULL,
        [RECORD_CELL_TOO_LONG] = "a cell of over 64 KiB",
        [RECORD_ROW_TOO_LONG] = "over 256 KiB",
        [RECORD_TOO_MANY_CELLS] = "over 1000 columns",
        [RECORD_STRAY_QUOTE] = "text after a closing quote",
    };

    if (faults[first->fault])
        return errtext_set(e, EBADMSG, (int)first->line, 0,
                           "the first row (line %" PRId64 ") has %s: this is no list of "
                           "contacts",
                           first->line, faults[first->fault]);
    for (size_t i = 0; i < first->n; i++)
        if (!str_is_utf8(first->cells[i].text, first->cells[i].len))
            return errtext_set(e, EBADMSG, (int)first->line, (int)i + 1,
                               "column %zu of line %" PRId64 " is not UTF-8; save the "
                               "file as CSV UTF-8, or say --encoding windows-1252",
                               i + 1, first->line);
    return 0;
}

int columns_new(struct columns **out, const struct csv_record *first, const char *region,
                const struct column_map *maps, size_t map_count, struct errtext *e)
{
    int err = check_header(first, e);

    if (err)
        return err;
    struct columns *c = xcalloc(1, sizeof(*c));
    size_t number = first_number(first, region);
    bool found = number < first->n;
    c->has_header = !found;
    c->person = COLUMN_NONE;
    add_columns(c, first);
    err = apply_maps(c, maps, map_count, e);
    if (!err && !c->phone_count && found)
        c->phones[c->phone_count++] = number;
    if (!err && !c->phone_count && !find_phone(c))
        err = no_column(c, NULL, e);
    if (err) {
        columns_free(c);
        return err;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (strlen(c->at[i].key) > NAME_LIMIT)
            c->at[i].key[NAME_LIMIT] = '\0';
        make_unique(c, i);
        c->at[i].json = json_of(c->at[i].key);
        c->at[i].json_len = strlen(c->at[i].json);
    }
    c->phone = c->phones[0];
    make_order(c);
    *out = c;
    return 0;
}

void columns_free(struct columns *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        free(c->at[i].name);
        free(c->at[i].key);
        free(c->at[i].json);
    }
    free(c->at);
    free(c->order);
    free(c);
}

json_t *columns_json(const struct columns *columns)
{
    json_t *map = json_object();

    for (size_t i = 0; i < columns->n; i++)
        if (!columns_is_phone(columns, i))
            json_object_set_new(map, columns->at[i].key,
                                json_string(columns->at[i].name));
    for (size_t k = 0; k < columns->phone_count; k++) {
        const char key[] = {'p', 'h', 'o', 'n', 'e', (char)(k ? '1' + k : '\0'), '\0'};

        json_object_set_new(map, key, json_string(columns->at[columns->phones[k]].name));
    }
    return map;
}
