/* doctor - what furrow doctor finds, a line at a time. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "campaigns/provider.h"
#include "cli/cli.h"

enum grade { OK, WARN, FAIL };

struct doctor {
    struct cli *cli;
    bool json;
    json_t *lines;
    int fails;
};

/* detail says what to do when grade is not OK. */
void doctor_found(struct doctor *d, const char *what, enum grade grade, const char *fmt,
                  ...) PRINTF_LIKE(4, 5);

/* The database is open. Do-not-call lists and washes that campaigns and the packs of
 * their regions ask for. */
void doctor_look_at_lists(struct doctor *d);
void doctor_look_at_trunks(struct doctor *d);
/* furrow-server, where its contracts are reached and who may ask them. */
void doctor_look_at_server(struct doctor *d);
/* Accounts at providers: does the token open, is anybody called in, does the public URL
 * lead here. */
void doctor_look_at_providers(struct doctor *d);
/* The account with its token. 0, or an errno with a text. */
NODISCARD int doctor_open_account(struct doctor *d, const char *name,
                                  struct provider *out, struct errtext *e);
/* Speech service and language model, as this environment names them; ffmpeg. */
void doctor_look_at_services(struct doctor *d);

#endif
