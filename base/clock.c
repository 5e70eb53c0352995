#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/pg.h"

enum { OFFSET_FILE_BYTES = 32 };

/* Written by clock_init and clock_share before threads start, read after. */
static struct {
    bool is_virtual;
    int64_t virtual_start_ms, real_start_ms;
    double scale;
    const char *offset_text; /* mmap of OFFSET_FILE_BYTES, or NULL */
} state = {.scale = 1.0};

static int64_t read_ms(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_real_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

void mono_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int64_t mono_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

bool clock_is_virtual(void)
{
    return state.is_virtual;
}

static int64_t offset_ms(void)
{
    char text[OFFSET_FILE_BYTES + 1];

    if (!state.offset_text)
        return 0;
    memcpy(text, state.offset_text, OFFSET_FILE_BYTES);
    text[OFFSET_FILE_BYTES] = '\0';
    return strtoll(text, NULL, 10);
}

int64_t clock_now_ms(void)
{
    int64_t now = clock_real_ms();

    if (state.is_virtual)
        now = state.virtual_start_ms +
              (int64_t)llround((double)(now - state.real_start_ms) * state.scale);
    return now + offset_ms();
}

int64_t clock_business_ms(int64_t real_ms)
{
    return (int64_t)llround((double)real_ms * state.scale);
}

int64_t clock_real_delay_ms(int64_t business_ms)
{
    if (business_ms <= 0)
        return 0;
    int64_t real = (int64_t)ceil((double)business_ms / state.scale);
    return real > 0 ? real : 1;
}

/* The file is made as long as the mapping, so that reading it never faults. */
static int map_offset_file(const char *path, struct errtext *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return errtext_set(e, errno, 0, 0, "clock offset file %s: %s", path,
                           strerror(errno));
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < OFFSET_FILE_BYTES && ftruncate(fd, OFFSET_FILE_BYTES)) {
        int err = errno;
        close(fd);
        return errtext_set(e, err, 0, 0, "clock offset file %s: %s", path, strerror(err));
    }
    void *p = mmap(NULL, OFFSET_FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return errtext_set(e, errno, 0, 0, "clock offset file %s: mmap failed", path);
    state.offset_text = p;
    return 0;
}

int clock_init(const char *spec, struct errtext *e)
{
    const char *offset_file = getenv("FURROW_CLOCK_OFFSET_FILE");

    if (offset_file && *offset_file) {
        int err = map_offset_file(offset_file, e);
        if (err)
            return err;
    }
    state.is_virtual = false;
    state.scale = 1.0;
    if (!spec || !*spec || strcmp(spec, "real") == 0)
        return 0;

    const char *at = strchr(spec, '@');
    char start[CLOCK_TEXT_MAX + 8];
    char *end = NULL;
    if (!at || (size_t)(at - spec) >= sizeof(start))
        return errtext_set(e, EINVAL, 0, 0,
                           "clock '%s': want 'real' or START@SCALE, "
                           "e.g. 2026-11-24T06:00:00Z@60",
                           spec);
    memcpy(start, spec, (size_t)(at - spec));
    start[at - spec] = '\0';
    state.scale = strtod(at + 1, &end);
    if (clock_parse(start, &state.virtual_start_ms) || *end || !(state.scale > 0) ||
        state.scale > 100000)
        return errtext_set(e, EINVAL, 0, 0,
                           "clock '%s': START must be an RFC 3339 instant and SCALE a "
                           "number above 0 and up to 100000",
                           spec);
    state.real_start_ms = clock_real_ms();
    state.is_virtual = true;
    return 0;
}

int clock_share(struct pg *pg, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, state.is_virtual ? "virtual" : "real");
    pg_arg_i64(&a, state.virtual_start_ms);
    pg_arg_i64(&a, state.real_start_ms);
    pg_arg_double(&a, state.scale);
    int err =
        pg_run(pg, NULL,
               "INSERT INTO clock_epoch (mode, virtual_start_ms, real_start_ms, scale) "
               "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
               &a);
    if (!err)
        err = pg_run(
            pg, &res,
            "SELECT mode, virtual_start_ms, real_start_ms, scale FROM clock_epoch", NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "clock epoch: %s", pg_error(pg));
    bool row_virtual = strcmp(PQgetvalue(res, 0, 0), "virtual") == 0;
    if (row_virtual != state.is_virtual)
        return errtext_set(e, EINVAL, 0, 0,
                           "this database runs on a %s clock, this process was told a %s "
                           "one (FURROW_CLOCK); use another database or the same clock",
                           row_virtual ? "virtual" : "real",
                           row_virtual ? "real" : "virtual");
    state.virtual_start_ms = pg_i64(res, 0, 1);
    state.real_start_ms = pg_i64(res, 0, 2);
    state.scale = strtod(PQgetvalue(res, 0, 3), NULL);
    return 0;
}
