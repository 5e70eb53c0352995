/*
 * clock - the only source of time.
 *
 * Business time (clock_now_ms) is what rules, rows and schedules use. It is the
 * machine's wall clock, or a declared virtual clock: FURROW_CLOCK=START@SCALE,
 * START an RFC 3339 instant, SCALE how many business seconds pass in one real
 * second. A virtual clock has one epoch row in Postgres (clock_share), so that
 * all processes of an installation agree. Tests step business time through a
 * file named by FURROW_CLOCK_OFFSET_FILE which holds an offset in ms as text;
 * the machine's own clock is never touched.
 *
 * Monotonic real time (mono_ms) is for permits, leases and socket timeouts.
 * Business time is always passed to rules as an argument; nothing here is
 * called below the process level. Thread-safe after clock_init.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

/* spec: NULL, "" or "real", else START@SCALE. EINVAL with a text otherwise. */
NODISCARD int clock_init(const char *spec, struct errtext *e);
/* Agree with the other processes: the first writes the epoch row of a virtual
 * clock, the others take it over. EINVAL when the row says another clock. */
NODISCARD int clock_share(struct pg *pg, struct errtext *e);

int64_t clock_now_ms(void);  /* business time, epoch ms UTC */
int64_t clock_real_ms(void); /* the machine's wall clock, never virtual */
int64_t mono_ms(void);       /* monotonic real time */
int64_t mono_us(void);
void mono_cond_init(pthread_cond_t *cond); /* whose timed waits are until a mono_ms() */
bool clock_is_virtual(void);
/* Business ms that pass in so many real ones, however the clock is set meanwhile. */
int64_t clock_business_ms(int64_t real_ms);
/* Real ms until business time has advanced by ms (at least 1 for ms > 0). */
int64_t clock_real_delay_ms(int64_t business_ms);

enum { CLOCK_TEXT_MAX = 32 };
/* "2026-11-24T08:00:00Z" (ms cut). */
const char *clock_text(int64_t at_ms, char out[CLOCK_TEXT_MAX]);
/* RFC 3339 with Z or offset, seconds and fraction optional. EBADMSG else. */
NODISCARD int clock_parse(const char *text, int64_t *out_ms);

#endif
