#include "workers/word_errors.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"

struct words {
    struct {
        const char *at;
        size_t len;
    } * item;
    int count;
};

static const char gaps[] = " \t\r\n.,;:!?\"()";

static void split(struct words *w, const char *text)
{
    w->item = xcalloc(strlen(text) / 2 + 1, sizeof(*w->item));
    w->count = 0;
    for (text += strspn(text, gaps); *text; text += strspn(text, gaps)) {
        w->item[w->count].at = text;
        w->item[w->count].len = strcspn(text, gaps);
        text += w->item[w->count].len;
        w->count++;
    }
}

static int same(const struct words *a, int i, const struct words *b, int j)
{
    return a->item[i].len == b->item[j].len &&
           !strncasecmp(a->item[i].at, b->item[j].at, a->item[i].len);
}

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* One row of the usual table at a time: row[j] is the distance between the words
 * of truth so far and the first j of heard. */
static int distance(const struct words *truth, const struct words *heard)
{
    CLEANUP(free_cleanup) int *row = xcalloc((size_t)heard->count + 1, sizeof(int));

    for (int j = 0; j <= heard->count; j++)
        row[j] = j;
    for (int i = 0; i < truth->count; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < heard->count; j++) {
            int replaced = diagonal + !same(truth, i, heard, j);
            diagonal = row[j + 1];
            row[j + 1] = least(row[j + 1] + 1, row[j] + 1, replaced);
        }
    }
    return row[heard->count];
}

struct word_errors word_errors_count(const char *truth, const char *heard)
{
    struct words t, h;

    split(&t, truth);
    split(&h, heard);
    struct word_errors e = {.words = t.count, .errors = distance(&t, &h)};
    free_cleanup(&t.item);
    free_cleanup(&h.item);
    return e;
}
