#include "cli/content_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 65536 };

static int copy_fd(int from, int to)
{
    static char block[BLOCK];
    ssize_t n;

    while ((n = read(from, block, sizeof(block))) > 0)
        for (ssize_t done = 0, part = 0; done < n; done += part)
            if ((part = write(to, block + done, (size_t)(n - done))) < 0)
                return errno;
    return n < 0 ? errno : 0;
}

static int copy_to_new(int from, const char *to, int mode, struct errtext *e)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return errtext_set(e, errno, 0, 0, "%.250s: %s", to, strerror(errno));
    int err = copy_fd(from, fd);
    if (!err && fsync(fd) && errno != EINVAL)
        err = errno;
    if (close(fd) && !err)
        err = errno;
    if (err)
        unlink(to);
    return err ? errtext_set(e, err, 0, 0, "%.250s: %s", to, strerror(err)) : 0;
}

int content_copy_file(const char *from, const char *to, struct errtext *e)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errtext_set(e, errno, 0, 0, "%.250s: %s", from, strerror(errno));
    int err = copy_to_new(fd, to, 0644, e);
    close(fd);
    return err;
}

int content_save(const struct cli *cli, enum content_shelf shelf, const char *sha256,
                 const char *file)
{
    struct content content;
    struct errtext e = {0};
    int64_t bytes = 0;
    int fd = -1;

    int err = content_init(&content, &cli->config.common, &e);
    if (!err)
        err = content_open(&content, NULL, shelf, sha256, &fd, &bytes, &e);
    if (err)
        return cli_fail("%s", e.text);
    err = copy_to_new(fd, file, 0600, &e);
    close(fd);
    if (err)
        return cli_fail("%s", e.text);
    printf("%" PRId64 " bytes in %s\n", bytes, file);
    return CLI_OK;
}
