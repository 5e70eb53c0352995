/* dialing - dialers at work over the simulated carrier, for benchmarks: hopper, two
 * verdicts, gate, pacing in Redis, ledger. Failures end the program with a sentence. */
#ifndef BENCH_DIALING_H
#define BENCH_DIALING_H

#include <stdint.h>
#include <sys/types.h>

struct pg;

struct dialing {
    int contacts, max_channels; /* 0 channels: 2000 */
    double cps;
    const char *settings;  /* of the trunk; NULL: bad numbers all, so that flows do not
                              count */
    const char *flow_text; /* NULL: the demo's */
};

/* Private servers, a running campaign, a trunk; business time is real time. */
struct pg *dialing_begin(const struct dialing *how);
/* One more furrow-dialer; what it says goes to that file (NULL: to stderr). */
pid_t dialing_start(const char *log_path);
int64_t dialing_sent(struct pg *pg);

#endif
