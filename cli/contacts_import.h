/* contacts_import - the verb `furrow contacts import`. */
#ifndef CLI_CONTACTS_IMPORT_H
#define CLI_CONTACTS_IMPORT_H

#include "cli/cli.h"

int contacts_import(struct cli *cli, int argc, char **argv);

#endif
