/*
 * spoken - a sentence as words, and numbers said in words.
 * Part of nlu_grammar. Pure; any thread.
 */
#ifndef BATCHES_SPOKEN_H
#define BATCHES_SPOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

enum { SPOKEN_WORDS_MAX = 256, SPOKEN_WORD_MAX = 64 };

struct spoken_word {
    char text[SPOKEN_WORD_MAX];  /* as written */
    char lower[SPOKEN_WORD_MAX]; /* ASCII in lower case */
    bool ends;                   /* a comma or full stop follows */
};

struct spoken {
    struct spoken_word words[SPOKEN_WORDS_MAX];
    size_t count;
};

/* Words longer than a word can be are cut. "300kg" is two words, "1,800" is one. */
void spoken_split(struct spoken *s, const char *text);
/* Whether word i is w; false beyond the end. */
bool spoken_is(const struct spoken *s, size_t i, const char *w);
/* Whether the words from i are those of phrase, separated by single spaces; returns
 * how many they are, 0 when not. */
size_t spoken_phrase(const struct spoken *s, size_t i, const char *phrase);
/* Reads "five", "twenty one", "a hundred and five", "2.5", "1,800" from word i on;
 * returns how many words it took, 0 for no number. */
size_t spoken_number(const struct spoken *s, size_t i, double *out);

#endif
