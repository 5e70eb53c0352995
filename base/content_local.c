/* content in files below data_dir. A reader never sees half of one: it is renamed into
 * its place when it is whole and on the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/content_ops.h"
#include "base/files.h"

static int say(struct errtext *e, int err, const char *name)
{
    return errtext_set(e, err, 0, 0, "%.200s: %s", name, strerror(err));
}

static int sync_dir_of(const char *name)
{
    char dir[CONTENT_NAME_MAX];

    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(name, '/') - name), name);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int err = fsync(fd) ? errno : 0;
    close(fd);
    return err;
}

static int put(const struct content *c, struct http *http, const char *name,
               const char *sha256, const char *path, int64_t bytes, struct errtext *e)
{
    (void)c, (void)http, (void)sha256, (void)bytes;
    int err = files_mkdirs_for(name);
    if (!err && rename(path, name))
        err = errno;
    if (!err)
        err = sync_dir_of(name);
    return err ? say(e, err, name) : 0;
}

static int open_file(const struct content *c, struct http *http, const char *name,
                     int *fd, struct errtext *e)
{
    (void)c, (void)http;
    *fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return *fd < 0 ? say(e, errno, name) : 0;
}

static int has(const struct content *c, struct http *http, const char *name,
               struct errtext *e)
{
    (void)c, (void)http;
    return access(name, R_OK) ? say(e, errno, name) : 0;
}

static int remove_file(const struct content *c, struct http *http, const char *name,
                       struct errtext *e)
{
    (void)c, (void)http;
    return unlink(name) && errno != ENOENT ? say(e, errno, name) : 0;
}

static int check(const struct content *c, struct http *http, struct errtext *e)
{
    (void)http;
    return access(c->base, W_OK | X_OK) ? say(e, errno, c->base) : 0;
}

const struct content_ops content_local = {
    .put = put, .open = open_file, .has = has, .remove = remove_file, .check = check};
