/*
 * words - what a party said or typed, as a flow reads it: phrases that are in it as
 * whole words, and the digits, letters and names that are spoken in it. English.
 *
 * Text is UTF-8; case, punctuation and hyphens do not matter, an apostrophe is no end of
 * a word. Only the first WORDS_MAX words are read. Inside ivr/ only; pure; no allocation.
 */
#ifndef IVR_WORDS_H
#define IVR_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { WORDS_MAX = 96, WORDS_BYTES = 768, WORDS_CODE_MAX = 64 };

/* patterns: phrases with commas between, "lost, baggage allow*"; a star ends a word that
 * is only the beginning of one. */
bool words_have(const char *text, const char *patterns);

/*
 * The longest run of digits that is spoken in it ("" when there is none): "one two",
 * "12", "oh" is 0, "thirty five" is 35, "one hundred and five" 105, "double seven" 77.
 * Between digits to, too, for, ate and won are what they sound like, and uh, dash, dot
 * and such are nothing. letters: single letters, flight codes and words with digits count
 * too, in upper case: "a i one oh one" is AI101.
 */
void words_code(const char *text, bool letters, char out[WORDS_CODE_MAX + 1]);

/* The text without those phrases, words as they were written with one space between. At
 * most size - 1 bytes. */
void words_without(const char *text, const char *patterns, char *out, size_t size);

/* As a name: letters, hyphens and apostrophes, the first letter of each part in upper
 * case: "chris o'neil-ray" is "Chris O'Neil-Ray". */
void words_name(const char *text, char *out, size_t size);

/* Letters as the keys of a telephone that bear them, digits as they are, nothing else. */
void words_keypad(const char *text, char *out, size_t size);

#endif
