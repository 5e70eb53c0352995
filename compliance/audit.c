#include "compliance/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/tz.h"

enum { FIELDS = 11 }; /* before the inputs */

/* ---- hex ---- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int audit_hex_parse(const char *hex, uint8_t *out, size_t bytes)
{
    if (!hex || strlen(hex) != 2 * bytes)
        return EBADMSG;
    for (size_t i = 0; i < bytes; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return EBADMSG;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

void audit_hex_text(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

/* ---- the chain ---- */

static void put_u64(uint8_t *out, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> (8 * (7 - i)));
}

void audit_segment_hash(const struct audit_segment *s, uint8_t out[SHA256_BYTES])
{
    size_t len = SHA256_BYTES + 16 + s->n * (sizeof(struct uuid) + SHA256_BYTES);
    uint8_t *all = xmalloc(len), *at = all;

    memcpy(at, s->previous, SHA256_BYTES);
    at += SHA256_BYTES;
    put_u64(at, (uint64_t)s->number);
    put_u64(at + 8, s->n);
    at += 16;
    if (s->n > 0) {
        memcpy(at, s->ids, s->n * sizeof(struct uuid));
        memcpy(at + s->n * sizeof(struct uuid), s->hashes, s->n * SHA256_BYTES);
    }
    sha256_of(all, len, out);
    free(all);
}

/* ---- a row ---- */

int audit_row_read(const char *text, struct audit_row *out)
{
    CLEANUP(free_cleanup) char *copy = xstrdup(text);
    char *fields[FIELDS], *at = copy;

    for (int i = 0; i < FIELDS; i++) {
        fields[i] = at;
        at = strchr(at, '|');
        if (!at)
            return EBADMSG;
        *at++ = '\0';
    }
    *out = (struct audit_row){.tenant_id = (int)strtol(fields[1], NULL, 10),
                              .stage = (int)strtol(fields[2], NULL, 10),
                              .campaign_id = strtoll(fields[3], NULL, 10),
                              .contact_id = strtoll(fields[4], NULL, 10),
                              .phone = strtoll(fields[6], NULL, 10),
                              .at_ms = strtoll(fields[7], NULL, 10),
                              .reason = (enum reason)strtol(fields[8], NULL, 10),
                              .inputs = text + (at - copy)};
    return uuid_parse(fields[0], &out->id);
}

static bool is_of_this_tzdata(const json_t *inputs)
{
    const char *then = json_string_value(json_object_get(inputs, "tzdata"));
    char now[TZ_VERSION_MAX];

    return !then || (tz_version(now) == 0 && strcmp(then, now) == 0);
}

int audit_row_again(const struct audit_row *row, inputs_blob_fn *blob, void *arg,
                    struct verdict *v)
{
    json_auto_t *inputs = json_loads(row->inputs, 0, NULL);

    *v = (struct verdict){0};
    if (row->stage == 3)
        return 0;
    if (!inputs)
        return EBADMSG;
    int err = compliance_check_again(inputs, row->at_ms, blob, arg, v);
    if (err || v->reason == row->reason)
        return err;
    return is_of_this_tzdata(inputs) ? EILSEQ : ESTALE;
}

/* ---- a bundle ---- */

struct checking {
    const json_t *bundle;
    audit_said_fn *say;
    void *arg;
    int wrong;
};

static void said(struct checking *c, bool wrong, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void said(struct checking *c, bool wrong, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    c->wrong += wrong;
    c->say(c->arg, wrong, text);
}

/* A pack of the bundle, if its content is what its name says. */
static json_t *bundled_pack(const char *sha256, void *arg)
{
    const struct checking *c = arg;
    json_t *body = json_object_get(json_object_get(c->bundle, "packs"), sha256);
    CLEANUP(free_cleanup)
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    uint8_t hash[SHA256_BYTES];
    char is[SHA256_TEXT_MAX];

    if (!text)
        return NULL;
    sha256_of(text, strlen(text), hash);
    return strcmp(sha256_text(hash, is), sha256) == 0 ? json_incref(body) : NULL;
}

/* Its number when the segment's hash is that of what it holds; else 0. */
static int check_segment(struct checking *c, const json_t *segment)
{
    const json_t *ids = json_object_get(segment, "ids");
    size_t n = json_array_size(ids);
    CLEANUP(free_cleanup) struct uuid *list = xcalloc(n + 1, sizeof(*list));
    CLEANUP(free_cleanup) uint8_t *hashes = xcalloc(n + 1, SHA256_BYTES);
    struct audit_segment s = {
        .number = (int)json_integer_value(json_object_get(segment, "segment")),
        .n = n,
        .ids = list,
        .hashes = hashes};
    uint8_t stated[SHA256_BYTES], is[SHA256_BYTES];

    int err = audit_hex_parse(json_text(segment, "hashes"), hashes, n * SHA256_BYTES) ||
              audit_hex_parse(json_text(segment, "previous"), s.previous, SHA256_BYTES) ||
              audit_hex_parse(json_text(segment, "hash"), stated, SHA256_BYTES);
    for (size_t i = 0; !err && i < n; i++)
        err = uuid_parse(json_string_value(json_array_get(ids, i)), &list[i]);
    if (!err)
        audit_segment_hash(&s, is);
    if (err || memcmp(is, stated, sizeof(is)) != 0) {
        said(c, true, "segment %d: its hash is not that of what it holds", s.number);
        return 0;
    }
    said(c, false, "segment %d holds %zu decisions, hash %.16s…", s.number, n,
         json_text(segment, "hash"));
    return s.number;
}

/* Does a sound segment hold this row under this hash? */
static bool is_sealed(const struct checking *c, const json_t *decision, const char *hash)
{
    const json_t *segments = json_object_get(c->bundle, "segments");
    size_t position = (size_t)json_integer_value(json_object_get(decision, "position"));
    size_t i = 0;
    json_t *s = NULL;

    json_array_foreach(segments, i, s)
    {
        const char *hashes = json_text(s, "hashes");
        if (json_integer_value(json_object_get(s, "segment")) !=
                json_integer_value(json_object_get(decision, "segment")) ||
            position >= json_array_size(json_object_get(s, "ids")) ||
            strlen(hashes) < (position + 1) * 2 * SHA256_BYTES)
            continue;
        return strncmp(hashes + position * 2 * SHA256_BYTES, hash,
                       (size_t)2 * SHA256_BYTES) == 0;
    }
    return false;
}

static void check_decision(struct checking *c, const json_t *decision)
{
    const char *text = json_text(decision, "text");
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_TEXT_MAX], id[UUID_TEXT_MAX];
    struct audit_row row;
    struct verdict v;

    sha256_of(text, strlen(text), hash);
    sha256_text(hash, hex);
    if (audit_row_read(text, &row)) {
        said(c, true, "a decision whose text cannot be read");
        return;
    }
    uuid_text(&row.id, id);
    if (!is_sealed(c, decision, hex)) {
        said(c, true, "decision %s is not what was sealed", id);
        return;
    }
    if (row.phone != json_integer_value(json_object_get(c->bundle, "phone")))
        said(c, true, "decision %s is about another number", id);
    int err = audit_row_again(&row, bundled_pack, c, &v);
    if (err == EILSEQ)
        said(c, true, "decision %s says %s, its inputs give %s", id,
             reason_name(row.reason), reason_name(v.reason));
    else if (err == ESTALE)
        said(c, true,
             "decision %s says %s; by this machine's time zone data, which is not that "
             "of the decision, its inputs give %s: check with the version it names",
             id, reason_name(row.reason), reason_name(v.reason));
    else if (err)
        said(c, true, "decision %s cannot be run again: %s", id,
             err == ENOENT ? "a rule pack of that day is not in the bundle"
                           : "its inputs cannot be read");
    else
        said(c, false, "decision %s: %s, as its inputs give", id,
             reason_name(row.reason));
}

int audit_bundle_check(const json_t *bundle, audit_said_fn *say, void *arg)
{
    struct checking c = {.bundle = bundle, .say = say, .arg = arg};
    const json_t *segments = json_object_get(bundle, "segments");
    const json_t *decisions = json_object_get(bundle, "decisions");
    size_t i = 0;
    json_t *item = NULL;

    if (json_integer_value(json_object_get(bundle, "furrow_audit")) != 1) {
        said(&c, true, "this is no bundle of 'furrow audit bundle'");
        return c.wrong;
    }
    if (json_array_size(decisions) == 0)
        said(&c, true, "the bundle holds no decision");
    json_array_foreach(segments, i, item)
    {
        check_segment(&c, item);
    }
    json_array_foreach(decisions, i, item)
    {
        check_decision(&c, item);
    }
    return c.wrong;
}
