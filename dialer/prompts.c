/*
 * A prompt's file name is known before it is made: the hash of what goes into it
 * (engine and its version, language, voice, text), or the recorded asset's own. So
 * finding is a look at the folder, and two who want the same one share a job.
 */
#include "dialer/prompts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/content.h"
#include "base/files.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "speech/speech.h"

struct waiter {
    struct waiter *next;
    prompts_done_fn *done;
    void *arg;
};

struct job {
    uv_work_t work; /* data: the job */
    struct job *next;
    struct prompts *prompts;
    char hash[PROMPT_HASH_MAX], voice[64];
    char *text; /* to say; NULL: */
    bool asset; /* content to convert */
    char *base; /* of the files to come */
    int err;
    struct waiter *waiters;
};

struct prompts {
    char beep[PROMPT_HASH_MAX];
    uv_loop_t *loop;
    const struct config_common *config;
    char *folder; /* data_dir/prompts */
    char version[32];
    char **voices;
    struct job *jobs;
    bool closed; /* freed by the last job */
};

/* Our own, so that it is there and the same on every switch. */
static void make_beep(struct prompts *p)
{
    static const char what[] = "tone 1000 Hz 300 ms";
    CLEANUP(free_cleanup) char *base = NULL;
    CLEANUP(free_cleanup) char *wide = NULL;
    uint8_t hash[SHA256_BYTES];

    sha256_of(what, sizeof(what) - 1, hash);
    sha256_text(hash, p->beep);
    base = xasprintf("%s/%s", p->folder, p->beep);
    wide = xasprintf("%s.wav16", base);
    int err = access(wide, R_OK) ? speech_beep(base) : 0;
    if (err) {
        log_warn("prompts", "state=no_beep err=%d", err);
        p->beep[0] = '\0';
    }
}

const char *prompts_beep(const struct prompts *p)
{
    return p->beep;
}

int prompts_new(struct prompts **out, uv_loop_t *loop, const struct config_common *config)
{
    struct prompts *p = xcalloc(1, sizeof(*p));

    p->loop = loop;
    p->config = config;
    p->folder = xasprintf("%s/prompts", config->data_dir);
    int err = files_mkdirs(p->folder);
    if (err) {
        prompts_free(p);
        return err;
    }
    make_beep(p);
    err = speech_engine(p->folder, p->version, sizeof(p->version), &p->voices);
    if (err) {
        log_warn("prompts", "state=no_speech err=%d hint=\"install espeak-ng\"", err);
        p->voices = xcalloc(1, sizeof(*p->voices));
    }
    *out = p;
    return 0;
}

static void release(struct prompts *p)
{
    speech_voices_free(p->voices);
    free(p->folder);
    free(p);
}

static void tell(struct job *j, int err)
{
    struct waiter *w = j->waiters;

    j->waiters = NULL;
    while (w) {
        struct waiter *next = w->next;
        w->done(err, w->arg);
        free(w);
        w = next;
    }
}

void prompts_free(struct prompts *p)
{
    if (!p)
        return;
    p->closed = true;
    for (struct job *j = p->jobs; j; j = j->next) {
        uv_cancel((uv_req_t *)&j->work);
        tell(j, ECANCELED);
    }
    if (!p->jobs)
        release(p);
}

const char *const *prompts_voices(const struct prompts *p)
{
    return (const char *const *)p->voices;
}

static bool is_content_id(const char *id)
{
    return strlen(id) == PROMPT_HASH_MAX - 1 &&
           strspn(id, "0123456789abcdef") == PROMPT_HASH_MAX - 1;
}

/* The name of a prompt's files. ENOENT: it cannot be made. */
static int name_of(const struct prompts *p, const struct ivr_prompt *prompt,
                   char hash[PROMPT_HASH_MAX], char voice[64])
{
    voice[0] = '\0';
    if (prompt->asset && prompt->asset[0] != '\0')
        return is_content_id(prompt->asset)
                   ? str_copy(hash, PROMPT_HASH_MAX, prompt->asset)
                   : ENOENT;
    int err = speech_voice_find(p->voices, prompt->lang, prompt->voice, voice);
    if (!err)
        speech_name(p->version, prompt->lang, voice, prompt->text, hash);
    return err;
}

static bool is_there(const char *base)
{
    CLEANUP(free_cleanup) char *last = xasprintf("%s.wav16", base);

    return access(last, R_OK) == 0;
}

int prompts_find(struct prompts *p, const struct ivr_prompt *prompt,
                 char hash[PROMPT_HASH_MAX])
{
    char voice[64];

    int err = name_of(p, prompt, hash, voice);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *base = xasprintf("%s/%s", p->folder, hash);
    return is_there(base) ? 0 : ENOENT;
}

/* ---- making ---- */

/* From the shelf of prompts; before there was one, assets lay beside recordings. */
static int convert(const struct job *j)
{
    char path[CONTENT_FD_PATH_MAX];
    struct content content;
    struct errtext e = {0}, none = {0};
    int64_t bytes = 0;
    int fd = -1;

    int err = content_init(&content, j->prompts->config, &e);
    if (!err)
        err = content_open(&content, NULL, CONTENT_PROMPTS, j->hash, &fd, &bytes, &e);
    if (err == ENOENT)
        err = content_open(&content, NULL, CONTENT_MEDIA, j->hash, &fd, &bytes, &none);
    if (err) {
        log_warn("prompts", "prompt=%s %s", j->hash, LOG_ESC(e.text));
        return err;
    }
    err = speech_convert(content_fd_path(fd, path), j->base);
    close(fd);
    return err;
}

static void run(uv_work_t *work)
{
    struct job *j = work->data;

    if (is_there(j->base))
        j->err = 0;
    else if (j->asset)
        j->err = convert(j);
    else
        j->err = speech_say(j->text, j->voice, j->base);
}

static void ran(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct prompts *p = j->prompts;

    for (struct job **at = &p->jobs; *at; at = &(*at)->next)
        if (*at == j) {
            *at = j->next;
            break;
        }
    int err = status == UV_ECANCELED ? ECANCELED : j->err;
    if (err && err != ECANCELED)
        log_warn("prompts", "prompt=%s state=failed err=%d", j->hash, err);
    tell(j, err);
    free(j->text);
    free(j->base);
    free(j);
    if (p->closed && !p->jobs)
        release(p);
}

static struct job *start(struct prompts *p, const struct ivr_prompt *prompt,
                         const char *hash, const char *voice)
{
    struct job *j = xcalloc(1, sizeof(*j));

    j->work.data = j;
    j->prompts = p;
    str_cut(j->hash, sizeof(j->hash), hash);
    str_cut(j->voice, sizeof(j->voice), voice);
    j->base = xasprintf("%s/%s", p->folder, hash);
    if (prompt->asset && prompt->asset[0] != '\0')
        j->asset = true;
    else
        j->text = xstrdup(prompt->text ? prompt->text : "");
    if (uv_queue_work(p->loop, &j->work, run, ran)) {
        free(j->text);
        free(j->base);
        free(j);
        return NULL;
    }
    j->next = p->jobs;
    p->jobs = j;
    return j;
}

int prompts_make(struct prompts *p, const struct ivr_prompt *prompt,
                 prompts_done_fn *done, void *arg)
{
    char hash[PROMPT_HASH_MAX], voice[64];
    struct job *j = p->jobs;

    if (p->closed)
        return ECANCELED;
    int err = name_of(p, prompt, hash, voice);
    if (err)
        return err;
    if (prompt->text && strlen(prompt->text) > SPEECH_TEXT_MAX)
        return EMSGSIZE;
    while (j && strcmp(j->hash, hash) != 0)
        j = j->next;
    if (!j)
        j = start(p, prompt, hash, voice);
    if (!j)
        return EAGAIN;
    struct waiter *w = xcalloc(1, sizeof(*w));
    *w = (struct waiter){j->waiters, done, arg};
    j->waiters = w;
    return 0;
}
