/*
 * The inputs of a verdict as one line of canonical JSON. Written by hand because every
 * decision passes here: a tree of jansson's values cost more than Postgres takes for the
 * row. A test holds the text against jansson's.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "compliance/check.h"
#include "compliance/check_json.h"
#include "compliance/pack.h"

/* ---- values ---- */

static void write_text(struct buf *b, const char *s)
{
    buf_add(b, "\"", 1);
    while (*s) {
        size_t n = 0;
        while ((unsigned char)s[n] >= ' ' && s[n] != '"' && s[n] != '\\')
            n++;
        buf_add(b, s, n);
        s += n;
        if (!*s)
            break;
        static const char *const names[] = {
            ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r",
            ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};
        if (names[(unsigned char)*s])
            buf_puts(b, names[(unsigned char)*s]);
        else
            buf_printf(b, "\\u%04X", (unsigned char)*s);
        s++;
    }
    buf_add(b, "\"", 1);
}

static void write_bool(struct buf *b, bool v)
{
    buf_puts(b, v ? "true" : "false");
}

static void write_key(struct buf *b, const char *name)
{
    buf_puts(b, b->data[b->len - 1] == '{' ? "\"" : ",\"");
    buf_puts(b, name);
    buf_add(b, "\":", 2);
}

/* Items of an array, each an array itself: [[…],[…]] */
static void begin_item(struct buf *b, size_t i)
{
    buf_puts(b, i ? ",[" : "[");
}

static void write_i64s(struct buf *b, const int64_t *v, size_t n, const char *before)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i ? "," : before);
        buf_i64(b, v[i]);
    }
}

/* ---- lists ---- */

static void write_zones(struct buf *b, const char *const *zones, size_t n)
{
    buf_add(b, "[", 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add(b, ",", 1);
        write_text(b, zones[i]);
    }
    buf_add(b, "]", 1);
}

static void write_calls(struct buf *b, const struct compliance_facts *f)
{
    buf_add(b, "[", 1);
    for (size_t i = 0; i < f->call_count; i++) {
        const struct compliance_call *c = &f->calls[i];
        int64_t flags = (c->open ? INPUTS_CALL_OPEN : 0) |
                        (c->other_number ? INPUTS_CALL_OTHER_NUMBER : 0) |
                        (c->other_debt ? INPUTS_CALL_OTHER_DEBT : 0) |
                        (c->other_subject ? INPUTS_CALL_OTHER_SUBJECT : 0) |
                        (c->said_no ? INPUTS_CALL_SAID_NO : 0);
        begin_item(b, i);
        write_i64s(b, (int64_t[]){c->at_ms, c->campaign_id}, 2, "");
        buf_add(b, ",", 1);
        write_text(b, outcome_name(c->outcome));
        write_i64s(b, &flags, 1, ",");
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

/* Only those that could matter: a row must not grow with the calendars of the world. */
static void write_holidays(struct buf *b, const struct compliance_facts *f)
{
    size_t n = 0;

    buf_add(b, "[", 1);
    for (size_t i = 0; i < f->holiday_count; i++) {
        const struct compliance_holiday *h = &f->holidays[i];
        if (strcmp(h->region, "*") != 0 && strcmp(h->region, f->region) != 0)
            continue;
        begin_item(b, n++);
        write_text(b, h->region);
        write_i64s(b, &h->day, 1, ",");
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

static void write_lists(struct buf *b, const struct compliance_facts *f)
{
    buf_add(b, "[", 1);
    for (size_t i = 0; i < f->list_count; i++) {
        const struct compliance_list *l = &f->lists[i];
        begin_item(b, i);
        write_text(b, l->name);
        write_i64s(b, (int64_t[]){l->state, l->obtained_at_ms, (int64_t)l->generation}, 3,
                   ",");
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

static void write_washes(struct buf *b, const struct compliance_facts *f)
{
    buf_add(b, "[", 1);
    for (size_t i = 0; i < f->wash_count; i++) {
        const struct compliance_wash *w = &f->washes[i];
        begin_item(b, i);
        write_text(b, w->name);
        buf_add(b, ",", 1);
        write_bool(b, w->hit);
        write_i64s(b, (int64_t[]){w->checked_at_ms, w->expires_at_ms}, 2, ",");
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

static void write_abandon(struct buf *b, const struct compliance_facts *f)
{
    buf_add(b, "[", 1);
    for (size_t i = 0; i < f->abandon_count; i++) {
        const struct compliance_abandon *a = &f->abandon[i];
        begin_item(b, i);
        write_i64s(b, (int64_t[]){a->limit_ppm, a->answered, a->abandoned, a->unbacked},
                   4, "");
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

static void write_registrations(struct buf *b, const struct compliance_facts *f)
{
    buf_add(b, "[", 1);
    for (size_t i = 0; i < f->registration_count; i++) {
        begin_item(b, i);
        write_text(b, f->registrations[i].region);
        write_i64s(b, &f->registrations[i].until_ms, 1, ",");
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

static void write_blocks(struct buf *b, const struct compliance_facts *f)
{
    buf_add(b, "[", 1);
    for (size_t i = 0; i < f->block_count; i++) {
        const struct compliance_block *k = &f->blocks[i];
        begin_item(b, i);
        write_text(b, k->region);
        write_i64s(b, (int64_t[]){k->from_ms, k->until_ms}, 2, ",");
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

/* By name and content: they are found again by their hashes. */
static void write_packs(struct buf *b, const struct policy *policy,
                        const struct compliance_facts *f)
{
    const struct pack *packs[COMPLIANCE_PACKS_MAX];
    size_t n = compliance_packs_of(policy, f, packs);

    buf_add(b, "[", 1);
    for (size_t i = 0; i < n; i++) {
        begin_item(b, i);
        write_text(b, packs[i]->name);
        buf_add(b, ",", 1);
        write_text(b, packs[i]->hash);
        buf_add(b, "]", 1);
    }
    buf_add(b, "]", 1);
}

/* ---- all of it ---- */

struct writer {
    struct buf *out;
    const struct compliance_facts *facts;
    const struct inputs_key *keys; /* the next member's */
    size_t left;
};

static void write_member(struct writer *w, const struct inputs_key *k)
{
    const void *at = (const char *)w->facts + k->offset;
    bool is_number = k->kind == INPUTS_I64 || k->kind == INPUTS_INT;
    int64_t number = k->kind == INPUTS_I64   ? *(const int64_t *)at
                     : k->kind == INPUTS_INT ? *(const int *)at
                                             : *(const char *)at; /* bool, first letter */

    if (k->rare && number == 0)
        return;
    write_key(w->out, k->name);
    if (is_number)
        buf_i64(w->out, number);
    else if (k->kind == INPUTS_BOOL)
        write_bool(w->out, number);
    else
        write_text(w->out, at);
}

/* The members that sort before name; all that are left when it is NULL. */
static void write_members(struct writer *w, const char *name)
{
    for (; w->left > 0 && (!name || strcmp(w->keys->name, name) < 0); w->left--)
        write_member(w, w->keys++);
}

static struct buf *begin(struct writer *w, const char *name)
{
    write_members(w, name);
    write_key(w->out, name);
    return w->out;
}

typedef void(write_list_fn)(struct buf *b, const struct compliance_facts *f);

static void write_rare(struct writer *w, const char *name, size_t n, write_list_fn *write)
{
    if (n > 0)
        write(begin(w, name), w->facts);
}

static void write_policy(struct writer *w, const struct policy *policy, const char *hash)
{
    if (policy && policy->pack_mode != PACKS_NONE)
        write_packs(begin(w, "packs"), policy, w->facts);
    if (hash)
        write_text(begin(w, "policy"), hash);
    else
        buf_puts(begin(w, "policy"), "null");
}

int compliance_inputs_write(struct buf *out, const struct policy *policy,
                            const char *policy_hash, const struct compliance_facts *f,
                            const char *clock)
{
    struct writer w = {.out = out, .facts = f};
    size_t from = out->len;

    w.keys = inputs_keys(&w.left);
    buf_add(out, "{", 1);
    write_rare(&w, "abandon", f->abandon_count, write_abandon);
    if (f->address_zone_count > 0)
        write_zones(begin(&w, "address_zones"), f->address_zones, f->address_zone_count);
    write_rare(&w, "blocks", f->block_count, write_blocks);
    write_calls(begin(&w, "calls"), f);
    write_text(begin(&w, "clock"), clock);
    write_text(begin(&w, "consent"), consent_level_name(f->consent));
    write_holidays(begin(&w, "holidays"), f);
    write_rare(&w, "lists", f->list_count, write_lists);
    write_policy(&w, policy, policy_hash);
    write_rare(&w, "registrations", f->registration_count, write_registrations);
    buf_i64(begin(&w, "v"), INPUTS_VERSION);
    write_rare(&w, "washes", f->wash_count, write_washes);
    write_zones(begin(&w, "zones"), f->zones, f->zone_count);
    write_members(&w, NULL);
    buf_add(out, "}", 1);
    return str_is_utf8(out->data + from, out->len - from) ? 0 : EBADMSG;
}
