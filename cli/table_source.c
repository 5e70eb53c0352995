#include "cli/table_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
    return read(*(const int *)arg, buf, size);
}

int table_source_read(const char *path, struct table_def *def, json_t **rows)
{
    bool in = strcmp(path, "-") == 0;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct errtext e = {0};

    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    *def = (struct table_def){.key = -1};
    int err = table_file_read(read_fd, &fd, def, rows, &e);
    if (!in)
        close(fd);
    if (!err)
        return CLI_OK;
    return cli_fail("%s: %s", path, e.text[0] ? e.text : strerror(err));
}
