/*
 * page - what the pages that commands print have in common: plain HTML and SVG, one
 * style, no script, nothing loaded from anywhere.
 */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Up to the first heading. The title is both texts together; they are escaped. */
void page_begin(FILE *to, const char *title, const char *heading);
void page_end(FILE *to);

void page_text(FILE *to, const char *s); /* escaped */

enum { PAGE_COUNT_MAX = 32 };
const char *page_count(int64_t n, char out[PAGE_COUNT_MAX]); /* "1,234,567" */
/* Between <div class="cards"> and </div>. */
void page_card(FILE *to, const char *value, const char *label);

#endif
