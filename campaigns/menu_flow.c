#include "campaigns/menu_flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/str.h"

enum { TEXT_MAX = 3000, URL_MAX = 1000, RING_MIN_S = 5, RING_MAX_S = 120, RING_S = 30 };

static const char wrong[] = "Invalid input. Please try again.";
static const char thanks[] = "Thank you for calling.";
static const char no_number[] = "Transfer configuration error.";
static const char readback[] =
    "Your phone number is {phone_number}. Thank you for calling. Goodbye.";

/* ---- rows ---- */

static bool is_active(const json_t *row)
{
    return row && !json_is_false(json_object_get(row, "is_active"));
}

/* NULL: there is no such menu, or it is not active. */
static const json_t *find(const json_t *rows, const char *menu_id)
{
    size_t i;
    json_t *row;

    json_array_foreach((json_t *)(uintptr_t)rows, i,
                       row) if (str_is(json_text(row, "menu_id"), menu_id) &&
                                is_active(row)) return row;
    return NULL;
}

static bool is_action(const json_t *row, const char *type)
{
    return str_is(json_text(row, "action_type"), type);
}

static bool has_choices(const json_t *rows, const json_t *row)
{
    const char *digits;
    json_t *to;

    if (!is_action(row, "menu"))
        return false;
    json_object_foreach((json_t *)json_object_get(row, "digit_actions"), digits,
                        to) if (find(rows, json_string_value(to))) return true;
    return false;
}

/* A read-back is only heard: the call does not stand there. */
static const char *prefix_of(const json_t *row)
{
    return is_action(row, "phone_readback") ? "r" : "m";
}

static const json_t *entry_of(const json_t *rows)
{
    const json_t *best = find(rows, "main_menu");
    size_t i;
    json_t *row;

    if (best && has_choices(rows, best))
        return best;
    best = NULL;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        int64_t at = json_integer_value(json_object_get(row, "priority"));
        if (is_active(row) && has_choices(rows, row) &&
            !json_text(row, "parent_menu_id")[0] &&
            (!best || at < json_integer_value(json_object_get(best, "priority"))))
            best = row;
    }
    return best;
}

/* ---- samples, and what may be stored ---- */

static json_t *sample(const char *id, const char *title, const char *message,
                      const char *action, int priority)
{
    return json_pack("{s:s, s:s?, s:s, s:s, s:s, s:s, s:i}", "menu_id", id,
                     "parent_menu_id", str_is(id, "main_menu") ? NULL : "main_menu",
                     "menu_type", str_is(action, "menu") ? "menu" : "action", "title",
                     title, "message", message, "action_type", action, "priority",
                     priority);
}

static json_t *transfer_sample(const char *id, const char *title, const char *message,
                               const char *number, int priority)
{
    json_t *row = sample(id, title, message, "transfer", priority);

    json_object_set_new(
        row, "action_config",
        json_pack("{s:s, s:i}", "transfer_number", number, "timeout", RING_S));
    return row;
}

json_t *menu_samples(const struct menu_settings *s)
{
    struct errtext e = {0};
    size_t i;
    json_t *row, *rows = json_array();

    row = sample("main_menu", "Main menu",
                 "Welcome to Acme Corp. Press 1 for Sales, Press 2 for Support, or Press "
                 "3 to hear your phone number.",
                 "menu", 1);
    json_object_set_new(row, "digit_actions",
                        json_pack("{s:s, s:s, s:s}", "1", "sales_transfer", "2",
                                  "support_transfer", "3", "phone_readback"));
    json_object_set_new(row, "invalid_input_menu_id", json_string("invalid_input"));
    json_array_append_new(rows, row);
    json_array_append_new(rows, transfer_sample("sales_transfer", "Sales",
                                                "Connecting you to Sales. Please hold.",
                                                s->sales_number, 2));
    json_array_append_new(rows, transfer_sample("support_transfer", "Support",
                                                "Connecting you to Support. Please hold.",
                                                s->support_number, 3));
    json_array_append_new(
        rows, sample("phone_readback", "Your number", readback, "phone_readback", 4));
    json_array_append_new(rows,
                          sample("invalid_input", "Invalid input", wrong, "menu", 5));
    json_array_foreach(rows, i, row)(void) !menu_check(row, s, &e);
    return rows;
}

static void usual(json_t *row, const char *key, json_t *value)
{
    json_t *is = json_object_get(row, key);

    if (!is || (json_is_null(is) && !json_is_null(value)))
        json_object_set_new(row, key, value);
    else
        json_decref(value);
}

static bool is_id(const json_t *v)
{
    const char *id = json_string_value(v);
    size_t n = id ? strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_-")
                  : 0;

    return n > 0 && n < MENU_ID_MAX && !id[n];
}

static bool is_text(const json_t *v, size_t max)
{
    return json_is_string(v) && json_string_length(v) <= max &&
           strlen(json_string_value(v)) == json_string_length(v);
}

/* "en-US" */
static bool is_language(const json_t *v)
{
    const char *text = json_string_value(v);
    size_t n = text ? strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789-")
                    : 0;

    return n >= 2 && n <= 11 && !text[n] && is_text(v, n);
}

static bool is_whole(const json_t *v, int low, int high)
{
    return json_is_integer(v) && json_integer_value(v) >= low &&
           json_integer_value(v) <= high;
}

static bool are_choices(const json_t *v)
{
    const char *digits;
    json_t *to;

    if (!json_is_object(v))
        return false;
    json_object_foreach((json_t *)(uintptr_t)v, digits,
                        to) if (!digits[0] || strlen(digits) > 32 ||
                                strspn(digits, "0123456789*#") != strlen(digits) ||
                                !is_id(to)) return false;
    return true;
}

static bool is_number(const char *text)
{
    size_t n = strspn(text + (*text == '+'), "0123456789");

    return n >= 3 && n <= 15 && !text[n + (*text == '+')];
}

static bool is_config(const json_t *v)
{
    const json_t *ring = json_object_get(v, "timeout");
    const char *number = json_text(v, "transfer_number");

    return json_is_object(v) && (!ring || is_whole(ring, RING_MIN_S, RING_MAX_S)) &&
           (!number[0] || is_number(number));
}

static bool is_url(const char *url)
{
    return strlen(url) <= URL_MAX &&
           (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0);
}

static bool is_optional_id(const json_t *v)
{
    return json_is_null(v) || is_id(v);
}

static bool is_action_name(const json_t *v)
{
    const char *name = json_string_value(v);

    return str_is(name, "menu") || str_is(name, "transfer") || str_is(name, "hangup") ||
           str_is(name, "phone_readback");
}

static const char *fault_of(json_t *row)
{
    const json_t *audio = json_object_get(row, "audio_url");
    const char *const ids[] = {"parent_menu_id", "invalid_input_menu_id",
                               "timeout_menu_id"};

    if (!is_id(json_object_get(row, "menu_id")))
        return "menu_id: letters, digits, _ and -, at most 30";
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (!is_optional_id(json_object_get(row, ids[i])))
            return "parent_menu_id, invalid_input_menu_id, timeout_menu_id: a menu_id, "
                   "or "
                   "null";
    if (!is_text(json_object_get(row, "message"), TEXT_MAX) ||
        !is_text(json_object_get(row, "title"), 200) ||
        !is_text(json_object_get(row, "menu_type"), 40))
        return "message, title and menu_type are texts, message of at most 3000 bytes";
    if (!json_is_null(audio) &&
        !(is_text(audio, URL_MAX) && is_url(json_string_value(audio))))
        return "audio_url: https://…, or null";
    if (!is_language(json_object_get(row, "language")) ||
        !is_text(json_object_get(row, "voice"), 40))
        return "language and voice: as en-US and WOMAN";
    if (!is_whole(json_object_get(row, "max_digits"), 1, 32) ||
        !is_whole(json_object_get(row, "timeout"), 1, 60))
        return "max_digits: 1 to 32; timeout: 1 to 60 seconds";
    if (!are_choices(json_object_get(row, "digit_actions")))
        return "digit_actions: {digits: menu_id}";
    if (!is_action_name(json_object_get(row, "action_type")))
        return "action_type: menu, transfer, hangup or phone_readback";
    if (!is_config(json_object_get(row, "action_config")))
        return "action_config: {transfer_number: +…, timeout: 5 to 120 seconds}";
    if (!json_is_boolean(json_object_get(row, "is_active")) ||
        !is_whole(json_object_get(row, "priority"), -1000000, 1000000))
        return "is_active: true or false; priority: a whole number";
    return NULL;
}

int menu_check(json_t *row, const struct menu_settings *s, struct errtext *e)
{
    if (!json_is_object(row))
        return errtext_set(e, EINVAL, 0, 0, "a menu is an object");
    usual(row, "parent_menu_id", json_null());
    usual(row, "menu_type", json_string("menu"));
    usual(row, "title", json_string(""));
    usual(row, "message", json_string(""));
    usual(row, "audio_url", json_null());
    usual(row, "language", json_string("en-US"));
    usual(row, "voice", json_string("WOMAN"));
    usual(row, "max_digits", json_integer(1));
    usual(row, "timeout", json_integer(s->timeout_s));
    usual(row, "digit_actions", json_object());
    usual(row, "invalid_input_menu_id", json_null());
    usual(row, "timeout_menu_id", json_null());
    usual(row, "action_type", json_string("menu"));
    usual(row, "action_config", json_object());
    usual(row, "is_active", json_true());
    usual(row, "priority", json_integer(0));
    const char *fault = fault_of(row);
    return fault
               ? errtext_set(e, EINVAL, 0, 0, "%s: %s", json_text(row, "menu_id"), fault)
               : 0;
}

/* ---- the flow ---- */

struct writer {
    const json_t *rows;
    const struct menu_settings *s;
    const json_t *entry;
    const char *language; /* of calls */
    json_t *nodes, *languages;
};

static void put(struct writer *w, const char *prefix, const char *id, json_t *node)
{
    char name[MENU_ID_MAX + 10];

    snprintf(name, sizeof(name), "%s-%s", prefix, id);
    json_object_set_new(w->nodes, name, node);
}

static json_t *node_name(const char *prefix, const char *id)
{
    return json_sprintf("%s-%s", prefix, id);
}

/* What an operator wrote is heard as it stands: its braces are no expression. */
static void add_plain(struct buf *b, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '{')
            buf_puts(b, "{{\"{\"}}");
        else
            buf_add(b, &text[i], 1);
}

/* With the caller's number, digit by digit, where the message has a place for it, or
 * behind it. */
static void add_readback(struct buf *b, const char *message)
{
    static const char number[] = "{{if(is_empty(call.phone), \"withheld\", concat(\"plus "
                                 "\", spell(digits(call.phone))))}}";
    static const char *const places[] = {"{phone_number}", "{phone}"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *at = strstr(message, places[i]);
        if (!at)
            continue;
        add_plain(b, message, (size_t)(at - message));
        buf_puts(b, number);
        at += strlen(places[i]);
        add_plain(b, at, strlen(at));
        return;
    }
    add_plain(b, message, strlen(message));
    buf_printf(b, " %s.", number);
}

static void know_language(struct writer *w, const char *language)
{
    size_t i;
    json_t *known;

    json_array_foreach(w->languages, i,
                       known) if (str_is(json_string_value(known), language)) return;
    json_array_append_new(w->languages, json_string(language));
}

/* In the row's language, whatever the call's is. text: owned by the caller. */
static json_t *prompt(struct writer *w, const json_t *row, const char *text)
{
    const char *language = json_text(row, "language"),
               *audio = json_text(row, "audio_url");
    json_t *variant = json_pack("{s:s}", "voice", json_text(row, "voice"));
    json_t *all = json_object();

    if (!language[0])
        language = "en-US";
    know_language(w, language);
    if (audio[0])
        json_object_set_new(variant, "audio", json_string(audio));
    json_object_set_new(variant, "text", json_string(text));
    json_object_set_new(all, language, variant);
    if (!str_is(language, w->language))
        json_object_set_new(all, w->language, json_pack("{s:s}", "fallback", language));
    return all;
}

static json_t *plain_prompt(struct writer *w, const json_t *row, const char *message)
{
    CLEANUP(buf_free) struct buf text = {0};

    add_plain(&text, message, strlen(message));
    return prompt(w, row, text.data ? text.data : "");
}

/* Words of ours in the language of the calls, which is not the row's perhaps. */
static json_t *own_prompt(struct writer *w, const char *text)
{
    return json_pack("{s:{s:s}}", w->language, "text", text);
}

/* Where a menu leads once it has been heard. */
static json_t *parent_of(struct writer *w, const json_t *row)
{
    const json_t *up = find(w->rows, json_text(row, "parent_menu_id"));

    if (!up || !has_choices(w->rows, up))
        up = w->entry;
    return node_name("m", json_text(up, "menu_id"));
}

/* after: the menu that a wrong digit or silence leads to, NULL none; words: said where it
 * has none. Counts, and goes there or back. */
static void put_retry(struct writer *w, const char *prefix, const json_t *row,
                      const json_t *after, const char *words)
{
    const char *id = json_text(row, "menu_id");
    const bool leads = after && has_choices(w->rows, after);
    const char *message = after ? json_text(after, "message") : words;
    char count[16], more[16], say[16];
    json_t *back =
        leads ? node_name("m", json_text(after, "menu_id")) : node_name("m", id);

    snprintf(count, sizeof(count), "%s", prefix);
    snprintf(more, sizeof(more), "%sm", prefix);
    snprintf(say, sizeof(say), "%ss", prefix);
    const bool speaks = !leads && (message[0] || json_text(after, "audio_url")[0]);
    put(w, count, id,
        json_pack("{s:s, s:{s:s}, s:{s:o}}", "kind", "set", "vars", "retries",
                  "{{default(vars.retries, 0) + 1}}", "exits", "done",
                  node_name(more, id)));
    json_t *cases = json_array();
    json_array_append_new(
        cases, json_pack("{s:o, s:s}", "if",
                         json_sprintf("{{vars.retries > %d}}", w->s->max_retries), "exit",
                         "over"));
    put(w, more, id,
        json_pack("{s:s, s:s, s:o, s:{s:s, s:o}}", "kind", "branch", "on",
                  "{{vars.retries}}", "cases", cases, "exits", "over", "bye", "default",
                  speaks ? node_name(say, id) : json_incref(back)));
    if (speaks)
        put(w, say, id,
            json_pack("{s:s, s:o, s:{s:o, s:o}}", "kind", "say", "prompt",
                      plain_prompt(w, after ? after : row, message), "exits", "done",
                      json_incref(back), "failed", json_incref(back)));
    json_decref(back);
}

static void put_menu(struct writer *w, const json_t *row)
{
    const char *id = json_text(row, "menu_id"), *digits;
    const json_t *bad = find(w->rows, json_text(row, "invalid_input_menu_id"));
    const json_t *late = find(w->rows, json_text(row, "timeout_menu_id"));
    const json_int_t max = json_integer_value(json_object_get(row, "max_digits"));
    json_t *exits = json_object(), *to;
    bool finishes = max > 1; /* with #, unless that is part of a choice */

    json_object_foreach((json_t *)json_object_get(row, "digit_actions"), digits, to)
    {
        const json_t *menu = find(w->rows, json_string_value(to));
        finishes &= !strchr(digits, '#');
        if (menu && strlen(digits) <= (size_t)max)
            json_object_set_new(exits, digits,
                                node_name(prefix_of(menu), json_text(menu, "menu_id")));
    }
    json_object_set_new(exits, "invalid", node_name("w", id));
    json_object_set_new(exits, "no_input", node_name("t", id));
    put(w, "m", id,
        json_pack("{s:s, s:o, s:I, s:O, s:s, s:i, s:o}", "kind", "collect", "prompt",
                  plain_prompt(w, row, json_text(row, "message")), "max", max,
                  "timeout_s", json_object_get(row, "timeout"), "finish",
                  finishes ? "#" : "", "attempts", 1, "exits", exits));
    put_retry(w, "w", row, bad, wrong);
    put_retry(w, "t", row, late, "");
}

static const char *number_of(const struct writer *w, const json_t *row)
{
    const char *id = json_text(row, "menu_id");
    const char *number =
        json_text(json_object_get(row, "action_config"), "transfer_number");

    if (!number[0] && str_is(id, "sales_transfer"))
        number = w->s->sales_number;
    if (!number[0] && str_is(id, "support_transfer"))
        number = w->s->support_number;
    return is_number(number) ? number : "";
}

static void put_transfer(struct writer *w, const json_t *row)
{
    const char *id = json_text(row, "menu_id"), *number = number_of(w, row);
    json_int_t ring = json_integer_value(
        json_object_get(json_object_get(row, "action_config"), "timeout"));

    if (!number[0]) {
        put(w, "m", id,
            json_pack("{s:s, s:o, s:s}", "kind", "hangup", "prompt",
                      own_prompt(w, no_number), "outcome", "failed"));
        return;
    }
    put(w, "m", id,
        json_pack("{s:s, s:o, s:o, s:I, s:{s:s, s:s, s:s, s:s}}", "kind", "transfer",
                  "prompt", plain_prompt(w, row, json_text(row, "message")), "to",
                  json_sprintf("%s%s", *number == '+' ? "" : "+", number), "ring_s",
                  ring >= RING_MIN_S && ring <= RING_MAX_S ? ring : RING_S, "exits",
                  "completed", "end", "busy", "bye", "no_answer", "bye", "failed",
                  "bye"));
}

static void put_end(struct writer *w, const json_t *row)
{
    CLEANUP(buf_free) struct buf text = {0};
    const char *message = json_text(row, "message");

    if (is_action(row, "phone_readback"))
        add_readback(&text, message[0] ? message : readback);
    else
        add_plain(&text, message, strlen(message));
    put(w, prefix_of(row), json_text(row, "menu_id"),
        json_pack("{s:s, s:o, s:s}", "kind", "hangup", "prompt",
                  prompt(w, row, text.data ? text.data : ""), "outcome", "completed"));
}

static void put_row(struct writer *w, const json_t *row)
{
    if (is_action(row, "transfer")) {
        put_transfer(w, row);
    } else if (!is_action(row, "menu")) {
        put_end(w, row);
    } else if (has_choices(w->rows, row)) {
        put_menu(w, row);
    } else {
        json_t *back = parent_of(w, row);
        put(w, "m", json_text(row, "menu_id"),
            json_pack("{s:s, s:o, s:{s:O, s:o}}", "kind", "say", "prompt",
                      plain_prompt(w, row, json_text(row, "message")), "exits", "done",
                      back, "failed", back));
    }
}

int menu_flow(const json_t *rows, const struct menu_settings *s, char **source)
{
    struct writer w = {.rows = rows, .s = s, .entry = entry_of(rows)};
    size_t i;
    json_t *row;

    if (!w.entry)
        return ENOENT;
    w.language =
        json_text(w.entry, "language")[0] ? json_text(w.entry, "language") : "en-US";
    w.nodes = json_object();
    w.languages = json_array();
    know_language(&w, w.language);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) if (is_active(row))
        put_row(&w, row);
    json_object_set_new(w.nodes, "bye",
                        json_pack("{s:s, s:o, s:s}", "kind", "hangup", "prompt",
                                  own_prompt(&w, thanks), "outcome", "completed"));
    json_t *flow =
        json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:s}", "furrow", 1, "name",
                  s->flow_name, "language", w.language, "languages", w.languages, "entry",
                  node_name("m", json_text(w.entry, "menu_id")), "nodes", w.nodes,
                  "on_error", "bye");
    *source = json_dumps(flow, JSON_INDENT(2));
    json_decref(flow);
    return *source ? 0 : ENOMEM;
}

const char *menu_of_node(const char *node)
{
    return strncmp(node, "m-", 2) == 0 ? node + 2 : NULL;
}
