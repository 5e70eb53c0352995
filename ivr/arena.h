/*
 * arena - memory of one compile or one call, freed at once.
 *
 * Inside ivr/ only. Nothing aborts: NULL means ENOMEM and every caller passes it on.
 */
#ifndef IVR_ARENA_H
#define IVR_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/attrs.h"
#include "ivr/ivr.h"

/* Zeroed, aligned for anything; NULL: ENOMEM. */
void *arena_alloc(struct ivr_arena *arena, size_t size);
char *arena_copy(struct ivr_arena *arena, const char *text, size_t len);
char *arena_text(struct ivr_arena *arena, const char *text);
PRINTF_LIKE(2, 3) char *arena_printf(struct ivr_arena *arena, const char *format, ...);

/* Makes room for one more item of `size` bytes in an array of the arena: false on
 * ENOMEM. *items may move; the old copy stays until the arena goes. */
bool arena_grow(struct ivr_arena *arena, void **items, size_t n, size_t *cap,
                size_t size);

/* A text that grows. The first failure stays in err and makes the rest do nothing. */
struct growing {
    struct ivr_arena *arena;
    char *data;
    size_t len, cap;
    int err;
};

void growing_room(struct growing *g,
                  size_t size); /* at once; only before the first add */
void growing_add(struct growing *g, const char *text, size_t len);
void growing_puts(struct growing *g, const char *text);
void growing_putc(struct growing *g, char c);
PRINTF_LIKE(2, 3) void growing_printf(struct growing *g, const char *format, ...);
/* The text with its NUL; NULL when err is set. */
const char *growing_text(struct growing *g);

/* jansson walks objects through pointers that are not const; it changes nothing. */
json_t *loose(const json_t *j);

#endif
