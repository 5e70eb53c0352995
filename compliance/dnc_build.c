#include "compliance/dnc_build.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errors.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/phone.h"

enum {
    LINE_MAX_BYTES = 512,
    SLOTS_MAX = 800,
    SHRINK_PERCENT = 2,
    REJECT_PERCENT = 1,
    WRITE_BYTES = 2 * 1024 * 1024
};

/* Numbers outside +1: the last word about each counts. */
struct other {
    uint64_t number;
    uint32_t order;
    bool delete;
};

struct dnc_build {
    struct dnc_build_options options;
    char *path, *tmp;
    char country[3]; /* "US": how national numbers are read; "" none */
    struct dnc_head head;
    int fd;
    uint8_t *map; /* the head's room and every slot there may be; sparse */
    size_t map_size;
    struct other *others;
    size_t other_count, other_cap;
    uint32_t order;
    char line[LINE_MAX_BYTES];
    size_t line_len;
    bool line_too_long, first_line;
    struct dnc_build_report report;
};

/* ---- begin ---- */

static bool name_is_sound(const char *name)
{
    size_t len = strlen(name);

    if (len < 3 || len >= LIST_NAME_MAX || name[0] == '.' ||
        strcmp(name, "tenant.internal") == 0)
        return false;
    for (const char *p = name; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
            !strchr(".-_", *p))
            return false;
    return true;
}

static int open_tmp(struct dnc_build *b, struct errtext *e)
{
    b->map_size = sizeof(b->head) + (size_t)SLOTS_MAX * DNC_SLOT_BYTES;
    if (mkdir(b->options.dir, 0755) && errno != EEXIST)
        return errtext_set(e, errno, 0, 0, "%s: %s", b->options.dir, strerror(errno));
    b->fd = open(b->tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (b->fd < 0 || ftruncate(b->fd, (off_t)b->map_size))
        return errtext_set(e, errno, 0, 0, "%s: %s", b->tmp, strerror(errno));
    b->map = mmap(NULL, b->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
    if (b->map == MAP_FAILED) {
        b->map = NULL;
        return errtext_set(e, errno, 0, 0, "%s: %s", b->tmp, strerror(errno));
    }
    return 0;
}

static uint8_t *slot_at(const struct dnc_build *b, uint32_t slot)
{
    return b->map + sizeof(b->head) + (size_t)slot * DNC_SLOT_BYTES;
}

static void add_other(struct dnc_build *b, uint64_t number, bool delete)
{
    if (b->other_count == b->other_cap) {
        b->other_cap = b->other_cap ? b->other_cap * 2 : 4096;
        b->others = xrealloc(b->others, b->other_cap * sizeof(*b->others));
    }
    b->others[b->other_count++] =
        (struct other){.number = number, .order = b->order++, .delete = delete};
}

/* What is published now: its count and generation, and with changes its numbers. */
static int take_present(struct dnc_build *b, struct errtext *e)
{
    struct dnc_lists *lists = dnc_lists_new(b->options.dir);
    struct dnc_list *l = dnc_lists_pin(lists, b->options.name, 0);
    const struct dnc_head *h = l ? dnc_list_head(l) : NULL;
    int err = 0;

    if (h) {
        b->head.generation = h->generation;
        b->report.before = h->count;
    }
    if (b->options.changes && !h) {
        err = errtext_set(e, ENOENT, 0, 0,
                          "there is no sound list '%s' to change; import it whole first",
                          b->options.name);
    } else if (b->options.changes && !dnc_list_verify(l)) {
        err = errtext_set(e, EBADMSG, 0, 0, "list '%s' is damaged; import it whole",
                          b->options.name);
    } else if (b->options.changes) {
        const uint8_t *from = (const uint8_t *)h + sizeof(*h);
        size_t len = (size_t)h->slot_count * DNC_SLOT_BYTES;
        memcpy(slot_at(b, 0), from, len);
        memcpy(b->head.slot_of, h->slot_of, sizeof(h->slot_of));
        b->head.slot_count = h->slot_count;
        for (uint64_t i = 0; i < h->other_count; i++)
            add_other(b, ((const uint64_t *)(const void *)(from + len))[i], false);
    }
    dnc_lists_unpin(lists, l);
    dnc_lists_free(lists);
    return err;
}

int dnc_build_new(struct dnc_build **out, const struct dnc_build_options *options,
                  struct errtext *e)
{
    if (!name_is_sound(options->name))
        return errtext_set(
            e, EINVAL, 0, 0,
            "'%.60s' is no name for a list; small letters, digits, '.', '-', '_', "
            "e.g. us.ftc",
            options->name);
    struct dnc_build *b = xcalloc(1, sizeof(*b));
    b->options = *options;
    b->fd = -1;
    b->first_line = true;
    b->path = xasprintf("%s/%s.dnc", options->dir, options->name);
    b->tmp = xasprintf("%s/.%s.%ld.tmp", options->dir, options->name, (long)getpid());
    if (strchr(".-", options->name[2]))
        snprintf(b->country, sizeof(b->country), "%c%c",
                 toupper((unsigned char)options->name[0]),
                 toupper((unsigned char)options->name[1]));
    int err = open_tmp(b, e);
    if (!err)
        err = take_present(b, e);
    if (err)
        dnc_build_free(b);
    else
        *out = b;
    return err;
}

void dnc_build_free(struct dnc_build *b)
{
    if (!b)
        return;
    if (b->map)
        munmap(b->map, b->map_size);
    if (b->fd >= 0) {
        close(b->fd);
        unlink(b->tmp);
    }
    free(b->others);
    free(b->path);
    free(b->tmp);
    free(b);
}

/* ---- a line ---- */

static void reject(struct dnc_build *b, const char *line)
{
    if (b->report.rejected < DNC_REJECTS_KEPT) {
        b->report.rejects[b->report.rejected].line = b->report.lines;
        str_cut(b->report.rejects[b->report.rejected].text,
                sizeof(b->report.rejects[0].text), line);
    }
    b->report.rejected++;
}

static void set_bit(struct dnc_build *b, int64_t national, bool delete)
{
    int64_t code = national / DNC_SLOT_BITS, bit = national % DNC_SLOT_BITS;

    if (b->head.slot_of[code] == 0) {
        if (delete)
            return;
        b->head.slot_of[code] = (uint16_t)(++b->head.slot_count);
    }
    uint8_t *at = slot_at(b, b->head.slot_of[code] - 1U) + bit / 8;
    if (delete)
        *at &= (uint8_t) ~(1U << (bit % 8));
    else
        *at |= (uint8_t)(1U << (bit % 8));
}

static bool is_national(int64_t v) /* of +1: area codes begin at 200 */
{
    return v >= INT64_C(2000000000) && v <= INT64_C(9999999999);
}

static bool country_is_one(const struct dnc_build *b)
{
    return !b->country[0] || strcmp(b->country, "US") == 0 ||
           strcmp(b->country, "CA") == 0;
}

/* The digits of a cell, without the punctuation of telephone numbers. -1: something else
 * in it. */
static int64_t digits_of(const char *text, size_t len, int *count, bool *plus)
{
    int64_t v = 0;

    *count = 0;
    *plus = false;
    for (size_t i = 0; i < len; i++) {
        if (isdigit((unsigned char)text[i])) {
            if (++*count > 15)
                return -1;
            v = v * 10 + (text[i] - '0');
        } else if (text[i] == '+' && *count == 0) {
            *plus = true;
        } else if (!strchr(" -.()\"\r\t", text[i])) {
            return -1;
        }
    }
    return v;
}

static bool take_number(struct dnc_build *b, const char *text, size_t len, bool delete)
{
    struct phone phone;
    bool plus = false;
    int count = 0;
    int64_t v = digits_of(text, len, &count, &plus);

    if (v < 0 || count == 0)
        return false;
    if (count == 11 && v / INT64_C(10000000000) == 1 &&
        is_national(v % INT64_C(10000000000)) && (plus || country_is_one(b))) {
        set_bit(b, v % INT64_C(10000000000), delete);
        return true;
    }
    if (count == 10 && !plus && country_is_one(b)) {
        if (is_national(v))
            set_bit(b, v, delete);
        return is_national(v);
    }
    enum phone_error error =
        phone_parse(text, len, b->country[0] ? b->country : NULL, &phone);
    if (error != PHONE_VALID && error != PHONE_INVALID)
        return false;
    add_other(b, (uint64_t)phone.e164, delete);
    return true;
}

static size_t cell_end(const char *line, size_t from)
{
    while (line[from] && !strchr(",;\t|", line[from]))
        from++;
    return from;
}

/* The last cell says add or delete. False: neither. */
static bool action_of(const char *line, bool *delete)
{
    const char *last = line + strlen(line);

    while (last > line && !strchr(",;\t|", last[-1]))
        last--;
    last += strspn(last, " \"");
    *delete =
        tolower((unsigned char)*last) == 'd' || tolower((unsigned char)*last) == 'r';
    return *delete || tolower((unsigned char)*last) == 'a';
}

static bool is_header(const char *line, size_t end)
{
    for (size_t i = 0; i < end; i++)
        if (isdigit((unsigned char)line[i]))
            return false;
    return end > 0;
}

/* "201,5550123": an area code and seven digits are one number. */
static bool take_area_code(struct dnc_build *b, const char *line, size_t end, bool delete)
{
    bool plus = false;
    int count = 0, rest_count = 0;
    int64_t code = digits_of(line, end, &count, &plus);
    size_t rest = cell_end(line, end + 1);

    if (code < 0 || count != 3 || line[end] == '\0')
        return false;
    int64_t number = digits_of(line + end + 1, rest - end - 1, &rest_count, &plus);
    if (number < 0 || rest_count != 7 || !is_national(code * DNC_SLOT_BITS + number))
        return false;
    set_bit(b, code * DNC_SLOT_BITS + number, delete);
    return true;
}

static void take_line(struct dnc_build *b, char *line, size_t len)
{
    bool delete = false, first = b->first_line;

    while (len > 0 && isspace((unsigned char)line[len - 1]))
        line[--len] = '\0';
    b->first_line = false;
    b->report.lines++;
    if (len == 0)
        return;
    size_t end = cell_end(line, 0);
    if (first && is_header(line, end))
        return;
    if ((b->options.changes && !action_of(line, &delete)) ||
        !(take_area_code(b, line, end, delete) || take_number(b, line, end, delete))) {
        reject(b, line);
        return;
    }
    b->report.deleted += delete;
    b->report.added += !delete;
}

/* ---- a file ---- */

static int refuse_kind(const struct dnc_build *b, struct errtext *e)
{
    const char *line = b->line + strspn(b->line, " \t\r\xef\xbb\xbf");

    if (*line == '<')
        return errtext_set(e, EINVAL, 0, 0,
                           "this is XML; the registry offers the same list as flat text");
    if (strncmp(line, "PK", 2) == 0 || memchr(b->line, '\0', b->line_len))
        return errtext_set(
            e, EINVAL, 0, 0,
            "this is an archive or no text; unpack it and import the text file");
    return 0;
}

static int end_line(struct dnc_build *b, struct errtext *e)
{
    int err = b->first_line ? refuse_kind(b, e) : 0;

    if (!err && b->line_too_long) {
        b->report.lines++;
        reject(b, "a line of over 512 bytes");
        b->first_line = false;
    } else if (!err) {
        char *from = b->line;
        size_t len = b->line_len;
        if (b->first_line && len >= 3 && memcmp(from, "\xef\xbb\xbf", 3) == 0) {
            from += 3;
            len -= 3;
        }
        take_line(b, from, len);
    }
    b->line_len = 0;
    b->line[0] = '\0';
    b->line_too_long = false;
    return err;
}

/* The registry's own form, "201,5550123\n" (or \r\n) and nothing else: its length, 0 when
 * it is something else and read the long way. */
static size_t take_plain_line(struct dnc_build *b, const char *p, size_t len)
{
    int64_t number = 0;
    unsigned wrong = 0;

    if (len < 13 || p[3] != ',' || b->options.changes)
        return 0;
    for (int i = 0; i < 11; i++) {
        unsigned digit = (unsigned char)p[i] - '0';
        if (i == 3)
            continue;
        wrong |= digit > 9;
        number = number * 10 + digit;
    }
    size_t end = p[11] == '\r' ? 12 : 11;
    if (wrong || p[end] != '\n' || !is_national(number))
        return 0;
    set_bit(b, number, false);
    b->report.lines++;
    b->report.added++;
    b->first_line = false;
    return end + 1;
}

int dnc_build_feed(struct dnc_build *b, const char *data, size_t len, struct errtext *e)
{
    while (len > 0) {
        size_t plain =
            b->line_len == 0 && !b->line_too_long ? take_plain_line(b, data, len) : 0;
        if (plain > 0) {
            data += plain;
            len -= plain;
            continue;
        }
        const char *newline = memchr(data, '\n', len);
        size_t n = newline ? (size_t)(newline - data) : len;
        if (b->line_len + n >= sizeof(b->line)) {
            b->line_too_long = true;
        } else {
            memcpy(b->line + b->line_len, data, n);
            b->line_len += n;
            b->line[b->line_len] = '\0';
        }
        if (!newline)
            return 0;
        int err = end_line(b, e);
        if (err)
            return err;
        data += n + 1;
        len -= n + 1;
    }
    return 0;
}

int dnc_build_end_file(struct dnc_build *b, struct errtext *e)
{
    int err = b->line_len > 0 || b->line_too_long ? end_line(b, e) : 0;

    b->first_line = true;
    return err;
}

/* ---- publishing ---- */

static int by_number(const void *pa, const void *pb)
{
    const struct other *a = pa, *b = pb;

    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Sorted, each once, those deleted gone; written over others' own memory. */
static uint64_t *settle_others(struct dnc_build *b, uint64_t *n)
{
    uint64_t *out = xcalloc(b->other_count + 1, sizeof(*out));

    *n = 0;
    if (b->other_count > 0)
        qsort(b->others, b->other_count, sizeof(*b->others), by_number);
    for (size_t i = 0; i < b->other_count; i++) {
        bool last =
            i + 1 == b->other_count || b->others[i + 1].number != b->others[i].number;
        if (last && !b->others[i].delete)
            out[(*n)++] = b->others[i].number;
    }
    return out;
}

static uint64_t popcount_of(const uint8_t *bits)
{
    uint64_t count = 0, word = 0;

    for (size_t i = 0; i + sizeof(word) <= DNC_SLOT_BYTES; i += sizeof(word)) {
        memcpy(&word, bits + i, sizeof(word));
        count += (uint64_t)__builtin_popcountll(word);
    }
    return count;
}

_Static_assert(DNC_SLOT_BYTES % sizeof(uint64_t) == 0, "counted by words");

static void finish_head(struct dnc_build *b, const uint64_t *others, uint64_t other_count)
{
    struct dnc_head *h = &b->head;

    memcpy(h->magic, "FURDNC1", 8);
    h->head_bytes = sizeof(*h);
    h->generation++;
    h->obtained_at_ms = b->options.obtained_at_ms;
    h->valid_until_ms = b->options.valid_until_ms;
    h->other_count = h->count = other_count;
    str_cut(h->name, sizeof(h->name), b->options.name);
    str_cut(h->source, sizeof(h->source), b->options.source ? b->options.source : "");
    for (uint32_t i = 0; i < h->slot_count; i++) {
        h->count += popcount_of(slot_at(b, i));
        dnc_sum(slot_at(b, i), DNC_SLOT_BYTES, h->slot_sums[i]);
    }
    dnc_sum(others, other_count * sizeof(*others), h->other_sum);
    dnc_head_sum(h, h->head_sum);
}

static int judge(const struct dnc_build *b, struct errtext *e)
{
    const struct dnc_build_report *r = &b->report;

    if (b->options.force)
        return 0;
    if (r->rejected * 100 > r->lines * REJECT_PERCENT)
        return errtext_set(e, EPERM, 0, 0,
                           "%" PRIu64 " of %" PRIu64
                           " lines are no numbers; not published "
                           "(--force publishes what is)",
                           r->rejected, r->lines);
    if (b->head.count == 0)
        return errtext_set(
            e, EPERM, 0, 0,
            "it holds no number; not published (--force publishes an empty list)");
    if (b->head.count * 100 < r->before * (100 - SHRINK_PERCENT))
        return errtext_set(e, EPERM, 0, 0,
                           "it shrank from %" PRIu64 " to %" PRIu64
                           " numbers, by more than 2 %%; "
                           "not published (--force does it)",
                           r->before, b->head.count);
    return 0;
}

static int write_whole(int fd, const void *data, size_t len, off_t at)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len < WRITE_BYTES ? len : WRITE_BYTES, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 || fsync(fd) ? errno : 0;

    if (fd >= 0)
        close(fd);
    return err;
}

/* Written anew from the map, in pieces of a huge page: the file system keeps what it was
 * given in pages of that size, which is what makes a lookup wait for memory once and not
 * for the page table as well. (Written through the map it lies in small ones.) */
static int write_copy(struct dnc_build *b, const char *path, const uint64_t *others)
{
    off_t end = (off_t)(sizeof(b->head) + (size_t)b->head.slot_count * DNC_SLOT_BYTES);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return errno;
    int err = write_whole(fd, b->map, (size_t)end, 0);
    if (!err)
        err = write_whole(fd, others, b->head.other_count * sizeof(*others), end);
    if (!err && fsync(fd))
        err = errno;
    close(fd);
    return err;
}

static int write_file(struct dnc_build *b, const uint64_t *others, struct errtext *e)
{
    CLEANUP(free_cleanup) char *copy = xasprintf("%s.new", b->tmp);

    memcpy(b->map, &b->head, sizeof(b->head));
    int err = write_copy(b, copy, others);
    if (!err && rename(copy, b->path))
        err = errno;
    if (err)
        unlink(copy);
    else
        err = sync_dir(b->options.dir);
    return err ? errtext_set(e, err, 0, 0, "%s: %s", b->path, strerror(err)) : 0;
}

int dnc_build_publish(struct dnc_build *b, struct dnc_build_report *report,
                      struct errtext *e)
{
    uint64_t n = 0;
    uint64_t *others = settle_others(b, &n);

    finish_head(b, others, n);
    b->report.count = b->head.count;
    b->report.generation = b->head.generation;
    int err = judge(b, e);
    if (!err)
        err = write_file(b, others, e);
    free(others);
    *report = b->report;
    return err;
}
