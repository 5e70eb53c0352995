/*
 * nlu_grammar - the built-in understanding of English commands, used when no
 * language model is configured: words, numbers and their order, no statistics.
 *
 * It says nothing rather than guess: without a word that shows an intent the
 * intent is none. Pure; any thread.
 */
#ifndef BATCHES_NLU_GRAMMAR_H
#define BATCHES_NLU_GRAMMAR_H

#include "batches/understanding.h"

/* text is UTF-8 of any length; only its first 256 words are read. */
void nlu_grammar_understand(struct understanding *out, const char *text);

/* The answer to a question after one thing that a command lacked: "five bags", "Abebe",
 * "number 17". Fills only that thing; false when it is not in the answer. */
bool nlu_grammar_answer(struct entities *e, enum missing asked, const char *text);

#endif
