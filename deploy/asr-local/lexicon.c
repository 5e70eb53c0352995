#include "deploy/asr-local/lexicon.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/str.h"
#include "base/xalloc.h"

enum { WORDS_MAX = 2000, WORD_MAX = 64, FILE_MAX = 16 << 20 };

struct word {
    char text[WORD_MAX];
    bool own, known;
};

struct lexicon {
    struct word words[WORDS_MAX];
    size_t count;
};

static struct word *find(struct lexicon *x, const char *text)
{
    for (size_t i = 0; i < x->count; i++)
        if (str_is(x->words[i].text, text))
            return &x->words[i];
    return NULL;
}

/* Blanks out comments, <rule names> and the two header lines. */
static void strip(char *g)
{
    const char *close = NULL;

    for (; *g; g++) {
        if (!close && !strncmp(g, "/*", 2))
            close = "*/";
        else if (!close && *g == '<')
            close = ">";
        else if (!close && (*g == '#' || !strncmp(g, "grammar ", 8)))
            close = ";";
        else if (!close && !strncmp(g, "public ", 7))
            memset(g, ' ', 6);
        if (!close)
            continue;
        if (!strncmp(g, close, strlen(close))) {
            memset(g, ' ', strlen(close));
            close = NULL;
        } else {
            *g = ' ';
        }
    }
}

static int read_grammar(struct lexicon *x, const char *path, struct errtext *e)
{
    CLEANUP(free_cleanup) char *text = NULL;
    size_t len = 0;
    int err = files_read(path, FILE_MAX, &text, &len);

    if (err)
        return errtext_set(e, err, 0, 0, "cannot read the grammar %s: %s", path,
                           strerror(err));
    strip(text);
    for (char *at = text; *at;) {
        size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'");
        if (n == 0) {
            at++;
            continue;
        }
        char word[WORD_MAX] = "";
        if (n >= WORD_MAX || x->count == WORDS_MAX)
            return errtext_set(e, EINVAL, 0, 0, "%s: too many or too long words", path);
        memcpy(word, at, n);
        at += n;
        if (!find(x, word))
            memcpy(x->words[x->count++].text, word, sizeof(word));
    }
    return 0;
}

/* Copies the lines of one dictionary whose word is wanted. A word of our own list
 * is not taken from the model's as well. */
static int copy_lines(struct lexicon *x, const char *path, bool own, FILE *to,
                      struct errtext *e)
{
    char line[512], word[WORD_MAX];
    FILE *from = fopen(path, "r");

    if (!from)
        return errtext_set(e, errno, 0, 0, "cannot read the dictionary %s: %s", path,
                           strerror(errno));
    while (fgets(line, sizeof(line), from)) {
        size_t n = strcspn(line, "( \t\n");
        if (n == 0 || n >= sizeof(word))
            continue;
        memcpy(word, line, n);
        word[n] = 0;
        struct word *w = find(x, word);
        if (!w || (!own && w->own))
            continue;
        w->known = true;
        w->own = own;
        fputs(line, to);
    }
    fclose(from);
    return 0;
}

int lexicon_write(const char *path, const char *grammar, const char *own_words,
                  const char *model_words, struct errtext *e)
{
    CLEANUP(free_cleanup) struct lexicon *x = xcalloc(1, sizeof(*x));
    int err = read_grammar(x, grammar, e);

    if (err)
        return err;
    FILE *to = fopen(path, "w");
    if (!to)
        return errtext_set(e, errno, 0, 0, "cannot write %s: %s", path, strerror(errno));
    err = copy_lines(x, own_words, true, to, e);
    if (!err)
        err = copy_lines(x, model_words, false, to, e);
    if (fclose(to) && !err)
        err = errtext_set(e, EIO, 0, 0, "cannot write %s", path);
    for (size_t i = 0; i < x->count && !err; i++)
        if (!x->words[i].known)
            err = errtext_set(e, EINVAL, 0, 0, "no pronunciation for '%s': add it to %s",
                              x->words[i].text, own_words);
    return err;
}
