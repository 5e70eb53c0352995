#include "base/errors.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

int errtext_set(struct errtext *e, int err, int line, int column, const char *fmt, ...)
{
    va_list ap;

    if (!e || e->text[0])
        return err;
    e->line = line;
    e->column = column;
    va_start(ap, fmt);
    if (vsnprintf(e->text, sizeof(e->text), fmt, ap) >= (int)sizeof(e->text))
        str_end_whole(e->text);
    va_end(ap);
    return err;
}
