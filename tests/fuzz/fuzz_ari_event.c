/* Any bytes: a whole event or none, and no text of it is missing. */
#include <stdlib.h>
#include <string.h>

#include "dialer/ari_event.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ari_event ev;

    if (ari_event_parse((const char *)data, size, &ev))
        return 0;
    const char *const texts[] = {
        ev.application, ev.channel,  ev.channel_state,  ev.caller,    ev.arg,
        ev.dial_status, ev.playback, ev.playback_state, ev.recording, ev.recording_cause};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!texts[i] || strlen(texts[i]) > size)
            abort();
    if (ev.cause < 0 || ev.tech_cause < 0 || ev.duration_s < -1)
        abort();
    ari_event_free(&ev);
    return 0;
}
