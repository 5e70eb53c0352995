/* furrow packs - the rule packs: which there are, what they say, whether they are sound.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errors.h"
#include "base/str.h"
#include "cli/groups.h"
#include "compliance/pack.h"

enum { REVIEW_SOON_DAYS = 60 };
#define DAY_MS ((int64_t)86400 * 1000)

struct packs_command {
    bool json;
    const char *dir;
    struct packs *packs;
};

static int open_packs(struct packs_command *c, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"dir", required_argument, NULL, 'd'}, {0}};
    struct errtext e = {0};

    c->dir = packs_dir();
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        c->json |= o == 'j';
        if (o == 'd')
            c->dir = optarg;
    }
    return packs_load(c->dir, &c->packs, &e) ? cli_fail("%s", e.text) : CLI_OK;
}

static int64_t today(void)
{
    return clock_now_ms() / DAY_MS;
}

static const char *state_of(const struct pack *p)
{
    if (p->review_by_day < today())
        return "expired";
    return p->review_by_day < today() + REVIEW_SOON_DAYS ? "review soon" : "in force";
}

/* The weakest grade of its rows. */
static char grade_of(const struct pack *p)
{
    char worst = 'A';

    for (size_t i = 0; i < p->row_count; i++) {
        char g = p->rows[i].grade;
        if (g == '?' || worst == '?')
            worst = '?';
        else if (g > worst)
            worst = g;
    }
    return worst;
}

static json_t *summary(const struct pack *p)
{
    const char grade[2] = {grade_of(p), '\0'};
    char review[16] = "";

    if (p->review_by_day != INT64_MAX)
        rule_date_text(p->review_by_day, review);
    return json_pack("{s:s, s:s, s:i, s:s, s:b, s:s, s:s, s:s}", "name", p->name, "title",
                     p->title, "rows", (int)p->row_count, "weakest_grade", grade,
                     "courtesy", p->courtesy, "review_by", review, "state", state_of(p),
                     "sha256", p->hash);
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct packs_command c = {0};
    json_auto_t *all = json_array();

    (void)cli;
    int code = open_packs(&c, argc, argv);
    for (size_t i = 0; code == CLI_OK && i < c.packs->n; i++) {
        json_t *s = summary(&c.packs->at[i]);
        if (!c.json)
            printf("%-11s %2zu rows  grade %s  %-11s review by %-10s  %s%s\n",
                   c.packs->at[i].name, c.packs->at[i].row_count,
                   cli_text(s, "weakest_grade"), cli_text(s, "state"),
                   cli_text(s, "review_by"), c.packs->at[i].title,
                   c.packs->at[i].courtesy ? " (courtesy)" : "");
        json_array_append_new(all, s);
    }
    if (code == CLI_OK && c.json)
        cli_print_json(json_incref(all));
    packs_free(c.packs);
    return code;
}

/* ---- show ---- */

static void show_week(const struct pack_row *row)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

    for (size_t d = 0; d < ARRAY_LEN(days); d++) {
        printf("    %s ", days[d]);
        if (row->week[d].n == 0)
            printf("no calls");
        for (size_t i = 0; i < row->week[d].n; i++) {
            const struct policy_interval *w = &row->week[d].at[i];
            printf("%s%02d:%02d-%02d:%02d", i ? ", " : "", w->from_min / 60,
                   w->from_min % 60, w->until_min / 60, w->until_min % 60);
        }
        printf("\n");
    }
}

static void show_row(const struct pack_row *row)
{
    char from[16] = "", until[16] = "", checked[16] = "";

    if (row->from_day != INT64_MIN)
        rule_date_text(row->from_day, from);
    if (row->until_day != INT64_MAX)
        rule_date_text(row->until_day, until);
    if (row->checked_day)
        rule_date_text(row->checked_day, checked);
    printf("\n  %s (%s)%s%s%s%s\n", row->id, pack_kind_name(row->kind),
           *from ? " from " : "", from, *until ? " until " : "", until);
    if (row->kind == PACK_WINDOWS)
        show_week(row);
    if (row->note)
        printf("    %s\n", row->note);
    printf("    source: %s; grade %c%s%s\n", row->cite, row->grade,
           *checked ? ", checked " : "", checked);
}

static int show(struct cli *cli, int argc, char **argv)
{
    struct packs_command c = {0};

    (void)cli;
    int code = open_packs(&c, argc, argv);
    const char *name = code == CLI_OK && argc - optind == 1 ? argv[optind] : NULL;
    const struct pack *p = name ? packs_find(c.packs, name) : NULL;
    if (code == CLI_OK && !name)
        code = cli_usage("packs show wants one NAME, e.g. US-FL");
    else if (code == CLI_OK && !p)
        code = cli_fail("there is no pack '%s' in %s; 'furrow packs list' names them",
                        name, c.dir);
    if (code == CLI_OK && c.json) {
        cli_print_json(json_incref(p->json));
    } else if (code == CLI_OK) {
        printf("%s: %s%s\n", p->name, p->title,
               p->courtesy ? " (courtesy: no law states it)" : "");
        printf("  %s, sha256 %s\n", state_of(p), p->hash);
        for (size_t i = 0; i < p->row_count; i++)
            show_row(&p->rows[i]);
    }
    packs_free(c.packs);
    return code;
}

/* ---- check ---- */

static int complain(const struct pack *p, const char *row, const char *what)
{
    printf("%s%s%s: %s\n", p->name, *row ? " " : "", row, what);
    return 1;
}

static int check_pack(const struct pack *p)
{
    int found = 0;

    if (p->review_by_day < today())
        found += complain(p, "", "is past its review date: every call there is refused");
    else if (p->review_by_day < today() + REVIEW_SOON_DAYS)
        found += complain(p, "", "must be reviewed within 60 days");
    if (p->row_count == 0)
        found += complain(p, "", "has no rows");
    if (p->holidays_until_day < today() + REVIEW_SOON_DAYS)
        found += complain(p, "", "has a holiday calendar that ends within 60 days");
    for (size_t i = 0; i < p->row_count; i++) {
        const struct pack_row *row = &p->rows[i];
        if (!*row->cite)
            found += complain(p, row->id, "has no citation");
        if (row->checked_day == 0)
            found += complain(p, row->id, "does not say when it was checked");
        if (row->grade == '?')
            found += complain(p, row->id, "has no grade");
        else if (row->grade == 'M')
            found += complain(p, row->id, "is from memory (grade M): find its source");
    }
    return found;
}

static int check(struct cli *cli, int argc, char **argv)
{
    struct packs_command c = {0};
    int found = 0;

    (void)cli;
    int code = open_packs(&c, argc, argv);
    for (size_t i = 0; code == CLI_OK && i < c.packs->n; i++)
        found += check_pack(&c.packs->at[i]);
    if (code == CLI_OK)
        printf("%zu packs can be read; %d remarks\n", c.packs->n, found);
    packs_free(c.packs);
    return code;
}

static const struct cli_verb verbs[] = {
    {"list", "[--json] [--dir FOLDER]", "The rule packs of this installation.",
     "furrow packs list", list},
    {"show", "NAME [--json] [--dir FOLDER]",
     "Every row of a pack: what it says, its source, when it was checked.",
     "furrow packs show US-FL", show},
    {"check", "[--dir FOLDER]",
     "Reads all packs and remarks on what a person should look at: reviews due, rows "
     "without a\n"
     "source or from memory. Exit 1 when one cannot be read.",
     "furrow packs check --dir compliance/packs", check},
};

const struct cli_group cmd_packs = {
    "packs", "rule packs: the calling rules of jurisdictions", verbs, ARRAY_LEN(verbs)};
