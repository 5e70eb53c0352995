#include "compliance/opt_out_words.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/attrs.h"

enum { SHORT_WORDS = 5, WORD_MAX = 40, WORDS_MAX = 64 };

static bool is_of_a_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

/* Marks beyond ASCII that telephones put at a word: how many bytes it is long, 0 none. */
static size_t mark_at(const char *p)
{
    static const struct {
        const char *first, *last; /* of equal length */
    } marks[] = {
        {"\u00a0", "\u00bf"},         /* no-break space, quotes */
        {"\u1361", "\u1368"},         /* Ethiopic */
        {"\u2000", "\u206f"},         /* spaces, dashes, quotes, what cannot be seen */
        {"\u2190", "\u2bff"},         /* arrows, signs */
        {"\u3000", "\u303f"},         /* East Asian */
        {"\ufe00", "\ufe0f"},         /* how the sign before it looks */
        {"\ufeff", "\ufeff"},         /* byte order */
        {"\uff01", "\uff0f"},         /* full width */
        {"\U0001f000", "\U0001faff"}, /* pictures */
    };

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        size_t n = strlen(marks[i].first);
        if (strncmp(p, marks[i].first, n) >= 0 && strncmp(p, marks[i].last, n) <= 0)
            return n;
    }
    return 0;
}

struct word {
    const char *text;
    enum message_word means;
    const char *language; /* "": it is used in all */
};

static const struct word known[] = {
    {"stop", MESSAGE_WORD_STOP, ""},          {"stopall", MESSAGE_WORD_STOP, ""},
    {"quit", MESSAGE_WORD_STOP, ""},          {"end", MESSAGE_WORD_STOP, ""},
    {"revoke", MESSAGE_WORD_STOP, ""},        {"cancel", MESSAGE_WORD_STOP, ""},
    {"optout", MESSAGE_WORD_STOP, ""},        {"unsubscribe", MESSAGE_WORD_STOP, ""},
    {"አቁም", MESSAGE_WORD_STOP, "am"},         {"አቁሙ", MESSAGE_WORD_STOP, "am"},
    {"ይቁም", MESSAGE_WORD_STOP, "am"},         {"dhaabi", MESSAGE_WORD_STOP, "om"},
    {"dhaabaa", MESSAGE_WORD_STOP, "om"},     {"start", MESSAGE_WORD_START, ""},
    {"unstop", MESSAGE_WORD_START, ""},       {"ጀምር", MESSAGE_WORD_START, "am"},
    {"ጀምሩ", MESSAGE_WORD_START, "am"},        {"ይጀምር", MESSAGE_WORD_START, "am"},
    {"jalqabi", MESSAGE_WORD_START, "om"},    {"jalqabaa", MESSAGE_WORD_START, "om"},
    {"help", MESSAGE_WORD_HELP, ""},          {"info", MESSAGE_WORD_HELP, ""},
    {"እርዳታ", MESSAGE_WORD_HELP, "am"},        {"ርዳታ", MESSAGE_WORD_HELP, "am"},
    {"መረጃ", MESSAGE_WORD_HELP, "am"},         {"gargaarsa", MESSAGE_WORD_HELP, "om"},
    {"odeeffannoo", MESSAGE_WORD_HELP, "om"},
};

/* NULL: it means nothing here. "opt out" and "opt-out" come as two words. */
static const struct word *find(const char (*words)[WORD_MAX], size_t i, size_t n)
{
    static const struct word opt_out = {"opt out", MESSAGE_WORD_STOP, ""};

    for (size_t k = 0; k < ARRAY_LEN(known); k++)
        if (strcasecmp(words[i], known[k].text) == 0)
            return &known[k];
    if (i + 1 < n && strcasecmp(words[i], "opt") == 0 &&
        strcasecmp(words[i + 1], "out") == 0)
        return &opt_out;
    return NULL;
}

static size_t split(const char *text, char (*words)[WORD_MAX])
{
    size_t n = 0, len = 0;

    for (const char *p = text; *p && n < WORDS_MAX; p++) {
        size_t mark = mark_at(p);
        if (is_of_a_word((unsigned char)*p) && !mark) {
            if (len < WORD_MAX - 1)
                words[n][len++] = *p;
            continue;
        }
        p += mark ? mark - 1 : 0;
        words[n][len] = '\0';
        n += len > 0;
        len = 0;
    }
    if (n < WORDS_MAX) {
        words[n][len] = '\0';
        n += len > 0;
    }
    return n;
}

static const struct word *meant(const char *text)
{
    char words[WORDS_MAX][WORD_MAX];
    const char(*all)[WORD_MAX] = (const char(*)[WORD_MAX])words;
    size_t n = split(text, words);

    for (size_t i = 0; i < n && (i == 0 || n <= SHORT_WORDS); i++) {
        const struct word *w = find(all, i, n);
        if (w && w->means == MESSAGE_WORD_STOP)
            return w;
    }
    const struct word *first = n > 0 ? find(all, 0, n) : NULL;
    if (!first || (first->means == MESSAGE_WORD_START && n > 1) || n > SHORT_WORDS)
        return NULL;
    return first;
}

bool opt_out_is_said(const char *text)
{
    const struct word *w = meant(text);

    return w && w->means == MESSAGE_WORD_STOP;
}

enum message_word message_word_of(const char *text, const char **language)
{
    const struct word *w = meant(text);

    *language = w ? w->language : "";
    return w ? w->means : MESSAGE_WORD_NONE;
}
