#include "dialer/node_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/pg.h"
#include "campaigns/slot_store.h"

enum { FILES_MAX = 64, TEXT_MAX = 80 };

/* The first file that no living process holds, nor another user owns. */
static int lock_one(const char *dir)
{
    char path[600];

    for (int i = 0; i < FILES_MAX; i++) {
        snprintf(path, sizeof(path), "%s/dialer-%d", dir, i);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 && errno == EACCES && access(path, F_OK) == 0)
            continue;
        if (fd < 0)
            return -1;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        close(fd);
    }
    errno = EBUSY;
    return -1;
}

static void read_old(struct node_slot *s)
{
    char text[TEXT_MAX] = "", id[UUID_TEXT_MAX] = "";
    int slot = -1;
    struct uuid holder;

    ssize_t n = pread(s->fd, text, sizeof(text) - 1, 0);
    if (n > 0 && sscanf(text, "%d %36s", &slot, id) == 2 && slot >= -1 &&
        uuid_parse(id, &holder) == 0) {
        s->slot = slot;
        s->holder = holder;
    }
}

static void write_new(const struct node_slot *s)
{
    char text[TEXT_MAX], id[UUID_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "%d %s\n", s->slot, uuid_text(&s->holder, id));

    if (ftruncate(s->fd, 0) || pwrite(s->fd, text, (size_t)n, 0) != n)
        log_warn("dialer", "slot=%d its file could not be written: %s", s->slot,
                 strerror(errno));
}

int node_slot_take(struct node_slot *out, struct pg *pg, const char *data_dir,
                   struct errtext *e)
{
    struct node_slot s = {.fd = -1, .slot = -1, .holder = uuid_v7(clock_real_ms())};
    char host[128] = "", dir[560];

    snprintf(dir, sizeof(dir), "%s/slots", data_dir);
    int err = files_mkdirs(dir);
    if (!err && (s.fd = lock_one(dir)) < 0)
        err = errno;
    if (err)
        return errtext_set(e, err, 0, 0, "%s: %s", dir, strerror(err));
    read_old(&s);
    gethostname(host, sizeof(host) - 1);
    write_new(&s); /* should the answer be lost, it is known who took the slot */
    err = slot_take(pg, "dialer", s.slot, &s.holder, host, getpid(), &s.slot);
    if (err) {
        close(s.fd);
        return errtext_set(e, err, 0, 0, "node slot: %s", pg_error(pg));
    }
    write_new(&s);
    *out = s;
    return 0;
}
