/* call_store_submit - inside the transaction of a call's step: commands for the jobs. */
#ifndef CAMPAIGNS_CALL_STORE_SUBMIT_H
#define CAMPAIGNS_CALL_STORE_SUBMIT_H

#include "base/attrs.h"
#include "campaigns/call_store.h"

/* The i-th of the step's. What was submitted before is nothing new. */
NODISCARD int call_submit_write(struct pg *pg, const struct call_step *s, size_t i);

#endif
