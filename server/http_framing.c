#include "server/http_framing.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "base/attrs.h"

struct framing {
    const char *length, *coding, *host; /* the first of each; NULL: none */
    const char *error;
};

/* RFC 9110, 5.6.2. A blank before the colon would hide the header from us alone. */
static bool is_token(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

    return *name && name[strspn(name, letters)] == '\0';
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static enum MHD_Result look(void *arg, enum MHD_ValueKind kind, const char *name,
                            const char *value)
{
    struct framing *f = arg;

    (void)kind;
    value = value ? value : "";
    if (!is_token(name)) {
        f->error = "a header's name has blanks or other letters than names may have";
    } else if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        if (!is_number(value) || (f->length && strcmp(f->length, value) != 0))
            f->error = "Content-Length is no number, or is given twice and differs";
        f->length = value;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        if (f->coding || strcasecmp(value, "chunked") != 0)
            f->error = "the only Transfer-Encoding is chunked, once";
        f->coding = value;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
        if (f->host)
            f->error = "Host is given twice";
        f->host = value;
    }
    return f->error ? MHD_NO : MHD_YES;
}

const char *http_framing_error(struct MHD_Connection *c, const char *version)
{
    struct framing f = {0};

    (void)MHD_get_connection_values(c, MHD_HEADER_KIND, look, &f);
    if (f.error)
        return f.error;
    if (f.length && f.coding)
        return "Content-Length and Transfer-Encoding in one request";
    if (f.coding && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
        return "Transfer-Encoding is of HTTP/1.1";
    return NULL;
}
