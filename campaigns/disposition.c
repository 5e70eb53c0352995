#include "campaigns/disposition.h"

#include <string.h>

static const char *const names[] = {"completed",   "busy",       "no_answer",  "rejected",
                                    "unreachable", "bad_number", "congestion", "config",
                                    "canceled",    "failed",     "unknown",    "machine",
                                    "message"};
_Static_assert(ARRAY_LEN(names) == DISPOSITIONS, "a name for every disposition");

/* Q.850 cause → disposition of a call that was never up. */
static const struct {
    int cause;
    enum disposition disposition;
} causes[] = {
    {1, DISPOSITION_BAD_NUMBER},   {2, DISPOSITION_CONFIG},
    {3, DISPOSITION_CONFIG},       {16, DISPOSITION_CANCELED},
    {17, DISPOSITION_BUSY},        {18, DISPOSITION_NO_ANSWER},
    {19, DISPOSITION_NO_ANSWER},   {20, DISPOSITION_UNREACHABLE},
    {21, DISPOSITION_REJECTED},    {22, DISPOSITION_BAD_NUMBER},
    {26, DISPOSITION_CANCELED},    {27, DISPOSITION_UNREACHABLE},
    {28, DISPOSITION_BAD_NUMBER},  {34, DISPOSITION_CONGESTION},
    {38, DISPOSITION_CONGESTION},  {41, DISPOSITION_CONGESTION},
    {42, DISPOSITION_CONGESTION},  {43, DISPOSITION_CONGESTION},
    {44, DISPOSITION_CONGESTION},  {50, DISPOSITION_CONFIG},
    {52, DISPOSITION_CONFIG},      {54, DISPOSITION_CONFIG},
    {57, DISPOSITION_CONFIG},      {58, DISPOSITION_CONFIG},
    {65, DISPOSITION_CONFIG},      {66, DISPOSITION_CONFIG},
    {69, DISPOSITION_CONFIG},      {88, DISPOSITION_CONFIG},
    {102, DISPOSITION_CONGESTION},
};

/* What the Dial event says, for the ends that carry no cause. */
static const struct {
    const char *status;
    enum disposition disposition;
} dial_statuses[] = {
    {"BUSY", DISPOSITION_BUSY},
    {"NOANSWER", DISPOSITION_NO_ANSWER},
    {"CONGESTION", DISPOSITION_CONGESTION},
    {"CHANUNAVAIL", DISPOSITION_UNREACHABLE},
    {"CANCEL", DISPOSITION_CANCELED},
};

static enum disposition from_cause(const struct disposition_facts *f)
{
    /* Cause 21 stands for a declining person and for a trunk that does not know
     * us; only the SIP status tells them apart. */
    if (f->tech_cause == 401 || f->tech_cause == 403 || f->tech_cause == 407)
        return DISPOSITION_CONFIG;
    /* Too many calls: the cause is one that says nothing (127), or another's. */
    if (f->tech_cause == 429 || f->tech_cause == 503)
        return DISPOSITION_CONGESTION;
    for (size_t i = 0; i < ARRAY_LEN(causes); i++)
        if (causes[i].cause == f->cause)
            return causes[i].disposition;
    for (size_t i = 0; f->cause == 0 && f->dial_status && i < ARRAY_LEN(dial_statuses);
         i++)
        if (strcmp(dial_statuses[i].status, f->dial_status) == 0)
            return dial_statuses[i].disposition;
    return DISPOSITION_FAILED;
}

enum disposition disposition_from(const struct disposition_facts *f)
{
    if (f->was_up)
        return DISPOSITION_COMPLETED;
    if (f->ring_timeout)
        return DISPOSITION_NO_ANSWER;
    if (f->we_hung_up)
        return DISPOSITION_CANCELED;
    return from_cause(f);
}

const char *disposition_name(enum disposition d)
{
    return names[d];
}

bool disposition_parse(const char *name, enum disposition *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum disposition)i;
            return true;
        }
    }
    return false;
}
