#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

static int make_dir(const char *path)
{
    return mkdir(path, 0755) && errno != EEXIST ? errno : 0;
}

int files_mkdirs(const char *path)
{
    char part[PATH_MAX];

    if (str_copy(part, sizeof(part), path))
        return ENAMETOOLONG;
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        int err = make_dir(part);
        *p = '/';
        if (err)
            return err;
    }
    return make_dir(part);
}

int files_mkdirs_for(const char *path)
{
    char dir[PATH_MAX];

    if (str_copy(dir, sizeof(dir), path))
        return ENAMETOOLONG;
    char *slash = strrchr(dir, '/');
    if (!slash || slash == dir)
        return 0;
    *slash = '\0';
    return files_mkdirs(dir);
}

int files_read(const char *path, size_t max, char **out, size_t *len)
{
    CLEANUP(buf_free) struct buf b = {0};
    char block[16384];
    ssize_t n;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    while ((n = read(fd, block, sizeof(block))) > 0 && b.len <= max)
        buf_add(&b, block, (size_t)n);
    int err = n < 0 ? errno : b.len > max ? EMSGSIZE : 0;
    close(fd);
    if (err)
        return err;
    if (len)
        *len = b.len;
    *out = buf_take(&b);
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) ? errno : 0;
}

int files_write_atomic(const char *path, const void *data, size_t len)
{
    CLEANUP(free_cleanup) char *part = xasprintf("%s.%ld.XXXXXX", path, (long)getpid());

    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return errno;
    int err = write_all(fd, data, len);
    if (!err && fchmod(fd, 0644))
        err = errno;
    if (close(fd) && !err)
        err = errno;
    if (!err && rename(part, path))
        err = errno;
    if (err)
        unlink(part);
    return err;
}
