#include "batches/spoken.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static bool is_word_char(unsigned char c)
{
    return c >= 0x80 || isalnum(c) || c == '_' || c == '\'' || c == '-';
}

/* A dot or comma between digits belongs to the number. */
static bool joins_digits(const char *start, const char *at)
{
    return (*at == '.' || *at == ',') && at > start && isdigit((unsigned char)at[-1]) &&
           isdigit((unsigned char)at[1]);
}

/* "300kg": the number ends where its unit begins. Ids like 4B_2026 stay whole. */
static bool number_ends(const char *start, const char *at)
{
    if (at == start || !isalpha((unsigned char)*at) || !isdigit((unsigned char)at[-1]))
        return false;
    if (strspn(start, "0123456789.,") < (size_t)(at - start))
        return false;
    size_t tail = 0;
    while (isalpha((unsigned char)at[tail]))
        tail++;
    return at[tail] != '_' && at[tail] != '-' && !isdigit((unsigned char)at[tail]);
}

static size_t word_length(const char *text)
{
    const char *at = text;

    while (*at && (is_word_char((unsigned char)*at) || joins_digits(text, at)) &&
           !number_ends(text, at))
        at++;
    return (size_t)(at - text);
}

void spoken_split(struct spoken *s, const char *text)
{
    s->count = 0;
    while (*text && s->count < SPOKEN_WORDS_MAX) {
        size_t n = word_length(text);
        if (n == 0) {
            if (s->count > 0 && strchr(".,;:!?", *text))
                s->words[s->count - 1].ends = true;
            text++;
            continue;
        }
        struct spoken_word *w = &s->words[s->count++];
        size_t keep = n < SPOKEN_WORD_MAX ? n : SPOKEN_WORD_MAX - 1;
        memset(w, 0, sizeof(*w));
        memcpy(w->text, text, keep);
        for (size_t i = 0; i < keep; i++)
            w->lower[i] = (char)(isascii((unsigned char)w->text[i])
                                     ? tolower((unsigned char)w->text[i])
                                     : w->text[i]);
        text += n;
    }
}

bool spoken_is(const struct spoken *s, size_t i, const char *w)
{
    return i < s->count && str_is(s->words[i].lower, w);
}

size_t spoken_phrase(const struct spoken *s, size_t i, const char *phrase)
{
    size_t n = 0;

    while (*phrase) {
        size_t len = strcspn(phrase, " ");
        if (i + n >= s->count || strlen(s->words[i + n].lower) != len ||
            strncmp(s->words[i + n].lower, phrase, len) != 0)
            return 0;
        n++;
        phrase += len + (phrase[len] == ' ');
    }
    return n;
}

/* --- numbers ----------------------------------------------------------------------- */

static const char *const small_numbers[] = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const tens_numbers[] = {
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};

static int find_word(const char *const *list, size_t count, const char *w)
{
    for (size_t i = 0; i < count; i++)
        if (*list[i] && str_is(list[i], w))
            return (int)i;
    return -1;
}

/* "five", "twenty", "twenty one", "twenty-one": below a hundred. */
static size_t below_hundred(const struct spoken *s, size_t i, double *out)
{
    char tens_word[SPOKEN_WORD_MAX];

    if (i >= s->count)
        return 0;
    const char *w = s->words[i].lower, *dash = strchr(w, '-');
    int n = find_word(small_numbers, ARRAY_LEN(small_numbers), w);
    if (n >= 0) {
        *out = n;
        return 1;
    }
    str_cut(tens_word, sizeof(tens_word), w);
    tens_word[strcspn(tens_word, "-")] = 0;
    int tens = find_word(tens_numbers, ARRAY_LEN(tens_numbers), tens_word);
    if (tens < 0)
        return 0;
    const char *ones_word = dash               ? dash + 1
                            : i + 1 < s->count ? s->words[i + 1].lower
                                               : "";
    int ones = find_word(small_numbers, 10, ones_word);
    if (dash && ones < 1)
        return 0;
    *out = tens * 10 + (ones > 0 ? ones : 0);
    return ones > 0 && !dash ? 2 : 1;
}

/* "1,800", "2.5"; a comma is only for reading. */
static size_t digits(const struct spoken *s, size_t i, double *out)
{
    char plain[SPOKEN_WORD_MAX] = "", *end = NULL;
    size_t n = 0;

    if (i >= s->count || !isdigit((unsigned char)s->words[i].lower[0]))
        return 0;
    for (const char *c = s->words[i].lower; *c; c++)
        if (*c != ',')
            plain[n++] = *c;
    if (strspn(plain, "0123456789.") != n)
        return 0;
    *out = strtod(plain, &end);
    return *end ? 0 : 1;
}

/* The next group after a hundred or thousand, "and" before it or not. */
static size_t rest(const struct spoken *s, size_t i, double *out)
{
    size_t skip = spoken_is(s, i, "and") ? 1 : 0;
    size_t n = below_hundred(s, i + skip, out);

    return n ? n + skip : 0;
}

size_t spoken_number(const struct spoken *s, size_t i, double *out)
{
    double total = 0, group = 0, more = 0;
    size_t n = digits(s, i, &group);

    if (!n)
        n = below_hundred(s, i, &group);
    if (!n && spoken_is(s, i, "a") &&
        (spoken_is(s, i + 1, "hundred") || spoken_is(s, i + 1, "thousand"))) {
        group = 1;
        n = 1;
    }
    if (!n)
        return 0;
    if (spoken_is(s, i + n, "thousand")) {
        total = group * 1000;
        group = 0;
        n++;
        size_t took = rest(s, i + n, &more);
        if (took) {
            group = more;
            n += took;
        }
    }
    if (spoken_is(s, i + n, "hundred")) {
        group *= 100;
        n++;
        size_t took = rest(s, i + n, &more);
        if (took) {
            group += more;
            n += took;
        }
    }
    if (spoken_phrase(s, i + n, "and a half")) {
        group += 0.5;
        n += 3;
    }
    *out = total + group;
    return n;
}
