#include "deploy/asr-local/request_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "base/str.h"

int request_log_open(struct request_log *log, const char *path)
{
    log->fd = -1;
    if (!*path)
        return 0;
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return log->fd < 0 ? errno : 0;
}

void request_log_write(const struct request_log *log, const struct request_line *line)
{
    if (log->fd < 0)
        return;
    json_auto_t *o =
        json_pack("{s:s, s:i, s:I, s:I, s:s?, s:s?}", "id", line->id, "status",
                  line->status, "ms", (json_int_t)line->ms, "bytes",
                  (json_int_t)line->bytes, "text", line->text, "code", line->code);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    struct buf b = {0};
    buf_printf(&b, "%s\n", text ? text : "{}");
    free(text);
    if (write(log->fd, b.data, b.len) != (ssize_t)b.len)
        log_error("asr", "request log id=%s why=\"%s\"", line->id, strerror(errno));
    buf_free(&b);
}

void request_log_close(struct request_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
