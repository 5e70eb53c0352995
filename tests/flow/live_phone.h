/*
 * live_phone - a dialer with live calls on a loop, a real Postgres, and in place of a
 * switch a phone that does what its script says: answers, never answers, hangs up in
 * mid-prompt, presses keys early. What it was asked is counted. One call at a time.
 */
#ifndef TESTS_FLOW_LIVE_PHONE_H
#define TESTS_FLOW_LIVE_PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/pg.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/live_call.h"
#include "store/pgtest.h"

enum { TENANT = 1, RECORD_WAIT_MS = 10000, QUEUE_MAX = 64 };

extern uv_loop_t loop;
extern struct dialer dialer;
extern struct pg *pg;

/* ---- the phone ---- */

enum op {
    OP_NONE,
    OP_PLAY,
    OP_PLAY_STOP,
    OP_RECORD,
    OP_RECORD_STOP,
    OP_DIAL,
    OP_HANG_UP
};
enum deed {
    DO_NOTHING,
    DO_PLAYED,
    DO_FAIL,
    DO_KEYS,
    DO_HANG_UP,
    DO_RECORDED,
    DO_DIALLED
};

/* At the nth call (1…, 0 each) of op; without an act an op is answered as hoped. */
struct act {
    enum op on;
    int nth;
    enum deed deed;
    const char *keys;
    enum ivr_recorded recorded;
    enum ivr_dialled dialled;
};

struct phone {
    struct uuid call;
    const struct act *acts;
    int counts[OP_HANG_UP + 1];
    int moh_on, moh_off, moh_now;
    char name[160], reason[32], dialled[32], media[8][512];
    uint32_t play_id;
    bool playing, gone;
    struct live_event queue[QUEUE_MAX];
    size_t head, tail;
    uv_timer_t timer;
    int ended;
    struct live_result result;
    char outcome[32];
};
extern struct phone phone;
extern const struct live_phone_ops sim_ops, ari_ops;

/* ---- running a call ---- */

/* Runs the loop until done() says so; fails the program after half a minute. */
void run_until(bool (*done)(void));
bool call_is_over(void);

/* Flows stand in tests with ' for ". Each gives the revision. */
int64_t publish(const char *flow);
NODISCARD int begin_of(int64_t revision, const struct act *acts,
                       const struct live_phone_ops *ops);
NODISCARD int begin(const char *flow, const struct act *acts,
                    const struct live_phone_ops *ops);
void whole_call(const char *flow, const struct act *acts);

/* Rows of this call: count("recordings WHERE state = 'live'"). */
int64_t count(const char *what);
void expect_outcome(const char *outcome);
void expect_recording(const char *state);

/* ---- flows ---- */

#define HEAD "{'furrow': 1, 'name': 'test', 'language': 'en', 'languages': ['en', 'am'], "
/* A choice, and what is recorded after it. */
#define MENU                                                                             \
    HEAD "'global_keys': {'9': 'opt_out'}, 'entry': 'hear', 'nodes': {"                  \
         "'hear': {'kind': 'say', 'prompt': {'en': 'This call is recorded.', "           \
         "'am': 'X'}, 'exits': {'done': 'menu', 'failed': 'lost'}},"                     \
         "'menu': {'kind': 'collect', 'prompt': {'en': 'One or two?', 'am': 'Y'}, "      \
         "'into': 'choice', 'timeout_s': 1, 'attempts': 1, 'exits': {'1': 'speak', "     \
         "'2': 'bye', 'invalid': 'bye', 'no_input': 'bye'}},"                            \
         "'speak': {'kind': 'record', 'prompt': {'en': 'Speak.', 'am': 'Z'}, "           \
         "'finish': 'any', 'pipeline': 'command', 'exits': {'recorded': 'bye', "         \
         "'empty': 'nothing', 'failed': 'lost'}},"                                       \
         "'bye': {'kind': 'hangup', 'prompt': {'en': 'Bye.', 'am': 'B'}},"               \
         "'nothing': {'kind': 'hangup', 'outcome': 'nothing'},"                          \
         "'lost': {'kind': 'hangup', 'outcome': 'lost'}}}"
extern const struct act one_at_the_menu[];

/* Of a group of tests. With a call in the middle nothing leaks and nothing is touched
 * afterwards. */
int live_setup(void **state);
int live_teardown(void **state);

#endif
