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

/* "opt out" and "opt-out" come as two words. */
static bool is_asked(const char (*words)[WORD_MAX], size_t i, size_t n)
{
    static const char *const known[] = {
        "stop",        "stopall", "quit", "end", "revoke", "cancel", "optout",
        "unsubscribe", "አቁም",     "አቁሙ",  "ይቁም", "dhaabi", "dhaabaa"};

    for (size_t k = 0; k < ARRAY_LEN(known); k++)
        if (strcasecmp(words[i], known[k]) == 0)
            return true;
    return i + 1 < n && strcasecmp(words[i], "opt") == 0 &&
           strcasecmp(words[i + 1], "out") == 0;
}

static size_t split(const char *text, char (*words)[WORD_MAX])
{
    /* Ethiopic separators are letters to no one: "፡" to "፨", U+1361 to U+1368. */
    static const unsigned char mark[2] = {0xe1, 0x8d};
    const unsigned char *p = (const unsigned char *)text;
    size_t n = 0, len = 0;

    for (; *p && n < WORDS_MAX; p++) {
        bool separates =
            p[0] == mark[0] && p[1] == mark[1] && p[2] >= 0xa1 && p[2] <= 0xa8;
        if (is_of_a_word(*p) && !separates) {
            if (len < WORD_MAX - 1)
                words[n][len++] = (char)*p;
            continue;
        }
        p += separates ? 2 : 0;
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

bool opt_out_is_said(const char *text)
{
    char words[WORDS_MAX][WORD_MAX];
    size_t n = split(text, words);

    for (size_t i = 0; i < n && (i == 0 || n <= SHORT_WORDS); i++)
        if (is_asked((const char(*)[WORD_MAX])words, i, n))
            return true;
    return false;
}
