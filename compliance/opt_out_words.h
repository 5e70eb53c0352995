/*
 * opt_out_words - does a message say that its sender wants no more calls or messages,
 * wants them again, or asks who we are? The English words are those of the US rule (47
 * CFR 64.1200(a)(10): stop, quit, end, revoke, opt out, cancel, unsubscribe); Amharic and
 * Afaan Oromo say stop in their own. Whoever is in doubt is taken at the word: an opt-out
 * too many is mended, a call too many is not. Pure; any thread.
 */
#ifndef COMPLIANCE_OPT_OUT_WORDS_H
#define COMPLIANCE_OPT_OUT_WORDS_H

#include <stdbool.h>

/* True when the message begins with such a word, or is short and has one in it. text:
 * UTF-8; other bytes end a word. */
bool opt_out_is_said(const char *text);

enum message_word {
    MESSAGE_WORD_NONE,
    MESSAGE_WORD_STOP,
    MESSAGE_WORD_START,
    MESSAGE_WORD_HELP
};

/* STOP as above. START only when the message says nothing else: consent is not guessed
 * at. HELP when it begins a short message. language: that of the word, "" when it does
 * not tell (English words are known in every language). */
enum message_word message_word_of(const char *text, const char **language);

#endif
