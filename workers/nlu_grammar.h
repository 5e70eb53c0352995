/*
 * nlu_grammar - the built-in understanding of English commands, used when no
 * language model is configured: words, numbers and their order, no statistics.
 *
 * It says nothing rather than guess: without a word that shows an intent the
 * intent is none. Pure; any thread.
 */
#ifndef WORKERS_NLU_GRAMMAR_H
#define WORKERS_NLU_GRAMMAR_H

#include "workers/understanding.h"

/* text is UTF-8 of any length; only its first 256 words are read. */
void nlu_grammar_understand(struct understanding *out, const char *text);

#endif
