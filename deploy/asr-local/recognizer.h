/*
 * recognizer - a pool of pocketsphinx decoders that share one grammar.
 *
 * recognizer_listen may be called by any thread; it waits for a free decoder.
 * It never invents: sound that ends outside the grammar gives no text.
 */
#ifndef ASR_LOCAL_RECOGNIZER_H
#define ASR_LOCAL_RECOGNIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct recognizer;

struct recognizer_options {
    const char *model_dir;    /* holds en-us/ and cmudict-en-us.dict */
    const char *grammar_path; /* JSGF */
    const char *words_path;   /* pronunciations the model lacks */
    int decoders;
};

struct recognized_word {
    char *text;
    double start_s, end_s;
};

struct recognized {
    char *text; /* never NULL; "" when nothing was understood */
    struct recognized_word *words;
    size_t word_count;
};

NODISCARD int recognizer_new(struct recognizer **out, const struct recognizer_options *o,
                             struct errtext *e);
void recognizer_free(struct recognizer *r); /* nobody may be listening */

/* samples: 16 kHz. *out is released with recognized_deinit. EIO: the decoder failed. */
NODISCARD int recognizer_listen(struct recognizer *r, const int16_t *samples,
                                size_t count, struct recognized *out);
void recognized_deinit(struct recognized *r);

#endif
