/*
 * listening - the ear of one answered call until it is known who answered: machine.h with
 * a timer.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_LISTENING_H
#define DIALER_LISTENING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/machine.h"

struct dialer;
struct listening;

/* Told the verdict once; for MACHINE_MACHINE and a rule with a message a second time,
 * with records, when the machine records. Never from inside listening_new. It may free
 * the listening. */
typedef void(listening_fn)(struct dialer *d, const struct uuid *attempt,
                           enum machine_verdict verdict, bool records);

/* The call was answered now. */
struct listening *listening_new(struct dialer *d, const struct uuid *attempt,
                                const struct machine_rule *rule, listening_fn *told);
void listening_free(struct listening *l); /* NULL is allowed */
/* at_ms: business time. */
void listening_talk(struct listening *l, bool talking, int64_t at_ms);
void listening_beep(struct listening *l, int64_t at_ms);

#endif
