/* cmd_dnc_lists - the verbs of 'furrow dnc' for registries' lists. */
#ifndef CLI_CMD_DNC_LISTS_H
#define CLI_CMD_DNC_LISTS_H

#include "cli/cli.h"

/* The folder of the installation's lists; free() it. */
char *cli_dnc_dir(const struct cli *cli);
/* Is it 'import --list NAME'? */
bool cmd_dnc_names_list(int argc, char **argv);
int cmd_dnc_import_list(struct cli *cli, int argc, char **argv);
int cmd_dnc_lists(struct cli *cli, int argc, char **argv);
json_t *cli_dnc_lists_of(const struct cli *cli, int64_t phone);

#endif
