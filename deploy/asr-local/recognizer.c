#include "deploy/asr-local/recognizer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pocketsphinx.h>

#include "base/str.h"
#include "base/xalloc.h"

#include "deploy/asr-local/lexicon.h"

struct recognizer {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    ps_decoder_t **idle; /* the first idle_count are free */
    int idle_count, count;
};

static ps_decoder_t *decoder_new(const char *hmm, const char *dict, const char *grammar)
{
    /* The beams are wide for a grammar: synthetic and accented voices score badly
     * on their first words and must not be cut there (README.md has the numbers). */
    cmd_ln_t *config =
        cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", hmm, "-dict", dict, "-jsgf", grammar,
                    "-beam", "1e-80", "-pbeam", "1e-80", "-wbeam", "1e-60", "-lw", "0.5",
                    "-remove_noise", "no", "-logfn", "/dev/null", NULL);
    ps_decoder_t *d = config ? ps_init(config) : NULL;

    if (config)
        cmd_ln_free_r(config);
    return d;
}

static int add_decoders(struct recognizer *r, const struct recognizer_options *o,
                        const char *dict, struct errtext *e)
{
    CLEANUP(free_cleanup) char *hmm = xasprintf("%s/en-us", o->model_dir);

    r->idle = xcalloc((size_t)o->decoders, sizeof(ps_decoder_t *));
    while (r->count < o->decoders) {
        ps_decoder_t *d = decoder_new(hmm, dict, o->grammar_path);
        if (!d)
            return errtext_set(e, EINVAL, 0, 0,
                               "pocketsphinx does not start with the model %s and the "
                               "grammar %s",
                               hmm, o->grammar_path);
        r->idle[r->idle_count++] = d;
        r->count++;
    }
    return 0;
}

int recognizer_new(struct recognizer **out, const struct recognizer_options *o,
                   struct errtext *e)
{
    CLEANUP(free_cleanup)
    char *model_words = xasprintf("%s/cmudict-en-us.dict", o->model_dir);
    char dict[] = "/tmp/furrow-asr-words-XXXXXX";
    int fd = mkstemp(dict);

    if (fd < 0)
        return errtext_set(e, errno, 0, 0, "no temporary file: %s", strerror(errno));
    close(fd);
    struct recognizer *r = xcalloc(1, sizeof(*r));
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->freed, NULL);
    int err = lexicon_write(dict, o->grammar_path, o->words_path, model_words, e);
    if (!err)
        err = add_decoders(r, o, dict, e);
    unlink(dict);
    if (err) {
        recognizer_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void recognizer_free(struct recognizer *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->idle_count; i++)
        ps_free(r->idle[i]);
    free(r->idle);
    pthread_cond_destroy(&r->freed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static ps_decoder_t *take(struct recognizer *r)
{
    pthread_mutex_lock(&r->lock);
    while (r->idle_count == 0)
        pthread_cond_wait(&r->freed, &r->lock);
    ps_decoder_t *d = r->idle[--r->idle_count];
    pthread_mutex_unlock(&r->lock);
    return d;
}

static void give(struct recognizer *r, ps_decoder_t *d)
{
    pthread_mutex_lock(&r->lock);
    r->idle[r->idle_count++] = d;
    pthread_cond_signal(&r->freed);
    pthread_mutex_unlock(&r->lock);
}

static bool is_word(const char *w)
{
    return w && w[0] != '<' && w[0] != '[' && w[0] != '+' && w[0] != '(';
}

/* Words with their times; a pronunciation's number "(2)" is not part of the word. */
static void collect(ps_decoder_t *d, struct recognized *out)
{
    struct buf text = {0};
    size_t cap = 0;

    for (ps_seg_t *s = ps_seg_iter(d); s; s = ps_seg_next(s)) {
        const char *w = ps_seg_word(s);
        int from = 0, to = 0;
        if (!is_word(w))
            continue;
        ps_seg_frames(s, &from, &to);
        if (out->word_count == cap) {
            cap = cap ? cap * 2 : 16;
            out->words = xrealloc(out->words, cap * sizeof(*out->words));
        }
        out->words[out->word_count++] = (struct recognized_word){
            .text = xstrndup(w, strcspn(w, "(")),
            .start_s = from / 100.0,
            .end_s = (to + 1) / 100.0,
        };
    }
    for (size_t i = 0; i < out->word_count; i++)
        buf_printf(&text, "%s%s", i ? " " : "", out->words[i].text);
    out->text = buf_take(&text);
}

int recognizer_listen(struct recognizer *r, const int16_t *samples, size_t count,
                      struct recognized *out)
{
    ps_decoder_t *d = take(r);
    int32 score = 0;
    int err = 0;

    memset(out, 0, sizeof(*out));
    /* The whole utterance at once: levels are then evened over all of it. */
    if (ps_start_utt(d) < 0 || ps_process_raw(d, samples, count, FALSE, TRUE) < 0)
        err = EIO;
    if (ps_end_utt(d) < 0)
        err = EIO;
    if (!err && ps_get_hyp(d, &score))
        collect(d, out);
    else if (!err)
        out->text = xstrdup("");
    give(r, d);
    return err;
}

void recognized_deinit(struct recognized *r)
{
    for (size_t i = 0; i < r->word_count; i++)
        free(r->words[i].text);
    free(r->words);
    free(r->text);
    memset(r, 0, sizeof(*r));
}
