/* sms - what the files of `furrow sms` share. */
#ifndef CLI_SMS_H
#define CLI_SMS_H

#include <stdbool.h>

#include "cli/cli.h"

/* What was given; NULL: it was not. */
struct sms_command {
    const char *account, *sender, *zone, *transliterate, *price, *currency, *service,
        *cap, *state, *limit, *region;
    bool json, wait;
};

/* allowed: letters of the options that the verb takes, see cmd_sms.c. Of words behind the
 * options there must be as many. A code of cli.h; what is wrong was said. */
int sms_parse(struct sms_command *c, int argc, char **argv, const char *allowed,
              int words);

/* Verbs: sms_settings.c, sms_test.c */
int sms_set(struct cli *cli, int argc, char **argv);
int sms_show(struct cli *cli, int argc, char **argv);
int sms_unset(struct cli *cli, int argc, char **argv);
int sms_test(struct cli *cli, int argc, char **argv);

#endif
