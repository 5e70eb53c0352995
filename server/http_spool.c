#include "server/http_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"

enum { SHORT_MS = 30000 };

static atomic_int open_spools;
static _Atomic int64_t refused_ms; /* monotonic; 0 never */

void spool_init(struct spool *s)
{
    *s = (struct spool){.fd = -1};
}

/* Not every file system makes files that have no name from the first. */
static int nameless(const char *dir)
{
    char path[700];

    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    snprintf(path, sizeof(path), "%s/body-XXXXXX", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int spool_open(struct spool *s, const char *dir)
{
    if (atomic_fetch_add(&open_spools, 1) >= SPOOLS_MAX) {
        atomic_fetch_sub(&open_spools, 1);
        atomic_store(&refused_ms, mono_ms());
        return EBUSY;
    }
    int err = files_mkdirs(dir);
    if (!err && (s->fd = nameless(dir)) < 0)
        err = errno;
    if (err)
        atomic_fetch_sub(&open_spools, 1);
    return err;
}

int spool_add(struct spool *s, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(s->fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        at += n;
        len -= (size_t)n;
        s->len += (size_t)n;
    }
    return 0;
}

const char *spool_map(struct spool *s)
{
    if (s->map)
        return s->map;
    void *map = mmap(NULL, s->len, PROT_READ, MAP_PRIVATE, s->fd, 0);
    return s->map = map == MAP_FAILED ? NULL : map;
}

void spool_free(struct spool *s)
{
    if (s->map)
        munmap(s->map, s->len);
    if (s->fd >= 0) {
        close(s->fd);
        atomic_fetch_sub(&open_spools, 1);
    }
    spool_init(s);
}

bool spool_is_short(void)
{
    int64_t at_ms = atomic_load(&refused_ms);

    return at_ms > 0 && mono_ms() - at_ms < SHORT_MS;
}
