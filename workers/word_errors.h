/*
 * word_errors - how far a recognised text is from the true one: the fewest words
 * to replace, add and drop (Levenshtein). Case and punctuation around words do
 * not count. Pure; any thread.
 */
#ifndef WORKERS_WORD_ERRORS_H
#define WORKERS_WORD_ERRORS_H

/* Add up several by adding the fields; the rate is errors / words. */
struct word_errors {
    int words;  /* of the true text */
    int errors; /* may be more than words */
};

struct word_errors word_errors_count(const char *truth, const char *heard);

#endif
