/*
 * cli - the frame of the `furrow` command line: global options, one table of
 * command groups, one table of verbs per group (one file per group,
 * cli/cmd_<group>.c), help with an example for each, and what verbs share.
 *
 * Exit codes: 0 done, 1 it failed (said on stderr), 2 the command line is wrong;
 * a verb may document others. Results go to stdout, everything else to stderr.
 * Single-threaded unless a verb says otherwise.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/config.h"

struct pg;

struct cli_config {
    struct config_common common;
    char tenant[64];
};

struct cli {
    struct cli_config config;
    const char *config_file;   /* --config, or NULL */
    const char *tenant_option; /* --tenant, or NULL */
    struct pg *pg;             /* opened by cli_open_pg */
    int tenant_id;
};

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef int(cli_verb_fn)(struct cli *cli, int argc,
                         char **argv); /* argv[0]: "furrow GROUP VERB" */

struct cli_verb {
    const char *name;
    const char *arguments; /* "FILE.csv --list NAME [--json]" */
    const char *about;     /* one sentence, then details on further lines */
    const char *example;   /* a whole command line */
    cli_verb_fn *run;
};

struct cli_group {
    const char *name;
    const char *about;
    const struct cli_verb
        *verbs; /* one verb named "" : the group is the command itself */
    size_t verb_count;
};

extern const struct config_table cli_config_table;

/* Opens the database as furrow_app, checks the schema and the clock, finds the
 * tenant. Says what is wrong and returns CLI_FAILED, else CLI_OK. */
NODISCARD int cli_open_pg(struct cli *cli);
/* The same, but it says nothing: *e has why. 0 or an errno. */
NODISCARD int cli_try_pg(struct cli *cli, struct errtext *e);

/* "furrow: …" on stderr; returns CLI_FAILED / CLI_USAGE so that verbs can
 * `return cli_fail("…")`. */
int cli_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
int cli_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The words of a verb that takes --json and nothing else: CLI_OK or CLI_USAGE. */
int cli_only_json(int argc, char **argv, bool *json);
/* Is that what --purpose may be? CLI_OK or CLI_USAGE. */
int cli_check_purpose(const char *text);

/* Prints and frees json (a reference is taken over). */
int cli_print_json(json_t *json);
/* The same for rows of the database: their "phone" is a number there and +E.164 here. */
int cli_print_rows(json_t *json);

/* The text of a member; "" when it is missing or none. Borrowed. */
const char *cli_text(const json_t *object, const char *key);

/* Work that takes longer than two seconds: a line that is redrawn on a
 * terminal, one line at the end otherwise. Zero-initialise with a label. */
struct progress {
    const char *label, *unit;
    int64_t started_ms, shown_ms;
    bool drawn;
};
void progress_show(struct progress *p, int64_t done,
                   int64_t total); /* total 0: unknown */
/* Ends the line; prints "label: done unit in 1.2 s" to stderr when it took over 2 s. */
void progress_end(struct progress *p, int64_t done);

#endif
