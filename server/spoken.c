#include "server/spoken.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/files.h"
#include "base/form.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ivr/document.h"
#include "speech/speech.h"

enum {
    URL_MAX = 3500, /* providers take no longer ones for sure */
    TEXT_MAX = 2400,
    MARK_BYTES = 16,
    MARK_MAX = 2 * MARK_BYTES + 1,
    MAKING_MAX = 16,
    BACKENDS = 2,
};

/* What is said when a call cannot go on, where the provider has no voice for it. */
static const struct {
    const char *lang, *text;
} apologies[] = {
    {"am", "ይቅርታ፣ ችግር አጋጥሟል። እባክዎ ቆይተው እንደገና ይደውሉ። ደህና ይሁኑ።"},
    {"om", "Dhiifama, rakkoon uumameera. Maaloo booda irra deebi'aa bilbilaa. Nagaatti."},
    {"sw", "Samahani, kuna hitilafu. Tafadhali piga simu tena baadaye. Kwaheri."},
};

struct spoken {
    char *folder;
    char version[32];
    char **voices;
    const char **languages[BACKENDS]; /* their texts are the back ends' and voices' */
    const struct ivr_backend *backends[BACKENDS];
    uint8_t key[SECRET_KEY_BYTES];
    char music[SPEECH_HASH_MAX];
    char apologies[ARRAY_LEN(apologies)][SPEECH_HASH_MAX]; /* "" not made */
    pthread_t maker;
    bool makes;
    pthread_mutex_t lock;
    pthread_cond_t made;
    /* Guarded by lock: what is being made. */
    char making[MAKING_MAX][SPEECH_HASH_MAX];
    bool ready; /* music and apologies are what they will be */
};

static bool is_there(const struct spoken *s, const char *hash)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/%s.wav16", s->folder, hash);

    return access(path, R_OK) == 0;
}

/* ---- languages ---- */

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static bool has(const char *const *list, const char *lang)
{
    for (; list && *list; list++)
        if (strcmp(*list, lang) == 0)
            return true;
    return false;
}

/* The provider's own voice of a language, or of its plain one. */
static bool speaks_itself(const struct ivr_backend *b, const char *lang)
{
    char plain[32];

    str_cut(plain, sizeof(plain), lang);
    plain[strcspn(plain, "-_")] = '\0';
    return has(b->document->voices, lang) || has(b->document->voices, plain);
}

static void join(struct spoken *s, size_t i, const char *name)
{
    const struct ivr_backend *b = ivr_backend_find(name);
    const char *const *own = (const char *const *)s->voices;
    size_t n = 0;

    s->backends[i] = b;
    s->languages[i] =
        xcalloc(count(own) + count(b->document->voices) + 1, sizeof(*s->languages[i]));
    for (const char *const *v = b->document->voices; *v; v++)
        s->languages[i][n++] = *v;
    for (const char *const *v = own; *v; v++)
        if (!has(b->document->voices, *v))
            s->languages[i][n++] = *v;
}

const char *const *spoken_languages(const struct spoken *s, const struct ivr_backend *b)
{
    for (size_t i = 0; s && i < BACKENDS; i++)
        if (s->backends[i] == b)
            return s->languages[i];
    return b->document->voices;
}

/* ---- addresses ---- */

static void mark_of(const struct spoken *s, const char *hash, const char *voice,
                    const char *text, char out[MARK_MAX])
{
    CLEANUP(buf_free) struct buf b = {0};
    uint8_t mark[MARK_BYTES];

    buf_printf(&b, "prompt\n%s\n%s\n", hash, voice);
    buf_puts(&b, text);
    crypto_generichash(mark, sizeof(mark), (const uint8_t *)b.data, b.len, s->key,
                       sizeof(s->key));
    sodium_bin2hex(out, MARK_MAX, mark, sizeof(mark));
}

int spoken_url(const struct spoken *s, const struct ivr_backend *b,
               const struct ivr_prompt *p, const char *base, char *url, size_t size)
{
    enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };
    char hash[SPEECH_HASH_MAX], voice[SPEECH_VOICE_MAX], mark[MARK_MAX];
    char text[TEXT_MAX / 3 * 4 + 8];
    size_t len = strlen(p->text);

    if (!s || !p->text[0] || speaks_itself(b, p->lang) ||
        speech_voice_find(s->voices, p->lang, p->voice, voice))
        return ENOENT;
    if (len > TEXT_MAX)
        return EMSGSIZE;
    speech_name(s->version, p->lang, voice, p->text, hash);
    mark_of(s, hash, voice, p->text, mark);
    sodium_bin2base64(text, sizeof(text), (const uint8_t *)p->text, len, VARIANT);
    int n = snprintf(url, size, "%s/prompts/%s.wav?v=%s&t=%s&s=%s", base, hash, voice,
                     text, mark);
    return n > 0 && (size_t)n < size && n < URL_MAX ? 0 : EMSGSIZE;
}

static const char *value(const struct form *query, const char *name)
{
    const struct form_text *v = form_get(query, name);

    return v && !memchr(v->data, '\0', v->len) ? v->data : "";
}

/* ENOENT: it is none of ours. */
static int read_query(const struct spoken *s, const char *hash, const struct form *query,
                      char text[TEXT_MAX + 1])
{
    const char *given = value(query, "t"), *mark = value(query, "s");
    char right[MARK_MAX];
    size_t len = 0;

    if (sodium_base642bin((uint8_t *)text, TEXT_MAX, given, strlen(given), NULL, &len,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        return ENOENT;
    text[len] = '\0';
    mark_of(s, hash, value(query, "v"), text, right);
    return strlen(mark) == strlen(right) && sodium_memcmp(mark, right, strlen(right)) == 0
               ? 0
               : ENOENT;
}

/* ---- making ---- */

/* False: it is there, since somebody else made it. Waits for who makes it. */
static bool begin(struct spoken *s, const char *hash, size_t *place)
{
    bool mine = false;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        size_t same = MAKING_MAX, empty = MAKING_MAX;
        for (size_t i = 0; i < MAKING_MAX; i++) {
            if (strcmp(s->making[i], hash) == 0)
                same = i;
            else if (!s->making[i][0])
                empty = i;
        }
        if (same == MAKING_MAX && empty < MAKING_MAX) {
            mine = !is_there(s, hash);
            *place = empty;
            if (mine)
                str_cut(s->making[empty], SPEECH_HASH_MAX, hash);
            break;
        }
        pthread_cond_wait(&s->made, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return mine;
}

static void end(struct spoken *s, size_t place)
{
    pthread_mutex_lock(&s->lock);
    s->making[place][0] = '\0';
    pthread_cond_broadcast(&s->made);
    pthread_mutex_unlock(&s->lock);
}

static int say(struct spoken *s, const char *hash, const char *voice, const char *text)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/%s", s->folder, hash);
    size_t place = 0;

    if (is_there(s, hash) || !begin(s, hash, &place))
        return 0;
    int err = speech_say(text, voice, path);
    end(s, place);
    if (err)
        log_warn("spoken", "prompt=%.16s voice=%s err=%d", hash, voice, err);
    return err;
}

int spoken_make(struct spoken *s, const char *hash, const struct form *query)
{
    char text[TEXT_MAX + 1];

    int err = s ? read_query(s, hash, query, text) : ENOENT;
    return err ? err : say(s, hash, value(query, "v"), text);
}

/* ---- what must be there before it is needed ---- */

static void make_music(struct spoken *s, char hash[SPEECH_HASH_MAX])
{
    static const char what[] = "tune of furrow, 8 s";
    CLEANUP(free_cleanup) char *path = NULL;
    uint8_t bytes[SHA256_BYTES];

    sha256_of(what, sizeof(what) - 1, bytes);
    sha256_text(bytes, hash);
    path = xasprintf("%s/%s", s->folder, hash);
    int err = is_there(s, hash) ? 0 : speech_music(path);
    if (err) {
        log_warn("spoken", "state=no_music err=%d", err);
        hash[0] = '\0';
    }
}

static void *make_all(void *arg)
{
    struct spoken *s = arg;
    char voice[SPEECH_VOICE_MAX];

    make_music(s, s->music);
    for (size_t i = 0; i < ARRAY_LEN(apologies); i++) {
        if (speech_voice_find(s->voices, apologies[i].lang, "", voice))
            continue;
        speech_name(s->version, apologies[i].lang, voice, apologies[i].text,
                    s->apologies[i]);
        if (say(s, s->apologies[i], voice, apologies[i].text))
            s->apologies[i][0] = '\0';
    }
    pthread_mutex_lock(&s->lock);
    s->ready = true;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static bool is_ready(const struct spoken *s)
{
    struct spoken *own = (struct spoken *)(uintptr_t)s;

    if (!s)
        return false;
    pthread_mutex_lock(&own->lock);
    bool ready = s->ready;
    pthread_mutex_unlock(&own->lock);
    return ready;
}

const char *spoken_music(const struct spoken *s)
{
    return is_ready(s) && s->music[0] ? s->music : NULL;
}

const char *spoken_apology(const struct spoken *s, const char *lang)
{
    size_t plain = strcspn(lang, "-_");

    if (!is_ready(s))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(apologies); i++)
        if (s->apologies[i][0] && strlen(apologies[i].lang) == plain &&
            strncmp(apologies[i].lang, lang, plain) == 0)
            return s->apologies[i];
    return NULL;
}

/* ---- life ---- */

struct spoken *spoken_new(const struct config_common *config,
                          const struct secret_keys *keys)
{
    static const char *const names[BACKENDS] = {"twiml", "plivo"};
    struct spoken *s = xcalloc(1, sizeof(*s));

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->made, NULL);
    s->folder = xasprintf("%s/prompts", config->data_dir);
    int err = files_mkdirs(s->folder);
    if (!err && keys->n > 0) {
        memcpy(s->key, keys->keys[0], sizeof(s->key));
        err = speech_engine(s->folder, s->version, sizeof(s->version), &s->voices);
        if (err)
            log_warn("spoken", "state=no_speech err=%d hint=\"install espeak-ng\"", err);
    }
    if (!s->voices)
        s->voices = xcalloc(1, sizeof(*s->voices));
    for (size_t i = 0; i < BACKENDS; i++)
        join(s, i, names[i]);
    s->makes = !err && keys->n > 0 && pthread_create(&s->maker, NULL, make_all, s) == 0;
    return s;
}

void spoken_free(struct spoken *s)
{
    if (!s)
        return;
    if (s->makes)
        pthread_join(s->maker, NULL);
    sodium_memzero(s->key, sizeof(s->key));
    for (size_t i = 0; i < BACKENDS; i++)
        free(s->languages[i]);
    speech_voices_free(s->voices);
    pthread_cond_destroy(&s->made);
    pthread_mutex_destroy(&s->lock);
    free(s->folder);
    free(s);
}
