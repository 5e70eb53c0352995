/* What a published flow runs stays what it was, its sub-flows too, whatever is published
 * later. */
#include "unit/cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "campaigns/program_store.h"
#include "store/furrow_run.h"
#include "store/pgtest.h"

enum { TENANT = 1 };
#define T0 INT64_C(1795507200000)

static struct pg *db;
static struct programs *programs;

/* A flow that says this, or calls that; pin: of what it calls, "" none. */
static char *text_of(const char *name, const char *words, const char *calls,
                     const char *pin)
{
    CLEANUP(free_cleanup)
    char *node =
        calls ? xasprintf("{\"kind\":\"subflow\",\"flow\":\"%s\"%s%s%s,\"exits\":{"
                          "\"done\":\"end\",\"failed\":\"end\"}}",
                          calls, *pin ? ",\"sha256\":\"" : "", pin, *pin ? "\"" : "")
              : xasprintf("{\"kind\":\"say\",\"prompt\":{\"en\":\"%s\"},\"exits\":{"
                          "\"done\":\"end\",\"failed\":\"end\"}}",
                          words);
    return xasprintf("{\"furrow\":1,\"name\":\"%s\",\"language\":\"en\",\"entry\":\"n\","
                     "\"nodes\":{\"n\":%s}}",
                     name, node);
}

static struct flow_row publish(char *text, const char *name, bool is_fresh)
{
    struct flow_row row = {0};
    bool fresh = !is_fresh;

    assert_int_equal(flow_publish(db, TENANT, name, text, T0, &row, &fresh), 0);
    assert_int_equal(fresh, is_fresh);
    free(text);
    return row;
}

static struct flow_row says(const char *name, const char *words)
{
    return publish(text_of(name, words, NULL, ""), name, true);
}

static struct flow_row calls(const char *name, const char *flow, bool is_fresh)
{
    return publish(text_of(name, "", flow, ""), name, is_fresh);
}

/* What is heard of it, as a call would; kept: a later one compiles nothing. */
static void hears(const struct flow_row *row, const char *words, bool kept)
{
    CLEANUP(free_cleanup) char *source = NULL;
    struct program *p = NULL;
    struct ivr_prompt prompt;
    struct flow_row same;

    assert_int_equal(flow_load(db, TENANT, row->revision_id, &same, &source), 0);
    const struct program_source of = {source, same.sha256, row->revision_id};
    assert_int_equal(programs_get(programs, db, TENANT, &of, &p), 0);
    assert_true(ivr_prog_prompt(program_of(p), 0, &prompt));
    assert_string_equal(prompt.text, words);
    program_release(p);
    p = programs_find(programs, same.sha256, row->revision_id);
    assert_int_equal(p != NULL, kept);
    program_release(p);
}

static void a_revision_runs_the_sub_flows_that_it_was_published_with(void **state)
{
    (void)state;
    says("sub", "One.");
    const struct flow_row first = calls("top", "sub", true);
    hears(&first, "One.", true);
    says("sub", "Two.");
    hears(&first, "One.", true);
    const struct flow_row second = calls("top", "sub", true); /* the same text */
    assert_int_equal(second.revision, 2);
    assert_string_equal(second.sha256, first.sha256);
    hears(&second, "Two.", true);
    hears(&first, "One.", true);
    assert_int_equal(calls("top", "sub", false).revision, 2);
}

static void so_are_those_within_sub_flows(void **state)
{
    (void)state;
    says("leaf", "One.");
    const struct flow_row middle = calls("middle", "leaf", true);
    const struct flow_row first = calls("outer", "middle", true);
    says("leaf", "Two.");
    hears(&first, "One.", true);
    const struct flow_row second = calls("outer", "middle", true);
    hears(&second, "Two.", true);
    hears(&middle, "One.", true); /* by itself it is what it was published as */
}

static void a_node_may_name_a_revision_that_is_not_the_newest(void **state)
{
    (void)state;
    const struct flow_row old = says("fixed", "One.");
    says("fixed", "Two.");
    const struct flow_row row =
        publish(text_of("names", "", "fixed", old.sha256), "names", true);
    hears(&row, "One.", true);
}

/* Of before there was anything to hold them in. */
static void a_revision_that_holds_none_takes_the_newest(void **state)
{
    (void)state;
    says("loose", "One.");
    const struct flow_row row = calls("before", "loose", true);
    pgtest_run(db, TENANT,
               "UPDATE flow_revisions r SET subflows = NULL FROM flows f WHERE f.id = "
               "r.flow_id AND f.name = 'before'");
    hears(&row, "One.", false);
    says("loose", "Two.");
    hears(&row, "Two.", false);
    const struct flow_row again = calls("before", "loose", true);
    says("loose", "Three.");
    hears(&again, "Two.", true);
}

static void a_flow_of_its_own_text_is_compiled_once_for_all_its_revisions(void **state)
{
    (void)state;
    const struct flow_row one = says("alike", "One.");
    hears(&one, "One.", true);
    struct program *p = programs_find(programs, one.sha256, one.revision_id + 1000);
    assert_non_null(p);
    program_release(p);
}

static char *file_of(const char *name, char *text)
{
    char *path = xasprintf("%s/%s.json", pgtest_dir(), name);

    assert_int_equal(files_write_atomic(path, text, strlen(text)), 0);
    free(text);
    return path;
}

static void publishing_takes_published_ones_and_names_who_holds_an_older_one(void **state)
{
    CLEANUP(free_cleanup)
    char *menu = file_of("menu", text_of("menu", "", "hello", ""));
    CLEANUP(free_cleanup)
    char *hello = file_of("hello", text_of("hello", "Hi.", NULL, ""));

    (void)state;
    /* The file beside it is enough to try it, and not to publish it. */
    RUN(0, "flow", "check", menu);
    text_has(RUN(1, "flow", "publish", menu), "there is no flow 'hello'");
    assert_null(strstr(RUN(0, "flow", "publish", hello), "older"));
    RUN(0, "flow", "publish", menu);
    free(file_of("hello", text_of("hello", "Hello.", NULL, "")));
    text_has(
        RUN(0, "flow", "publish", hello),
        "an older 'hello' is part of 'menu': publish what is to have this one again");
    text_has(RUN(0, "flow", "publish", menu), "published 'menu' revision 2");
    text_has(RUN(0, "flow", "publish", menu), "'menu' revision 2 is this text already");
    text_has(RUN(0, "flow", "publish", hello, "--json"), "\"held_older_by\": \"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revision_runs_the_sub_flows_that_it_was_published_with),
        cmocka_unit_test(so_are_those_within_sub_flows),
        cmocka_unit_test(a_node_may_name_a_revision_that_is_not_the_newest),
        cmocka_unit_test(a_revision_that_holds_none_takes_the_newest),
        cmocka_unit_test(a_flow_of_its_own_text_is_compiled_once_for_all_its_revisions),
        cmocka_unit_test(
            publishing_takes_published_ones_and_names_who_holds_an_older_one),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    programs = programs_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    programs_free(programs);
    pg_close(db);
    return failed;
}
