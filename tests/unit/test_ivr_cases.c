/*
 * Flows and what they must do, as files of tests/data/ivr:
 *   nodes/<kind>.json          {"flow", "cases": [{"name", "env", "steps"}]}, one per
 * kind flows/<name>.json          a flow; flows/<name>.<case>.json {"env", "steps"}
 *   broken/<name>.json         {"text": [lines], "issues": [exactly these]}, and
 *                              "backends" that it must also run on
 * A step is {"in": "digits 1", "out": [lines]}; "after_s" moves the clock first, "token"
 * answers another wait, "dropped" lets the call drop and another one begin.
 * FURROW_UPDATE=1 writes what happened into the files, to be read.
 */
#include "unit/cm.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/ivr_drive.h"

#define DATA SOURCE_DIR "/tests/data/ivr/"

static bool updating(void)
{
    return getenv("FURROW_UPDATE") != NULL;
}

static json_t *load(const char *path)
{
    json_error_t e;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &e);

    if (!j)
        fail_msg("%s:%d: %s", path, e.line, e.text);
    return j;
}

static void save(const char *path, const json_t *j)
{
    if (updating())
        json_dump_file(j, path, JSON_INDENT(2));
}

static struct ivr_prog *compile(const char *path, json_t *flow, struct drive_flows *flows,
                                struct ivr_arena *arena)
{
    char *text = json_dumps(flow, JSON_COMPACT);
    struct ivr_issues issues;
    struct ivr_prog *prog = NULL;

    int err = drive_compile(&prog, text, strlen(text), flows, arena, &issues);
    free(text);
    for (size_t i = 0; err && i < issues.n; i++)
        fprintf(stderr, "%s: %s: %s\n", path, issues.list[i].pointer,
                issues.list[i].text);
    assert_int_equal(err, 0);
    return prog;
}

static void compare(const char *where, json_t *step, json_t *lines)
{
    if (updating()) {
        json_object_set(step, "out", lines);
    } else if (!json_equal(lines, json_object_get(step, "out"))) {
        char *text = json_dumps(lines, JSON_INDENT(2));
        fprintf(stderr, "%s, after '%s', there was:\n%s\n", where,
                json_string_value(json_object_get(step, "in")), text);
        free(text);
        fail_msg("%s differs", where);
    }
    json_decref(lines);
}

static void run_steps(const char *where, const struct ivr_prog *prog, json_t *test,
                      struct ivr_arena *arena)
{
    struct drive d;
    json_t *step = NULL;
    size_t i = 0;

    drive_begin(&d, prog, arena);
    drive_env(&d, json_object_get(test, "env"));
    json_array_foreach(json_object_get(test, "steps"), i, step)
    {
        const json_t *token = json_object_get(step, "token");
        struct ivr_input in;
        uint32_t seq = d.state ? d.state->seq : 0;

        d.env.now_ms += json_integer_value(json_object_get(step, "after_s")) * 1000;
        if (json_is_true(json_object_get(step, "dropped"))) {
            d.env.kept = d.state; /* and the party calls again */
            d.state = NULL;
            seq = 0;
        }
        if (token)
            seq = (uint32_t)json_integer_value(token);
        if (!drive_parse(json_string_value(json_object_get(step, "in")), seq, &in))
            fail_msg("%s: no such input: %s", where,
                     json_string_value(json_object_get(step, "in")));
        drive_step(&d, &in);
        compare(where, step, drive_lines(&d));
    }
    assert_true(i > 0);
}

static void a_kind_behaves_as_its_file_says(const char *kind)
{
    char path[500], where[600];
    struct ivr_arena *arena = NULL;
    json_t *test = NULL;
    size_t i = 0;

    snprintf(path, sizeof(path), DATA "nodes/%s.json", kind);
    json_t *file = load(path);
    struct drive_flows flows = {.named = json_object_get(file, "subflows")};
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    const struct ivr_prog *prog =
        compile(path, json_object_get(file, "flow"), &flows, arena);
    json_array_foreach(json_object_get(file, "cases"), i, test)
    {
        snprintf(where, sizeof(where), "nodes/%s.json: %s", kind,
                 json_string_value(json_object_get(test, "name")));
        run_steps(where, prog, test, arena);
    }
    assert_true(i > 0);
    save(path, file);
    drive_flows_free(&flows);
    ivr_arena_free(arena);
    json_decref(file);
}

static const char *const kinds[] = {
    "play",     "say",       "collect",  "branch", "api",      "set",
    "record",   "voicemail", "transfer", "queue",  "callback", "sms",
    "language", "subflow",   "hangup",   "data",   "submit"};

static void every_kind_of_node_has_a_file_and_behaves_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        a_kind_behaves_as_its_file_says(kinds[i]);
}

/* The engine's own list of kinds, from its hint, is the list above. */
static void no_kind_is_left_out(void **state)
{
    static const char text[] = "{\"furrow\":1,\"name\":\"x\",\"language\":\"en\","
                               "\"entry\":\"a\",\"nodes\":{\"a\":{\"kind\":\"none\"}}}";
    struct drive_flows flows = {0};
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues;
    size_t spaces = 0;

    (void)state;
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_not_equal(drive_compile(&prog, text, strlen(text), &flows, arena, &issues),
                         0);
    assert_int_equal(issues.n, 1);
    const char *hint = issues.list[0].hint;
    for (const char *p = hint; *p; p++)
        spaces += *p == ' ';
    assert_int_equal(spaces, ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        assert_non_null(strstr(hint, kinds[i]));
    ivr_arena_free(arena);
}

static int count_dots(const char *name)
{
    int n = 0;

    for (; *name; name++)
        n += *name == '.';
    return n;
}

/* flows/<name>.<case>.json */
static void run_flow_case(const char *name)
{
    char path[500], flow_path[500];
    struct drive_flows flows = {.dir = DATA "flows"};
    struct ivr_arena *arena = NULL;

    snprintf(path, sizeof(path), DATA "flows/%s", name);
    snprintf(flow_path, sizeof(flow_path), DATA "flows/%.*s.json",
             (int)strcspn(name, "."), name);
    json_t *test = load(path), *flow = load(flow_path);
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    const struct ivr_prog *prog = compile(flow_path, flow, &flows, arena);
    run_steps(name, prog, test, arena);
    save(path, test);
    drive_flows_free(&flows);
    ivr_arena_free(arena);
    json_decref(flow);
    json_decref(test);
}

static void whole_flows_go_as_their_cases_say(void **state)
{
    DIR *dir = opendir(DATA "flows");
    int n = 0;

    (void)state;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || count_dots(e->d_name) != 2)
            continue;
        run_flow_case(e->d_name);
        n++;
    }
    closedir(dir);
    assert_true(n >= 4);
}

static json_t *issues_as_json(const struct ivr_issues *issues)
{
    json_t *list = json_array();

    for (size_t i = 0; i < issues->n; i++) {
        const struct ivr_issue *x = &issues->list[i];
        json_t *j = json_pack("{s:s, s:s, s:i, s:i}", "text", x->text, "pointer",
                              x->pointer, "line", x->line, "column", x->column);
        if (*x->hint)
            json_object_set_new(j, "hint", json_string(x->hint));
        if (*x->flow)
            json_object_set_new(j, "flow", json_string(x->flow));
        if (x->warning)
            json_object_set_new(j, "warning", json_true());
        json_array_append_new(list, j);
    }
    return list;
}

static void run_broken(const char *name)
{
    char path[500], text[8000] = "";
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues;
    json_t *line = NULL;
    size_t i = 0, n = 0;

    snprintf(path, sizeof(path), DATA "broken/%s", name);
    json_t *file = load(path);
    json_array_foreach(json_object_get(file, "text"), i, line)
    {
        n +=
            (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", json_string_value(line));
        assert_true(n < sizeof(text));
    }
    struct drive_flows flows = {.named = json_object_get(file, "subflows")};
    const char *backends[4] = {NULL};
    json_array_foreach(json_object_get(file, "backends"), i, line) backends[i] =
        json_string_value(line);
    flows.backends = backends;
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    int err = drive_compile(&prog, text, n, &flows, arena, &issues);
    json_t *found = issues_as_json(&issues);
    if (updating()) {
        json_object_set(file, "issues", found);
        save(path, file);
    } else if (!json_equal(found, json_object_get(file, "issues"))) {
        char *dump = json_dumps(found, JSON_INDENT(2));
        fprintf(stderr, "%s: the issues are:\n%s\n", name, dump);
        free(dump);
        fail_msg("%s differs", name);
    }
    assert_int_equal(err != 0, issues.errors > 0);
    assert_true(issues.n > 0);
    json_decref(found);
    drive_flows_free(&flows);
    ivr_arena_free(arena);
    json_decref(file);
}

static void broken_flows_are_told_exactly_what_and_where(void **state)
{
    DIR *dir = opendir(DATA "broken");
    int n = 0;

    (void)state;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        run_broken(e->d_name);
        n++;
    }
    closedir(dir);
    assert_true(n >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_node_has_a_file_and_behaves_as_it_says),
        cmocka_unit_test(no_kind_is_left_out),
        cmocka_unit_test(whole_flows_go_as_their_cases_say),
        cmocka_unit_test(broken_flows_are_told_exactly_what_and_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
