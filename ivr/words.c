#include "ivr/words.h"

#include <stdio.h>
#include <string.h>

#include "base/attrs.h"

struct said {
    char text[WORDS_BYTES]; /* in lower case, each word with its NUL */
    const char *word[WORDS_MAX];
    size_t at[WORDS_MAX], len[WORDS_MAX]; /* in what was given */
    size_t n;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char low(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static char up(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static void split(struct said *s, const char *text)
{
    size_t used = 0, i = 0;

    s->n = 0;
    while (text[i] && s->n < WORDS_MAX) {
        size_t from = i, word = used;
        while (is_letter(text[i]) || is_digit(text[i]) || text[i] == '\'') {
            if (text[i] != '\'' && used + 1 < sizeof(s->text))
                s->text[used++] = low(text[i]);
            i++;
        }
        if (used > word && used < sizeof(s->text)) {
            s->text[used++] = '\0';
            s->word[s->n] = s->text + word;
            s->at[s->n] = from;
            s->len[s->n++] = i - from;
        }
        if (i == from)
            i++;
    }
}

/* ---- phrases ---- */

/* How many words from i on are those of the phrase of len bytes; 0: they are not. */
static size_t phrase_at(const struct said *s, size_t i, const char *phrase, size_t len)
{
    size_t took = 0, p = 0;

    while (p < len) {
        while (p < len && (phrase[p] == ' ' || phrase[p] == '-'))
            p++;
        size_t from = p, n = 0;
        if (p == len)
            break;
        if (i + took >= s->n)
            return 0;
        const char *word = s->word[i + took];
        for (; p < len && phrase[p] != ' ' && phrase[p] != '-' && phrase[p] != '*'; p++)
            if (phrase[p] != '\'') {
                if (word[n] != low(phrase[p]))
                    return 0;
                n++;
            }
        bool begins = p < len && phrase[p] == '*';
        if ((word[n] && !begins) || p == from)
            return 0;
        p += begins;
        took++;
    }
    return took;
}

/* Of the longest of the patterns that stands at i. */
static size_t pattern_at(const struct said *s, size_t i, const char *patterns)
{
    size_t best = 0;

    for (const char *p = patterns; *p;) {
        size_t len = strcspn(p, ","), took = phrase_at(s, i, p, len);
        best = took > best ? took : best;
        p += len + (p[len] == ',');
    }
    return best;
}

bool words_have(const char *text, const char *patterns)
{
    struct said s;

    split(&s, text);
    for (size_t i = 0; i < s.n; i++)
        if (pattern_at(&s, i, patterns))
            return true;
    return false;
}

void words_without(const char *text, const char *patterns, char *out, size_t size)
{
    struct said s;
    size_t used = 0;

    split(&s, text);
    *out = '\0';
    for (size_t i = 0, gone; i < s.n; i += gone ? gone : 1) {
        gone = pattern_at(&s, i, patterns);
        if (gone)
            continue;
        /* "O'Neil-Ray" is two words, and stays one. */
        bool joined = i > 0 && used > 0 && s.at[i] > 0 && text[s.at[i] - 1] == '-' &&
                      s.at[i - 1] + s.len[i - 1] + 1 == s.at[i];
        int n = snprintf(out + used, size - used, "%s%.*s",
                         used == 0 ? ""
                         : joined  ? "-"
                                   : " ",
                         (int)s.len[i], text + s.at[i]);
        if (n < 0 || used + (size_t)n >= size) {
            out[used] = '\0';
            return;
        }
        used += (size_t)n;
    }
}

/* ---- digits and letters ---- */

static int find(const char *const *list, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], word) == 0)
            return (int)i;
    return -1;
}
#define FIND(list, word) find(list, ARRAY_LEN(list), word)

static const char *const ones[] = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const tens[] = {"twenty", "thirty",  "forty",  "fifty",
                                   "sixty",  "seventy", "eighty", "ninety"};

static const char *word_at(const struct said *s, size_t i)
{
    return i < s->n ? s->word[i] : "";
}

/* 1 to 99 from word i on; how many words it took, 0 for none. */
static size_t below_hundred(const struct said *s, size_t i, int *value)
{
    int ten = FIND(tens, word_at(s, i)), one = FIND(ones, word_at(s, i));

    if (ten < 0) {
        *value = one;
        return one >= 0;
    }
    one = FIND(ones, word_at(s, i + 1));
    *value = (ten + 2) * 10 + (one > 0 && one < 10 ? one : 0);
    return one > 0 && one < 10 ? 2 : 1;
}

/* "two hundred and five". */
static size_t with_hundreds(const struct said *s, size_t i, int *value)
{
    bool a = strcmp(word_at(s, i), "a") == 0;
    int hundreds = 1, rest = 0;
    size_t took = a ? 1 : below_hundred(s, i, &hundreds);

    if (took == 0 || hundreds < 1 || hundreds > 9 ||
        strcmp(word_at(s, i + took), "hundred") != 0)
        return 0;
    took++;
    size_t at = i + took + (strcmp(word_at(s, i + took), "and") == 0);
    size_t more = below_hundred(s, at, &rest);
    *value = hundreds * 100 + (more ? rest : 0);
    return more ? at + more - i : took;
}

/* A word of which it is no wonder that it stands between two digits. */
static bool is_nothing(const char *word)
{
    static const char *const nothing[] = {"uh",    "um",     "er",  "dash", "dot",
                                          "point", "hyphen", "and", "then", "please",
                                          "space", "comma",  "like"};

    return FIND(nothing, word) >= 0;
}

static char sounds_like(const char *word)
{
    static const char *const alike[] = {"to", "too", "for", "ate", "won"};
    static const char digits[] = "22481";
    int i = FIND(alike, word);

    return (char)(i >= 0 ? digits[i] : '\0');
}

static bool has_digit(const char *word)
{
    return strpbrk(word, "0123456789") != NULL;
}

/* "sg" of "sg 445", but not "to" of "to 445". */
static bool is_airline(const struct said *s, size_t i)
{
    static const char *const words[] = {"am", "an", "as", "at", "be", "by", "do", "go",
                                        "he", "hi", "if", "in", "is", "it", "me", "my",
                                        "no", "of", "oh", "ok", "on", "or", "so", "to",
                                        "uh", "um", "up", "us", "we"};
    const char *word = word_at(s, i), *next = word_at(s, i + 1);

    return strlen(word) == 2 && is_letter(word[0]) && is_letter(word[1]) &&
           FIND(words, word) < 0 && (has_digit(next) || FIND(ones, next) >= 0);
}

struct run {
    char text[WORDS_CODE_MAX + 1];
    size_t n;
};

static void add(struct run *r, const char *text)
{
    for (; *text && r->n < WORDS_CODE_MAX; text++)
        r->text[r->n++] = up(*text);
    r->text[r->n] = '\0';
}

/* Words from i on that are part of a code; 0: none are. */
static size_t piece(const struct said *s, size_t i, bool letters, struct run *r)
{
    const char *word = word_at(s, i);
    bool alone = word[0] && !word[1];
    int value = 0;
    char text[16];

    size_t took = with_hundreds(s, i, &value);
    took = took ? took : below_hundred(s, i, &value);
    if (took) {
        snprintf(text, sizeof(text), "%d", value);
        add(r, text);
        return took;
    }
    bool after_digit = r->n > 0 && is_digit(r->text[r->n - 1]);
    if (strcmp(word, "oh") == 0 ||
        (strcmp(word, "o") == 0 && (!letters || after_digit))) {
        add(r, "0");
        return 1;
    }
    bool digits = word[0] && strspn(word, "0123456789") == strlen(word);
    if (digits || (letters && ((alone && is_letter(word[0])) || has_digit(word) ||
                               is_airline(s, i)))) {
        add(r, word);
        return 1;
    }
    return 0;
}

static size_t several(const struct said *s, size_t i, bool letters, struct run *r)
{
    const char *word = word_at(s, i);
    size_t times = strcmp(word, "double") == 0 ? 2 : strcmp(word, "triple") == 0 ? 3 : 0;
    struct run one = {.n = 0};

    if (times == 0 || piece(s, i + 1, letters, &one) != 1 || one.n != 1)
        return 0;
    for (size_t k = 0; k < times; k++)
        add(r, one.text);
    return 2;
}

static size_t homophone(const struct said *s, size_t i, bool letters, struct run *r)
{
    struct run next = {.n = 0};
    const char digit[2] = {sounds_like(word_at(s, i)), '\0'};

    if (!digit[0] || r->n == 0 ||
        (i + 1 < s->n && !piece(s, i + 1, letters, &next) &&
         !sounds_like(word_at(s, i + 1))))
        return 0;
    add(r, digit);
    return 1;
}

void words_code(const char *text, bool letters, char out[WORDS_CODE_MAX + 1])
{
    struct run best = {.n = 0}, now = {.n = 0};
    struct said s;

    split(&s, text);
    for (size_t i = 0; i <= s.n;) {
        size_t took = i < s.n ? several(&s, i, letters, &now) : 0;
        if (!took && i < s.n)
            took = piece(&s, i, letters, &now);
        if (!took && i < s.n)
            took = homophone(&s, i, letters, &now);
        if (!took && i < s.n && is_nothing(word_at(&s, i)))
            took = 1;
        else if (!took) {
            if (has_digit(now.text) && now.n > best.n)
                best = now;
            now = (struct run){.n = 0};
            took = 1;
        }
        i += took;
    }
    memcpy(out, best.text, best.n + 1);
}

/* ---- names and keys ---- */

/* One part of a name: "o'neil", "SMITH", "McDonald". */
static size_t add_part(const char *part, size_t len, char *out)
{
    bool mixed = false, begins = true;

    for (size_t i = 0; i < len; i++)
        mixed = mixed || (part[i] >= 'a' && part[i] <= 'z');
    for (size_t i = 0; i < len; i++) {
        out[i] = begins ? up(part[i]) : mixed ? part[i] : low(part[i]);
        begins = part[i] == '\'' && i < 2; /* O'Neil, but not Smith's */
    }
    return len;
}

void words_name(const char *text, char *out, size_t size)
{
    size_t used = 0, i = 0;

    while (text[i]) {
        size_t from = i;
        while (is_letter(text[i]) || (text[i] == '\'' && i > from))
            i++;
        if (i > from && used + (i - from) + 2 < size) {
            if (used > 0)
                out[used++] = (char)(text[from - 1] == '-' ? '-' : ' ');
            used += add_part(text + from, i - from, out + used);
        }
        if (i == from)
            i++;
    }
    out[used] = '\0';
}

void words_keypad(const char *text, char *out, size_t size)
{
    static const char keys[] = "22233344455566677778889999";
    size_t n = 0;

    for (; *text && n + 1 < size; text++) {
        char c = low(*text);
        if (is_digit(c))
            out[n++] = c;
        else if (c >= 'a' && c <= 'z')
            out[n++] = keys[c - 'a'];
    }
    out[n] = '\0';
}
