/*
 * simulated_script - what the simulated carrier's people do. Every outcome is a pure
 * function of the seed, the number called and the attempt's number: the same seed gives
 * the same table whatever the timing or the order.
 *
 * Settings of such a trunk (JSON object; probabilities add up to at most 1, the rest
 * does not answer, or stays silent):
 *   seed                                           a number or a text
 *   answer busy no_answer rejected congestion bad_number
 *   ring_s                                         [least, most]
 *   machine                                        of the answers: a machine
 *   greeting_s                                     [least, most] of a machine
 *   speak opt_out hang_up                          of those who answer
 *   think_s                                        [least, most] from a prompt's end to a
 *                                                  key; [1, 1]
 *   keys                                           pressed at most, then they hang up; 6
 *   voices                                         manifest [{"file","text"}] or ""
 */
#ifndef DIALER_SIMULATED_SCRIPT_H
#define DIALER_SIMULATED_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct simulated_settings {
    uint64_t seed;
    double answer, busy, rejected, congestion, bad_number;
    double ring_min_s, ring_max_s;
    double machine, greeting_min_s, greeting_max_s;
    double speak, opt_out, hang_up;
    double think_min_s, think_max_s;
    int keys;
    char voices[512];
};

enum simulated_outcome {
    SIMULATED_ANSWER,
    SIMULATED_BUSY,
    SIMULATED_NO_ANSWER,
    SIMULATED_REJECTED,
    SIMULATED_CONGESTION,
    SIMULATED_BAD_NUMBER,
};

enum simulated_manner {
    SIMULATED_SILENT,
    SIMULATED_SPEAKS,
    SIMULATED_OPTS_OUT,
    SIMULATED_HANGS_UP,
};

struct simulated_script {
    enum simulated_outcome outcome;
    enum simulated_manner manner; /* once answered */
    int64_t ring_ms;              /* until the outcome; business time */
    uint64_t voice;               /* modulo the number of voices */
    int64_t greeting_ms;          /* of a machine that answers; 0: a person answers */
    int64_t think_ms;             /* from a prompt's end to the key */
};

/* EINVAL with a text that names the field. */
NODISCARD int simulated_settings_parse(struct simulated_settings *out, const char *json,
                                       struct errtext *e);
/* The same, and no field that there is not: for who writes settings. A dialer reads those
 * that were written before. */
NODISCARD int simulated_settings_check(const char *json, struct errtext *e);
void simulated_script(const struct simulated_settings *s, int64_t phone, int number,
                      struct simulated_script *out);

#endif
