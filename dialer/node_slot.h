/*
 * node_slot - which node slot this process had before: a locked file in data_dir, one a
 * process of this host, keeps slot and holder. A restarted dialer finds its old slot at
 * once, without waiting for the lease to lapse. Blocking; used at start.
 */
#ifndef DIALER_NODE_SLOT_H
#define DIALER_NODE_SLOT_H

#include "base/attrs.h"
#include "base/errors.h"
#include "base/uuid.h"

struct pg;

struct node_slot {
    int fd; /* keeps the lock until the process ends */
    int slot;
    struct uuid holder;
};

NODISCARD int node_slot_take(struct node_slot *out, struct pg *pg, const char *data_dir,
                             struct errtext *e);

#endif
