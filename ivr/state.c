/*
 * The stored form of a state, version 1, little endian:
 *   "FIVS" version:u16 seq:u32 status:u8 flags:u8 tenant:i64 hash[32] session lang
 *   outcome depth:u8 frames{flow:u16 node:u16 attempts:u16} wait{kind:u8 node:u16
 *   deadline:i64} steps:u32 started:i64 hard_stop:i64 vars:u16 {name type:u8 value}
 * Texts are a u16 length and their bytes. What can be read is written back byte for
 * byte the same; anything else is refused.
 */
#include <errno.h>
#include <string.h>

#include "ivr/expr.h"
#include "ivr/number.h"
#include "ivr/prog.h"

enum {
    VERSION = 1,
    FLAG_ON_ERROR = 1,
    FLAG_OPTED_OUT = 2,
    FLAG_CALLBACK = 4,
    FLAG_OFFERED = 8,
    FLAGS_ALL = 15,
};

static const char magic[4] = {'F', 'I', 'V', 'S'};

/* ---- writing ---- */

static void put_uint(struct growing *g, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        growing_putc(g, (char)(v >> (8 * i) & 0xff));
}

static void put_text(struct growing *g, const char *text)
{
    size_t len = strlen(text);

    if (len > UINT16_MAX)
        g->err = EMSGSIZE;
    put_uint(g, len, 2);
    growing_add(g, text, len);
}

static void put_value(struct growing *g, const struct ivr_value *v)
{
    put_uint(g, v->type, 1);
    switch (v->type) {
    case IVR_NULL:
        return;
    case IVR_BOOL:
        put_uint(g, v->i != 0, 1);
        return;
    case IVR_INT:
        put_uint(g, (uint64_t)v->i, 8);
        return;
    case IVR_DECIMAL:
        put_uint(g, v->scale, 1);
        put_uint(g, (uint64_t)v->i, 8);
        return;
    case IVR_TEXT:
        put_text(g, v->text);
        return;
    case IVR_JSON:
    case IVR_FAULT:
        g->err = EINVAL;
        return;
    }
}

/* At least as many as it takes. */
static size_t bytes_of(const struct ivr_state *s)
{
    size_t n = sizeof(*s);

    for (size_t i = 0; i < s->var_count; i++)
        n += strlen(s->vars[i].name) + 16 +
             (s->vars[i].value.type == IVR_TEXT ? strlen(s->vars[i].value.text) : 0);
    return n;
}

EXPORT int ivr_state_write(const struct ivr_state *s, struct ivr_arena *arena,
                           const uint8_t **bytes, size_t *len)
{
    struct growing g = {.arena = arena};

    growing_room(&g, bytes_of(s));
    growing_add(&g, magic, sizeof(magic));
    put_uint(&g, VERSION, 2);
    put_uint(&g, s->seq, 4);
    put_uint(&g, s->status, 1);
    put_uint(
        &g,
        (s->on_error_used ? FLAG_ON_ERROR : 0) | (s->opted_out ? FLAG_OPTED_OUT : 0) |
            (s->callback_asked ? FLAG_CALLBACK : 0) | (s->offered ? FLAG_OFFERED : 0),
        1);
    put_uint(&g, (uint64_t)s->tenant, 8);
    growing_add(&g, (const char *)s->prog_hash, sizeof(s->prog_hash));
    put_text(&g, s->session);
    put_text(&g, s->lang);
    put_text(&g, s->outcome);
    put_uint(&g, s->depth, 1);
    for (int i = 0; i < s->depth && i < IVR_MAX_DEPTH; i++) {
        put_uint(&g, s->stack[i].flow, 2);
        put_uint(&g, s->stack[i].node, 2);
        put_uint(&g, s->stack[i].attempts, 2);
    }
    put_uint(&g, s->wait.kind, 1);
    put_uint(&g, s->wait.media_node, 2);
    put_uint(&g, (uint64_t)s->wait.deadline_at_ms, 8);
    put_uint(&g, s->total_steps, 4);
    put_uint(&g, (uint64_t)s->started_at_ms, 8);
    put_uint(&g, (uint64_t)s->hard_stop_at_ms, 8);
    put_uint(&g, s->var_count, 2);
    for (size_t i = 0; i < s->var_count; i++) {
        put_text(&g, s->vars[i].name);
        put_value(&g, &s->vars[i].value);
    }
    const char *data = growing_text(&g);
    if (!data)
        return g.err;
    *bytes = (const uint8_t *)data;
    *len = g.len;
    return 0;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *p, *end;
    struct ivr_arena *arena;
    int err;
};

static uint64_t get_uint(struct reader *r, int bytes)
{
    uint64_t v = 0;

    if (r->end - r->p < bytes) {
        r->err = r->err ? r->err : EBADMSG;
        return 0;
    }
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)*r->p++ << (8 * i);
    return v;
}

static uint64_t get_below(struct reader *r, int bytes, uint64_t limit)
{
    uint64_t v = get_uint(r, bytes);

    if (v >= limit)
        r->err = r->err ? r->err : EBADMSG;
    return r->err ? 0 : v;
}

static const char *get_text(struct reader *r)
{
    size_t len = get_uint(r, 2);

    if (r->err || (size_t)(r->end - r->p) < len || memchr(r->p, 0, len)) {
        r->err = r->err ? r->err : EBADMSG;
        return "";
    }
    const char *text = arena_copy(r->arena, (const char *)r->p, len);
    r->p += len;
    if (!text)
        r->err = ENOMEM;
    return text ? text : "";
}

static void get_short_text(struct reader *r, char *out, size_t size)
{
    const char *text = get_text(r);
    size_t len = strlen(text);

    if (len >= size)
        r->err = r->err ? r->err : EBADMSG;
    else
        memcpy(out, text, len + 1);
}

static struct ivr_value get_value(struct reader *r)
{
    struct ivr_value v = {.text = ""};

    v.type = (enum ivr_type)get_below(r, 1, IVR_JSON);
    switch (v.type) {
    case IVR_BOOL:
        v.i = (int64_t)get_below(r, 1, 2);
        break;
    case IVR_INT:
        v.i = (int64_t)get_uint(r, 8);
        break;
    case IVR_DECIMAL:
        v.scale = (uint8_t)get_below(r, 1, NUMBER_SCALE_MAX + 1);
        v.i = (int64_t)get_uint(r, 8);
        break;
    case IVR_TEXT:
        v.text = get_text(r);
        break;
    case IVR_NULL:
    case IVR_JSON:
    case IVR_FAULT:
        break;
    }
    return v;
}

static void get_vars(struct reader *r, struct ivr_state *s)
{
    size_t n = get_uint(r, 2);

    /* A variable takes three bytes at least. */
    if (r->err || n > (size_t)(r->end - r->p) / 3 || n > VARS_BYTES_MAX / 3) {
        r->err = r->err ? r->err : EBADMSG;
        return;
    }
    struct ivr_var *vars = arena_alloc(r->arena, (n + 1) * sizeof(*vars));
    if (!vars) {
        r->err = ENOMEM;
        return;
    }
    for (size_t i = 0; i < n && !r->err; i++) {
        vars[i].name = get_text(r);
        vars[i].value = get_value(r);
        if (!r->err && (!expr_is_name(vars[i].name) ||
                        (i > 0 && strcmp(vars[i - 1].name, vars[i].name) >= 0)))
            r->err = EBADMSG;
    }
    s->var_count = n;
    s->vars = vars;
}

static void get_head(struct reader *r, struct ivr_state *s)
{
    if (r->end - r->p < 4 || memcmp(r->p, magic, sizeof(magic)) != 0) {
        r->err = EBADMSG;
        return;
    }
    r->p += sizeof(magic);
    if (get_uint(r, 2) != VERSION)
        r->err = EBADMSG;
    s->seq = (uint32_t)get_uint(r, 4);
    s->status = (enum ivr_status)get_below(r, 1, IVR_ENDED + 1);
    unsigned flags = (unsigned)get_below(r, 1, FLAGS_ALL + 1);
    s->on_error_used = flags & FLAG_ON_ERROR;
    s->opted_out = flags & FLAG_OPTED_OUT;
    s->callback_asked = flags & FLAG_CALLBACK;
    s->offered = flags & FLAG_OFFERED;
    s->tenant = (int64_t)get_uint(r, 8);
    for (size_t i = 0; i < sizeof(s->prog_hash); i++)
        s->prog_hash[i] = (uint8_t)get_uint(r, 1);
    get_short_text(r, s->session, sizeof(s->session));
    get_short_text(r, s->lang, sizeof(s->lang));
    get_short_text(r, s->outcome, sizeof(s->outcome));
}

EXPORT int ivr_state_read(const void *bytes, size_t len, struct ivr_arena *arena,
                          const struct ivr_state **out)
{
    struct reader r = {bytes, (const uint8_t *)bytes + len, arena, 0};
    struct ivr_state *s = arena_alloc(arena, sizeof(*s));

    if (!s)
        return ENOMEM;
    get_head(&r, s);
    s->depth = (uint8_t)get_below(&r, 1, IVR_MAX_DEPTH + 1);
    for (int i = 0; i < s->depth; i++) {
        s->stack[i].flow = (uint16_t)get_below(&r, 2, FLOWS_MAX);
        s->stack[i].node = (uint16_t)get_uint(&r, 2);
        s->stack[i].attempts = (uint16_t)get_uint(&r, 2);
    }
    s->wait.kind = (enum ivr_wait_kind)get_below(&r, 1, IVR_WAIT_DATA + 1);
    s->wait.media_node = (uint16_t)get_uint(&r, 2);
    s->wait.deadline_at_ms = (int64_t)get_uint(&r, 8);
    s->total_steps = (uint32_t)get_uint(&r, 4);
    s->started_at_ms = (int64_t)get_uint(&r, 8);
    s->hard_stop_at_ms = (int64_t)get_uint(&r, 8);
    get_vars(&r, s);
    if (!r.err && (r.p != r.end || s->depth == 0 ||
                   (s->status == IVR_ENDED) != (s->wait.kind == IVR_WAIT_NONE)))
        r.err = EBADMSG;
    if (!r.err)
        *out = s;
    return r.err;
}
