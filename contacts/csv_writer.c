#include "contacts/csv_writer.h"

#include <stdbool.h>
#include <string.h>

/* A cell that a spreadsheet would take for a formula; a signed number is none. */
static bool is_formula(const char *s)
{
    if (!*s || !strchr("=+-@\t\r", *s))
        return false;
    return strspn(s, "+-") > 1 || s[1 + strspn(s + 1, "0123456789 ()./-")] != '\0';
}

void csv_put_cell(FILE *file, const char *s)
{
    const char *defused = is_formula(s) ? "'" : "";

    if (!strpbrk(s, ",\"\r\n") && !*defused) {
        fputs(s, file);
        return;
    }
    fprintf(file, "\"%s", defused);
    for (; *s; s++) {
        if (*s == '"')
            putc('"', file);
        putc(*s, file);
    }
    putc('"', file);
}
