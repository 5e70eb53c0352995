/*
 * runner - what runner.c, runner_pace.c and runner_claim.c share. For these files alone;
 * sweep_parts.h has what the sweep asks of runners.
 *
 * A runner is one running campaign on one of its trunks, in this process. It holds a
 * stock of attempts whose permits were minted, at most what the pace can send before they
 * die, and asks pacing for the first of them; GO sends it. The stock's head stays while
 * it is being asked for. Whatever cannot be sent is withdrawn: the contact waits again,
 * no call is lost.
 */
#ifndef DIALER_RUNNER_H
#define DIALER_RUNNER_H

#include "dialer/sweep_parts.h"

enum { STOCK_MAX = 256 };

struct item {
    struct attempt_row row;
    struct permit *permit;
    int64_t got_at_ms;          /* monotonic, just after it was minted */
    struct limit_row caller_id; /* of the pool's number that it shows; id 0: none */
};

struct runner {
    struct runner *next;
    struct sweep *sweep;
    struct campaign_facts facts;
    struct trunk *trunk; /* NULL: it cannot be opened */
    bool running, claiming, taking, trunk_held, closing;
    bool active; /* the last claim found something */
    bool usable; /* as it was last said, where the campaign has several trunks */
    double sent; /* claimed over this trunk; for the shares of several */
    unsigned seen;
    struct item stock[STOCK_MAX];
    size_t n;
    int64_t claim_at_ms, take_at_ms; /* monotonic */
    double share_at_ms; /* the same: when its share of the pace lets the next one go */
    uv_timer_t timer;
};

/* ---- runner.c ---- */

/* The contact waits again. */
void runner_withdraw(struct runner *r, struct item *item, bool has_slots,
                     const char *note);
/* Asks pacing for the head of the stock, unless it is too early. */
void runner_pump(struct runner *r);

/* ---- runner_pace.c ---- */

/* How many to claim now; 0 none. */
size_t runner_want(const struct runner *r);
/* Among the trunks of its campaign it is this one's turn. */
bool runner_may(const struct runner *r);
void runner_count_sent(struct runner *r, size_t claimed);
/* Says when its trunk is passed over; the others' shares begin anew when it is back. */
void runner_look_at_use(struct runner *r);
/* Until its part of the pace lets the next one go; and: one went. */
int64_t runner_share_wait_ms(const struct runner *r);
void runner_share_used(struct runner *r);

/* ---- runner_claim.c ---- */

/* Begins a claim when its stock wants one. */
void runner_claim(struct runner *r);

#endif
