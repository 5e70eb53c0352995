/*
 * opt_out_words - does a message say that its sender wants no more calls or messages?
 * The English words are those of the US rule (47 CFR 64.1200(a)(10): stop, quit, end,
 * revoke, opt out, cancel, unsubscribe); Amharic and Afaan Oromo say stop in their own.
 * Whoever is in doubt is taken at the word: an opt-out too many is mended, a call too
 * many is not. Pure; any thread.
 */
#ifndef COMPLIANCE_OPT_OUT_WORDS_H
#define COMPLIANCE_OPT_OUT_WORDS_H

#include <stdbool.h>

/* True when the message begins with such a word, or is short and has one in it. text:
 * UTF-8; other bytes end a word. */
bool opt_out_is_said(const char *text);

#endif
