/* fact_import - files of compliance facts: furrow facts import, furrow consent import. */
#ifndef CLI_FACT_IMPORT_H
#define CLI_FACT_IMPORT_H

#include "cli/cli.h"

/* The verbs. A consent's file takes no --kind. */
int cmd_facts_import(struct cli *cli, int argc, char **argv);
int cmd_consent_import(struct cli *cli, int argc, char **argv);

/* Who is at this terminal, for the record of changes; "uid 1000" when nobody says. */
const char *cli_user(void);

#endif
