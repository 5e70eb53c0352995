/* A boundary and, behind the first line end, any bytes as a body: parts lie inside it, in
 * order, and a body written from them holds the same parts. */
#include <stdlib.h>
#include <string.h>

#include "base/multipart.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "fuzz/fuzz.h"

static void quoted(struct buf *b, const char *text)
{
    for (; *text; text++)
        buf_printf(b, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void check_again(const struct multipart *m, const char *boundary)
{
    CLEANUP(buf_free) struct buf b = {0};
    struct multipart *again = xcalloc(1, sizeof(*again));
    struct errtext e = {0};

    for (size_t i = 0; i < m->n; i++) {
        buf_printf(&b, "--%s\r\nContent-Disposition: form-data; name=\"", boundary);
        quoted(&b, m->parts[i].name);
        if (m->parts[i].is_file) {
            buf_puts(&b, "\"; filename=\"");
            quoted(&b, m->parts[i].filename);
        }
        buf_puts(&b, "\"\r\n\r\n");
        buf_add(&b, m->parts[i].data, m->parts[i].len);
        buf_puts(&b, "\r\n");
    }
    buf_printf(&b, "--%s--\r\n", boundary);
    if (multipart_read(again, boundary, b.data, b.len, &e) || again->n != m->n)
        abort();
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->parts[i].name, again->parts[i].name) != 0 ||
            strcmp(m->parts[i].filename, again->parts[i].filename) != 0 ||
            m->parts[i].len != again->parts[i].len ||
            memcmp(m->parts[i].data, again->parts[i].data, m->parts[i].len) != 0)
            abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char boundary[MULTIPART_BOUNDARY_MAX];
    struct errtext e = {0};
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;

    if (!line)
        return 0;
    char *type = xasprintf("multipart/form-data; boundary=%.*s", (int)(line - data),
                           (const char *)data);
    size_t len = size - (size_t)(line + 1 - data);
    char *body = xmalloc(len ? len : 1);
    struct multipart *m = xcalloc(1, sizeof(*m));
    memcpy(body, line + 1, len);
    if (!multipart_boundary(type, boundary) &&
        !multipart_read(m, boundary, body, len, &e)) {
        const char *at = body;
        for (size_t i = 0; i < m->n; i++) {
            if (m->parts[i].data < at || m->parts[i].data + m->parts[i].len > body + len)
                abort();
            at = m->parts[i].data + m->parts[i].len;
        }
        check_again(m, boundary);
    }
    free(m);
    free(body);
    free(type);
    return 0;
}
