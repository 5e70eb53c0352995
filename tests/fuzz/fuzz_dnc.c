/* Any bytes as a registry's file: no crash, and what is counted was read. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/errors.h"
#include "compliance/dnc_build.h"
#include "fuzz/fuzz.h"

static char dir[] = "/tmp/furrow-fuzz-dnc-XXXXXX";

static void remove_dir(void)
{
    rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    struct dnc_build_options o = {.dir = dir, .name = "us.fuzz"};
    struct dnc_build *b = NULL;
    struct errtext e = {0};

    if (!made) {
        if (!mkdtemp(dir))
            abort();
        made = true;
        atexit(remove_dir);
    }
    if (size == 0)
        return 0;
    o.name = data[0] & 1 ? "gb.fuzz" : "us.fuzz";
    if (dnc_build_new(&b, &o, &e))
        abort();
    size_t step = 1 + data[0] % 64;
    int err = 0;
    for (size_t at = 1; !err && at < size; at += step)
        err = dnc_build_feed(b, (const char *)data + at,
                             size - at < step ? size - at : step, &e);
    if (!err)
        err = dnc_build_end_file(b, &e);
    if (err && !e.text[0])
        abort(); /* every refusal says why */
    dnc_build_free(b);
    return 0;
}
