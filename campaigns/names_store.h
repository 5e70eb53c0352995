/*
 * names_store - "no trunk 'mian'; did you mean 'main'?": the one way in which
 * the stores of this folder say that a name does not exist. Inside the caller's
 * transaction.
 */
#ifndef CAMPAIGNS_NAMES_STORE_H
#define CAMPAIGNS_NAMES_STORE_H

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

/* noun: "trunk"; table: trunks, flows, lists or campaigns. Returns ENOENT, or pg.h's
 * error when even the names could not be read. */
NODISCARD int names_missing(struct pg *pg, const char *noun, const char *table,
                            const char *written, struct errtext *e);

#endif
