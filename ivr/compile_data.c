/* Properties of data nodes, what a collect hears, what a hangup tells programs. */
#include <string.h>

#include "ivr/compile.h"

enum { PIPELINE_COMMAND = 2 }; /* in words_pipeline */

/* ---- phrases ---- */

const char *want_patterns(struct compiler *c, const json_t *j)
{
    struct growing g = {.arena = c->arena};
    bool is_list = json_is_array(j);
    size_t n = is_list ? json_array_size(j) : 1;

    if (n == 0)
        complain(c, "e.g. [\"baggage\", \"lost bag*\"]", "there is no phrase");
    for (size_t i = 0; i < n; i++) {
        size_t was = is_list ? path_in_index(c, i) : c->pointer_len;
        const char *text = want_text(c, is_list ? json_array_get(j, i) : j);
        if (text && !text[strspn(text, " ,*-")])
            complain(c, "", "a phrase has words");
        else if (text)
            growing_printf(&g, "%s%s", i > 0 ? "," : "", text);
        path_out(c, was);
        if (!text)
            return NULL;
    }
    const char *all = growing_text(&g);
    if (!all)
        keep(c, SIZE_MAX);
    return all;
}

static bool read_hearing(struct compiler *c, const char *exit, const json_t *value,
                         void *place)
{
    static const char *const own[] = {"any", "invalid", "no_input"};
    struct hearing *h = place;
    bool taken = !*exit;

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        taken = taken || strcmp(own[i], exit) == 0;
    const char *patterns = want_patterns(c, value);
    if (taken)
        complain(c, "keys, or a name of your own", "words cannot lead to '%s'", exit);
    if (taken || !patterns)
        return false;
    *h = (struct hearing){keep_text(c, exit), patterns};
    return true;
}

void own_words(struct compiler *c, const json_t *j, struct node *n)
{
    n->hearings =
        want_members(c, j, sizeof(*n->hearings), read_hearing, &n->hearing_count);
}

/* ---- tables ---- */

static bool is_word_of(const char *const *words, const char *text)
{
    for (size_t i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return true;
    return false;
}

/* {"column": value or {word: value}}; the hint names the words. */
static void read_columns(struct compiler *c, const json_t *j, const char *const *words,
                         const char *hint, struct template_ *out)
{
    const char *column = NULL;
    json_t *value = NULL;
    bool good = want_object(c, j);

    json_object_foreach(loose(good ? j : NULL), column, value)
    {
        size_t was = path_in(c, column);
        const char *word =
            json_is_object(value) ? json_object_iter_key(json_object_iter(value)) : NULL;
        const json_t *inner = word ? json_object_get(value, word) : value;
        if (!expr_is_name(column)) {
            complain(c, "up to 31 letters a-z, digits and _, a letter first",
                     "'%s' cannot be a column's name", column);
            good = false;
        } else if ((json_is_object(value) &&
                    (json_object_size(value) != 1 || !is_word_of(words, word))) ||
                   json_is_object(inner) || json_is_array(inner)) {
            complain(c, hint, "a value, or one word with its value, is needed here");
            good = false;
        }
        path_out(c, was);
    }
    if (good)
        want_json_template(c, j, out);
}

void own_where(struct compiler *c, const json_t *j, struct node *n)
{
    static const char *const words[] = {"not",      "more",    "less",
                                        "at_least", "at_most", NULL};

    read_columns(c, j, words, "known: not, more, less, at_least, at_most", &n->where);
}

void own_change(struct compiler *c, const json_t *j, struct node *n)
{
    static const char *const words[] = {"add", NULL};

    read_columns(c, j, words, "e.g. {\"seats\": {\"add\": -1}}", &n->change);
}

static bool read_column(struct compiler *c, const char *name, const json_t *value,
                        void *place)
{
    struct extract *e = place;
    const char *column = want_text(c, value);
    const char **path = keep(c, 2 * sizeof(*path));
    bool good = false;

    if (!expr_is_name(name))
        complain(c, "", "'%s' cannot be a variable's name", name);
    else if (column && !expr_is_name(column))
        complain(c, "", "'%s' cannot be a column's name", column);
    else
        good = column && path;
    if (good) {
        path[0] = keep_text(c, column);
        *e = (struct extract){keep_text(c, name), path};
    }
    var_is_set(c, name);
    return good;
}

void own_columns(struct compiler *c, const json_t *j, struct node *n)
{
    n->extracts =
        want_members(c, j, sizeof(*n->extracts), read_column, &n->extract_count);
}

void own_mock_row(struct compiler *c, const json_t *j, struct node *n)
{
    const struct ivr_value v = {.type = IVR_JSON, .json = j};

    if (!want_object(c, j))
        return;
    n->mock_body = value_to_text(&v, c->arena);
    if (!n->mock_body)
        keep(c, SIZE_MAX);
}

void check_data(struct compiler *c, const json_t *j, struct node *n)
{
    bool where = json_object_size(json_object_get(j, "where")) > 0;
    bool set = json_object_size(json_object_get(j, "set")) > 0;

    if (!expr_is_name(n->table) && *n->table)
        complain_key(c, "table", "up to 31 letters a-z, digits and _, a letter first",
                     "'%s' cannot be a table's name", n->table);
    if ((n->op == IVR_DATA_INSERT || n->op == IVR_DATA_UPDATE) != set)
        complain(c, "",
                 set ? "only insert and update take \"set\""
                     : "insert and update need \"set\"");
    if ((n->op == IVR_DATA_UPDATE || n->op == IVR_DATA_DELETE) && !where)
        complain(c, "so that it is never all of the table by mistake",
                 "update and delete need \"where\"");
    if (n->op == IVR_DATA_INSERT && where)
        complain(c, "", "an insert has no \"where\"");
}

/* ---- what a program is told with the end ---- */

void own_details(struct compiler *c, const json_t *j, struct node *n)
{
    if (!want_object(c, j))
        return;
    n->has_details = true;
    want_json_template(c, j, &n->details);
}

/* ---- submit ---- */

/* The names are those that a model is asked for: batches/understanding.h. */
void own_entities(struct compiler *c, const json_t *j, struct node *n)
{
    static const char *const known[] = {
        "quantity",    "unit",      "product",  "grade",   "origin",    "farmer",
        "destination", "condition", "batch_id", "process", "output_kg", "container"};
    const char *name = NULL;
    json_t *value = NULL;

    if (!want_object(c, j))
        return;
    json_object_foreach(loose(j), name, value)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found = found || strcmp(known[i], name) == 0;
        if (!found)
            complain_key(
                c, name,
                "known: quantity, unit, product, grade, origin, farmer, "
                "destination, condition, batch_id, process, output_kg, container",
                "a command has no '%s'", name);
    }
    want_json_template(c, j, &n->entities);
}

void check_submit(struct compiler *c, const json_t *j, struct node *n)
{
    if (n->has_recording == (n->intent > 0))
        complain(c, "a recording that was made, or what was keyed in",
                 "a submit has either \"recording\" or \"intent\"");
    if (n->has_recording && json_object_get(j, "entities"))
        complain(c, "", "what a recording says is found by the jobs: no \"entities\"");
    if (n->has_recording && !json_object_get(j, "pipeline"))
        n->pipeline = PIPELINE_COMMAND;
    if (n->has_recording && n->pipeline == 0)
        complain(c, "transcribe, command, callback",
                 "no pipeline is nothing to submit to");
}
