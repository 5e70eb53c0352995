/* furrow compliance - worked cases run through the gate itself. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/errors.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/groups.h"
#include "compliance/cases.h"
#include "compliance/pack.h"

enum { LINE_MAX_BYTES = 1 << 20 };

struct cases_command {
    bool json, lines;
    const char *packs; /* a file or folder; NULL: the file's own, else ours */
    struct packs *own;
    struct cases_set set;
    size_t run, wrong;
};

static int parse(struct cases_command *c, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"lines", no_argument, NULL, 'l'},
                                            {"packs", required_argument, NULL, 'p'},
                                            {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        c->json |= o == 'j';
        c->lines |= o == 'l';
        if (o == 'p')
            c->packs = optarg;
    }
    if (argc - optind != 1)
        return cli_usage("compliance cases wants one FILE (or - with --lines)");
    return CLI_OK;
}

/* A folder of packs, a file of them, or a file of cases that carries some. */
static int read_packs(const char *path, struct packs **out)
{
    struct errtext e = {0};
    struct stat st;
    json_error_t at;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return packs_load(path, out, &e) ? cli_fail("%s", e.text) : CLI_OK;
    json_auto_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    if (!json)
        return cli_fail("%s:%d: %s", path, at.line, at.text);
    json_t *packs = json_object_get(json, "packs");
    int err = packs_read(packs ? packs : json, out, &e);
    return err ? cli_fail("%s: %s", path, e.text) : CLI_OK;
}

static int choose_packs(struct cases_command *c, json_t *file)
{
    struct errtext e = {0};

    if (c->packs) {
        int code = read_packs(c->packs, &c->own);
        if (code != CLI_OK)
            return code;
    } else if (json_object_get(file, "packs")) {
        if (packs_read(json_object_get(file, "packs"), &c->own, &e))
            return cli_fail("packs: %s", e.text);
    }
    c->set.packs = c->own ? c->own : packs_of_process();
    c->set.npa_overrides = json_object_get(file, "npa_zone_overrides");
    return c->set.packs ? CLI_OK : cli_fail("no rule packs in %s", packs_dir());
}

/* ---- a file ---- */

static void show_case(const struct cases_command *c, const json_t *test,
                      const json_t *verdict, const json_t *differences)
{
    const json_t *expect = json_object_get(test, "expect");
    bool right = json_array_size(differences) == 0;

    if (c->json)
        return;
    printf("%s %-28s %-24s expected %s\n", right ? "ok   " : "WRONG",
           cli_text(test, "id"), cli_text(verdict, "reason"), cli_text(expect, "reason"));
    for (size_t i = 0; i < json_array_size(differences); i++) {
        const char *key = json_string_value(json_array_get(differences, i));
        char *is = json_dumps(json_object_get(verdict, key), JSON_ENCODE_ANY);
        char *should = json_dumps(json_object_get(expect, key), JSON_ENCODE_ANY);
        printf("      %s is %s, expected %s\n", key, is ? is : "?",
               should ? should : "?");
        free(is);
        free(should);
    }
}

static int run_case(struct cases_command *c, const json_t *test, json_t *results)
{
    struct errtext e = {0};
    json_t *verdict = NULL;

    if (case_run(&c->set, test, &verdict, &e))
        return cli_fail("%s", e.text);
    json_t *differences = case_differences(test, verdict);
    c->run++;
    c->wrong += json_array_size(differences) > 0;
    show_case(c, test, verdict, differences);
    if (c->json) {
        json_object_set(verdict, "expected", json_object_get(test, "expect"));
        json_object_set(verdict, "differences", differences);
        json_array_append(results, verdict);
    }
    json_decref(differences);
    json_decref(verdict);
    return CLI_OK;
}

static int run_file(struct cases_command *c, const char *path)
{
    json_error_t at;
    json_auto_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    json_auto_t *results = json_array();

    if (!file)
        return cli_fail("%s:%d: %s", path, at.line, at.text);
    const json_t *cases = json_object_get(file, "cases");
    if (!json_is_array(cases))
        return cli_fail("%s has no list 'cases'", path);
    int code = choose_packs(c, file);
    for (size_t i = 0; code == CLI_OK && i < json_array_size(cases); i++)
        code = run_case(c, json_array_get(cases, i), results);
    if (code != CLI_OK)
        return code;
    if (c->json)
        cli_print_json(json_pack("{s:I, s:I, s:O}", "cases", (json_int_t)c->run, "wrong",
                                 (json_int_t)c->wrong, "results", results));
    else
        printf("%zu cases, %zu as expected, %zu not\n", c->run, c->run - c->wrong,
               c->wrong);
    return c->wrong > 0 ? CLI_FAILED : CLI_OK;
}

/* ---- lines: one case each, one verdict each ---- */

static int run_line(struct cases_command *c, const char *line, size_t len, size_t number)
{
    struct errtext e = {0};
    json_error_t at;
    json_auto_t *test = json_loadb(line, len, JSON_REJECT_DUPLICATES, &at);
    json_t *answer = NULL;

    if (!test)
        return cli_fail("line %zu: %s", number, at.text);
    bool explain = json_is_true(json_object_get(test, "explain"));
    if (explain ? case_explain(&c->set, test, &answer, &e)
                : case_run(&c->set, test, &answer, &e))
        return cli_fail("line %zu: %s", number, e.text);
    CLEANUP(free_cleanup) char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    puts(text ? text : "{}");
    return CLI_OK;
}

static int run_lines(struct cases_command *c, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "r");
    CLEANUP(free_cleanup) char *line = NULL;
    size_t size = 0, number = 0;
    ssize_t len;

    if (!in)
        return cli_fail("%s: %s", path, strerror(errno));
    int code = choose_packs(c, NULL);
    while (code == CLI_OK && (len = getline(&line, &size, in)) > 0) {
        number++;
        if (len > LINE_MAX_BYTES)
            code = cli_fail("line %zu is over 1 MB long", number);
        else
            code = run_line(c, line, (size_t)len, number);
    }
    if (!standard)
        fclose(in);
    return code;
}

static int cases(struct cli *cli, int argc, char **argv)
{
    struct cases_command c = {0};

    (void)cli;
    int code = parse(&c, argc, argv);
    if (code == CLI_OK)
        code = c.lines ? run_lines(&c, argv[optind]) : run_file(&c, argv[optind]);
    packs_free(c.own);
    return code;
}

static const struct cli_verb verbs[] = {
    {"cases", "FILE [--json] [--packs FILE|FOLDER] | --lines FILE|-",
     "Run worked cases through the gate; exit 1 when a verdict is not the expected one.\n"
     "The file carries its own rule packs, or --packs names some, or the installed ones "
     "hold;\n"
     "the instant of a case is its clock. --lines reads one case per line and prints "
     "one\n"
     "verdict per line (a case with \"explain\": true gets every rule that was asked).",
     "furrow compliance cases tests/data/compliance-cases.json", cases},
};

const struct cli_group cmd_compliance = {
    "compliance", "worked cases of the calling rules", verbs, ARRAY_LEN(verbs)};
