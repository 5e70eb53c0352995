/* trunk_kinds - the ops of every kind, for the table in trunk.c alone. */
#ifndef DIALER_TRUNK_KINDS_H
#define DIALER_TRUNK_KINDS_H

#include "dialer/trunk.h"

extern const struct trunk_ops trunk_ari;
extern const struct trunk_ops trunk_plivo;
extern const struct trunk_ops trunk_simulated;
extern const struct trunk_ops trunk_twilio;

#endif
