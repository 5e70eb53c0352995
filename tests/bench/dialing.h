/* dialing - dialers at work over the simulated carrier, for benchmarks: hopper, two
 * verdicts, gate, pacing in Redis, ledger. Nobody answers (bad numbers), so that flows do
 * not count. Failures end the program with a sentence. */
#ifndef BENCH_DIALING_H
#define BENCH_DIALING_H

#include <stdint.h>
#include <sys/types.h>

struct pg;

/* Private servers, a running campaign of so many contacts, a trunk of so many calls a
 * second; business time is real time. */
struct pg *dialing_begin(int contacts, double cps);
pid_t dialing_start(void); /* one more furrow-dialer */
int64_t dialing_sent(struct pg *pg);

#endif
