/*
 * lexicon - the pronunciations of exactly the words a grammar uses.
 *
 * The model's dictionary has 130,000 words; loading it once per decoder costs
 * half a second and memory. This picks what the grammar names: words of our own
 * list first (they replace the model's), then the model's.
 * Not thread-safe; used once at start.
 */
#ifndef ASR_LOCAL_LEXICON_H
#define ASR_LOCAL_LEXICON_H

#include "base/attrs.h"
#include "base/errors.h"

/* Writes a dictionary for grammar (JSGF) to path. EINVAL names the first word
 * that neither list knows; other errors are of the file system. */
NODISCARD int lexicon_write(const char *path, const char *grammar, const char *own_words,
                            const char *model_words, struct errtext *e);

#endif
