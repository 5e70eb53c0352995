/* contacts_export - furrow contacts export. */
#ifndef CLI_CONTACTS_EXPORT_H
#define CLI_CONTACTS_EXPORT_H

#include "cli/cli.h"

int contacts_export(struct cli *cli, int argc, char **argv);

#endif
