/* Any bytes as a sound file: what is said of them does not depend on what lies behind
 * their end, and a kind has its names. */
#include <stdlib.h>
#include <string.h>

#include "base/audio_probe.h"
#include "base/xalloc.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *own = xmalloc(size ? size : 1); /* so that a byte too far is seen */

    memcpy(own, data, size);
    enum audio_kind kind = audio_probe(own, size);
    if (kind >= AUDIO_KINDS ||
        (kind != AUDIO_NONE) != (audio_kind_name(kind)[0] && audio_kind_demuxer(kind)[0]))
        abort();
    free(own);
    return 0;
}
