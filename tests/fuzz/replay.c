/*
 * replay - runs a fuzz target on every file of a directory, and on each of them cut
 * short and with bytes changed, so that the corpus is a test without libFuzzer too.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "fuzz/fuzz.h"

/* A long input is run a sixteenth as often: it costs as much as all the others. */
enum {
    FILE_LIMIT = 4 << 20,
    CUTS = 24,
    CHANGES = 64,
    LONG_BYTES = 1 << 15,
    LONG_LESS = 16
};

static void run(const char *data, size_t len)
{
    /* A block of its own, so that one byte too far is seen. */
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void run_variants(char *data, size_t len)
{
    uint32_t seed = (uint32_t)len;
    size_t less = len > LONG_BYTES ? LONG_LESS : 1;

    run(data, len);
    for (size_t i = 1; i < CUTS / less; i++)
        run(data, len * i / (CUTS / less));
    for (size_t i = 0; i < CHANGES / less && len > 0; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t at = (seed >> 8) % len;
        char kept = data[at];

        data[at] = "\"\n\r,;\0\xFF\t"[seed >> 28 & 7];
        run(data, len);
        data[at] = kept;
    }
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    int n = 0;

    if (!dir)
        return fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]), 2;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[1024], *data = NULL;
        size_t len = 0;

        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] == '.' || files_read(path, FILE_LIMIT, &data, &len))
            continue;
        run_variants(data, len);
        free(data);
        n++;
    }
    closedir(dir);
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
