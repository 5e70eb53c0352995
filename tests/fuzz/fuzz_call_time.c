/*
 * Any bytes as what a recogniser heard: reading ends, and an instant that is found lies
 * ahead of when it was said, within thirty days of it as asked, and in calling hours.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "contacts/tz.h"
#include "fuzz/fuzz.h"
#include "workers/call_time.h"

static const int64_t said_ms = INT64_C(1795507200000), hour_ms = 3600000;
enum { SPANS = 40 };

static void check(int held)
{
    if (!held)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(free_cleanup) char *text = xcalloc(1, size + 1);
    struct ivr_span open[SPANS];
    struct call_time_place place = {
        .said_ms = said_ms, .now_ms = said_ms + 1000, .open = open, .open_count = SPANS};
    struct call_time t;
    int64_t asked_ms = 0, at_ms = 0;
    int in_hours = 0;

    for (int i = 0; i < SPANS; i++)
        open[i] = (struct ivr_span){said_ms + (24 * i - 2) * hour_ms,
                                    said_ms + (24 * i + 9) * hour_ms};
    check(tz_find("Africa/Addis_Ababa", &place.zone) == 0);
    memcpy(text, data, size);
    if (call_time_read(&t, text) != CALL_TIME_READ ||
        call_time_find(&t, &place, &asked_ms, &at_ms) != CALL_TIME_FOUND)
        return 0;
    check(asked_ms > said_ms && asked_ms <= said_ms + 30 * 24 * hour_ms);
    check(at_ms >= asked_ms && at_ms >= place.now_ms);
    for (int i = 0; i < SPANS; i++)
        in_hours |= at_ms >= open[i].from_ms && at_ms < open[i].until_ms;
    check(in_hours);
    return 0;
}
