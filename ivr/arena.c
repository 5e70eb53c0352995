#include "ivr/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4096 - 64, ALIGN = 16 };

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGN) char data[];
};

struct ivr_arena {
    struct ivr_allocator with;
    struct block *blocks; /* the first has the room */
};

static void *plain_alloc(void *arg, size_t size)
{
    (void)arg;
    return malloc(size);
}

static void plain_free(void *arg, void *p)
{
    (void)arg;
    free(p);
}

EXPORT int ivr_arena_new(struct ivr_arena **out, const struct ivr_allocator *a)
{
    static const struct ivr_allocator plain = {plain_alloc, plain_free, NULL};

    if (!a)
        a = &plain;
    struct ivr_arena *arena = a->alloc(a->arg, sizeof(*arena));
    if (!arena)
        return ENOMEM;
    *arena = (struct ivr_arena){.with = *a};
    *out = arena;
    return 0;
}

EXPORT void ivr_arena_free(struct ivr_arena *arena)
{
    if (!arena)
        return;
    for (struct block *b = arena->blocks, *next; b; b = next) {
        next = b->next;
        arena->with.free(arena->with.arg, b);
    }
    struct ivr_allocator with = arena->with;
    with.free(with.arg, arena);
}

static struct block *add_block(struct ivr_arena *arena, size_t size)
{
    struct block *b = arena->with.alloc(arena->with.arg, sizeof(*b) + size);

    if (!b)
        return NULL;
    b->used = 0;
    b->size = size;
    /* A large one goes second, so that the room of the first is not lost. */
    if (arena->blocks && size > BLOCK_BYTES) {
        b->next = arena->blocks->next;
        arena->blocks->next = b;
    } else {
        b->next = arena->blocks;
        arena->blocks = b;
    }
    return b;
}

void *arena_alloc(struct ivr_arena *arena, size_t size)
{
    struct block *b = arena->blocks;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!b || b->size - b->used < size)
        b = add_block(arena, size > BLOCK_BYTES ? size : BLOCK_BYTES);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += size;
    return memset(p, 0, size);
}

char *arena_copy(struct ivr_arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (copy && len > 0)
        memcpy(copy, text, len);
    return copy;
}

char *arena_text(struct ivr_arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

static char *vprint(struct ivr_arena *arena, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0)
        return NULL;
    char *text = arena_alloc(arena, (size_t)n + 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, format, args);
    return text;
}

char *arena_printf(struct ivr_arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = vprint(arena, format, args);
    va_end(args);
    return text;
}

bool arena_grow(struct ivr_arena *arena, void **items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 8;
    void *moved = arena_alloc(arena, more * size);
    if (!moved)
        return false;
    if (n > 0)
        memcpy(moved, *items, n * size);
    *items = moved;
    *cap = more;
    return true;
}

void growing_room(struct growing *g, size_t size)
{
    g->data = arena_alloc(g->arena, size);
    if (g->data)
        g->cap = size;
    else
        g->err = ENOMEM;
}

void growing_add(struct growing *g, const char *text, size_t len)
{
    if (g->err || len == 0)
        return;
    if (g->cap - g->len <= len) {
        size_t cap = (g->len + len + 1) * 2 + 32;
        char *data = arena_alloc(g->arena, cap);
        if (!data) {
            g->err = ENOMEM;
            return;
        }
        if (g->len > 0)
            memcpy(data, g->data, g->len);
        g->data = data;
        g->cap = cap;
    }
    memcpy(g->data + g->len, text, len);
    g->len += len;
    g->data[g->len] = '\0';
}

void growing_puts(struct growing *g, const char *text)
{
    growing_add(g, text, strlen(text));
}

void growing_putc(struct growing *g, char c)
{
    growing_add(g, &c, 1);
}

void growing_printf(struct growing *g, const char *format, ...)
{
    va_list args;

    if (g->err)
        return;
    va_start(args, format);
    const char *text = vprint(g->arena, format, args);
    va_end(args);
    if (text)
        growing_puts(g, text);
    else
        g->err = ENOMEM;
}

const char *growing_text(struct growing *g)
{
    if (g->err)
        return NULL;
    return g->data ? g->data : "";
}

json_t *loose(const json_t *j)
{
    const union {
        const json_t *given;
        json_t *loose;
    } both = {j};

    return both.loose;
}
