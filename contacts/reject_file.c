#include "contacts/reject_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/csv_writer.h"

struct reject_file {
    char *path, *part; /* part NULL: written directly */
    FILE *file;
};

static int failed(const struct reject_file *f, int err, struct errtext *e)
{
    return errtext_set(e, err, 0, 0, "the reject file %s cannot be written: %s", f->path,
                       strerror(err));
}

int reject_file_open(struct reject_file **out, const char *path, struct errtext *e)
{
    struct reject_file *f = xcalloc(1, sizeof(*f));

    struct stat st;

    f->path = xstrdup(path);
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        f->part = xasprintf("%s.part", path);
    f->file = fopen(f->part ? f->part : path, "we");
    if (!f->file || fputs("line,column,value,reason,hint\n", f->file) == EOF) {
        int err = failed(f, errno, e);
        reject_file_abandon(f);
        return err;
    }
    *out = f;
    return 0;
}

void reject_value(const char *value, char out[REJECT_VALUE_MAX + 1])
{
    size_t len = strnlen(value, REJECT_VALUE_MAX);

    memcpy(out, value, len);
    out[len] = '\0';
    /* A character that the cut went through goes as a whole. */
    for (bool cut = len == REJECT_VALUE_MAX;
         cut && len > REJECT_VALUE_MAX - 4 && !str_is_utf8(out, len);)
        out[--len] = '\0';
    if (str_is_utf8(out, len))
        return;
    for (char *p = out; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
}

void reject_file_put(struct reject_file *f, int64_t line, const char *column,
                     const char *value, const char *reason, const char *hint)
{
    char cut[REJECT_VALUE_MAX + 1];

    reject_value(value, cut);
    fprintf(f->file, "%" PRId64 ",", line);
    csv_put_cell(f->file, column);
    putc(',', f->file);
    csv_put_cell(f->file, cut);
    fprintf(f->file, ",%s,", reason);
    csv_put_cell(f->file, hint);
    putc('\n', f->file);
}

int reject_file_add(struct reject_file *f, const struct import_reject *rejects, size_t n,
                    struct errtext *e)
{
    for (size_t i = 0; i < n; i++)
        reject_file_put(f, rejects[i].line, rejects[i].column, rejects[i].value,
                        import_reason_name(rejects[i].reason), rejects[i].hint);
    return ferror(f->file) ? failed(f, errno ? errno : EIO, e) : 0;
}

int reject_file_sync(struct reject_file *f, struct errtext *e)
{
    if (fflush(f->file) || ferror(f->file))
        return failed(f, errno ? errno : EIO, e);
    return f->part && fsync(fileno(f->file)) ? failed(f, errno, e) : 0;
}

int reject_file_finish(struct reject_file *f, struct errtext *e)
{
    int err = reject_file_sync(f, e);

    if (!err && f->part && rename(f->part, f->path))
        err = failed(f, errno, e);
    reject_file_abandon(f);
    return err;
}

void reject_file_abandon(struct reject_file *f)
{
    if (!f)
        return;
    if (f->file)
        fclose(f->file);
    if (f->part)
        unlink(f->part);
    free(f->path);
    free(f->part);
    free(f);
}
