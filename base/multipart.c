#include "base/multipart.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static const char token_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789!#$%&'*+-.^_`|~";
/* What a boundary may hold (RFC 2046), without the space. */
static const char boundary_chars[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'()+_,-./:=?";

/* --- name=value parameters of a header ------------------------------------------- */

struct params {
    const char *at, *end;
};

struct param {
    char name[32];
    char value[MULTIPART_FILENAME_MAX];
    bool cut; /* the value was longer */
};

static void skip_blanks(struct params *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

static size_t token_len(const struct params *p)
{
    size_t n = 0;

    while (p->at + n < p->end && p->at[n] && strchr(token_chars, p->at[n]))
        n++;
    return n;
}

/* A quoted text. Browsers write a quote inside as %22 or \" and leave a backslash of a
 * path alone: only \" and \\ are escapes. */
static bool read_quoted(struct params *p, struct param *out)
{
    size_t n = 0;

    for (p->at++; p->at < p->end && *p->at != '"'; p->at++) {
        if (*p->at == '\\' && p->end - p->at > 1 && (p->at[1] == '"' || p->at[1] == '\\'))
            p->at++;
        if (n + 1 < sizeof(out->value))
            out->value[n++] = *p->at;
        else
            out->cut = true;
    }
    out->value[n] = '\0';
    if (p->at == p->end)
        return false;
    p->at++;
    return true;
}

static bool read_value(struct params *p, struct param *out)
{
    if (p->at < p->end && *p->at == '"')
        return read_quoted(p, out);
    size_t n = token_len(p), kept = n < sizeof(out->value) ? n : sizeof(out->value) - 1;
    out->cut = kept < n;
    memcpy(out->value, p->at, kept);
    out->value[kept] = '\0';
    p->at += n;
    return n > 0;
}

/* 1: *out is the next; 0: no more; -1: it does not parse. */
static int next_param(struct params *p, struct param *out)
{
    *out = (struct param){0};
    skip_blanks(p);
    if (p->at == p->end)
        return 0;
    if (*p->at++ != ';')
        return -1;
    skip_blanks(p);
    if (p->at == p->end)
        return 0; /* a last ';' */
    size_t n = token_len(p);
    if (n == 0 || n >= sizeof(out->name))
        return -1;
    memcpy(out->name, p->at, n);
    p->at += n;
    if (p->at == p->end || *p->at++ != '=')
        return -1;
    return read_value(p, out) ? 1 : -1;
}

/* Whether a header's value begins with that token; p then stands behind it. */
static bool take_token(struct params *p, const char *token)
{
    size_t n = strlen(token);

    skip_blanks(p);
    if ((size_t)(p->end - p->at) < n || strncasecmp(p->at, token, n) != 0)
        return false;
    p->at += n;
    skip_blanks(p);
    return p->at == p->end || *p->at == ';';
}

int multipart_boundary(const char *content_type, char out[MULTIPART_BOUNDARY_MAX])
{
    struct params p = {content_type, content_type + strlen(content_type)};
    struct param one;
    int got;

    if (!take_token(&p, "multipart/form-data"))
        return EINVAL;
    while ((got = next_param(&p, &one)) > 0) {
        if (strcasecmp(one.name, "boundary") != 0)
            continue;
        size_t n = strlen(one.value);
        if (n == 0 || one.cut || strspn(one.value, boundary_chars) != n)
            return EBADMSG;
        return str_copy(out, MULTIPART_BOUNDARY_MAX, one.value) ? EBADMSG : 0;
    }
    return EBADMSG;
}

/* --- the body ---------------------------------------------------------------------- */

static const char *find(const char *from, const char *end, const char *what, size_t n)
{
    return from < end ? memmem(from, (size_t)(end - from), what, n) : NULL;
}

static bool read_disposition(struct multipart_part *part, const char *at, const char *end)
{
    struct params p = {at, end};
    struct param one;
    bool named = false;
    int got;

    if (!take_token(&p, "form-data"))
        return false;
    while ((got = next_param(&p, &one)) > 0) {
        if (strcasecmp(one.name, "name") == 0 && !named) {
            if (one.cut || str_copy(part->name, sizeof(part->name), one.value))
                return false;
            named = true;
        } else if (strcasecmp(one.name, "filename") == 0) {
            part->is_file = true;
            str_cut(part->filename, sizeof(part->filename), one.value);
        }
    }
    return got == 0 && named;
}

/* The headers of a part, each ended by CR LF; end is behind the last one's. */
static bool read_headers(struct multipart_part *part, const char *at, const char *end)
{
    static const char disposition[] = "Content-Disposition:";
    bool found = false;

    while (at < end) {
        const char *line_end = find(at, end, "\r\n", 2);
        size_t n = strlen(disposition);
        if (!line_end || memchr(at, '\0', (size_t)(line_end - at)))
            return false;
        if ((size_t)(line_end - at) >= n && strncasecmp(at, disposition, n) == 0) {
            if (found || !read_disposition(part, at + n, line_end))
                return false;
            found = true;
        } else if (!memchr(at, ':', (size_t)(line_end - at))) {
            return false;
        }
        at = line_end + 2;
    }
    return found;
}

/* One part; *at moves from behind its delimiter's line to the next delimiter. */
static int read_part(struct multipart_part *part, const char **at, const char *end,
                     const char *delimiter, struct errtext *e)
{
    const char *limit = end - *at > MULTIPART_HEAD_MAX ? *at + MULTIPART_HEAD_MAX : end;
    const char *head_end = find(*at, limit, "\r\n\r\n", 4);

    *part = (struct multipart_part){0};
    if (!head_end || !read_headers(part, *at, head_end + 2))
        return errtext_set(e, EBADMSG, 0, 0,
                           "a part has no sound 'Content-Disposition: form-data; "
                           "name=\"…\"'");
    part->data = head_end + 4;
    /* The line end of the delimiter is the one behind the data: of no data, the blank
     * line's. */
    *at = find(head_end + 2, end, delimiter, strlen(delimiter));
    if (!*at)
        return errtext_set(e, EBADMSG, 0, 0, "the body ends in the middle of a part");
    if (*at < part->data)
        part->data = *at;
    part->len = (size_t)(*at - part->data);
    return 0;
}

/* Behind a delimiter: 1 another part follows, 0 it was the last, -1 neither. */
static int after_delimiter(const char **at, const char *end)
{
    if (end - *at >= 2 && memcmp(*at, "--", 2) == 0)
        return 0;
    while (*at < end && (**at == ' ' || **at == '\t'))
        (*at)++;
    if (end - *at < 2 || memcmp(*at, "\r\n", 2) != 0)
        return -1;
    *at += 2;
    return 1;
}

int multipart_read(struct multipart *out, const char *boundary, const char *body,
                   size_t len, struct errtext *e)
{
    char delimiter[MULTIPART_BOUNDARY_MAX + 8];
    const char *at = body, *end = body + len;

    snprintf(delimiter, sizeof(delimiter), "\r\n--%s", boundary);
    size_t n = strlen(delimiter);
    out->n = 0;
    /* The first delimiter may stand at the very beginning; what is before it is no part.
     */
    if (len >= n - 2 && memcmp(body, delimiter + 2, n - 2) == 0)
        at += n - 2;
    else if ((at = find(body, end, delimiter, n)))
        at += n;
    else
        return errtext_set(e, EBADMSG, 0, 0, "the body does not hold its boundary");
    for (;;) {
        int more = after_delimiter(&at, end);
        if (more == 0)
            return 0;
        if (more < 0)
            return errtext_set(e, EBADMSG, 0, 0,
                               "the body ends without its closing boundary");
        if (out->n == MULTIPART_PARTS_MAX)
            return errtext_set(e, E2BIG, 0, 0, "more than %d parts", MULTIPART_PARTS_MAX);
        int err = read_part(&out->parts[out->n], &at, end, delimiter, e);
        if (err)
            return err;
        out->n++;
        at += n;
    }
}

const struct multipart_part *multipart_find(const struct multipart *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_is(m->parts[i].name, name))
            return &m->parts[i];
    return NULL;
}
