#include "speech/speech.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sndfile.h>
#include <soxr.h>

#include "base/files.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"

enum {
    SAY_TIMEOUT_MS = 20000,
    SAY_MEMORY_MB = 512,
    LIST_MAX = 1 << 18,
    SECONDS_MAX = 3600,
    RATE_MAX = 192000,
    CHANNELS_MAX = 8,
};

/* ---- the engine ---- */

static bool has_voice(char **voices, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(voices[i], name) == 0)
            return true;
    return false;
}

static void add_voice(char ***voices, size_t *n, const char *name)
{
    if (name[0] == '\0' || has_voice(*voices, *n, name))
        return;
    *voices = xrealloc(*voices, (*n + 2) * sizeof(**voices));
    (*voices)[(*n)++] = xstrdup(name);
    (*voices)[*n] = NULL;
}

/* The second column of its table is the language: " 5  am   --/M  Amharic  sem/am". */
static char **parse_voices(char *table)
{
    char **voices = xcalloc(1, sizeof(*voices)), *rest = table, *line;
    size_t n = 0;

    strsep(&rest, "\n");
    while ((line = strsep(&rest, "\n"))) {
        char *at = line + strspn(line, " ");
        at += strcspn(at, " ");
        at += strspn(at, " ");
        at[strcspn(at, " ")] = '\0';
        add_voice(&voices, &n, at);
        at[strcspn(at, "-")] = '\0';
        add_voice(&voices, &n, at);
    }
    return voices;
}

static int espeak_asks(const char *scratch, const char *option, char **out)
{
    CLEANUP(free_cleanup)
    char *path = xasprintf("%s/espeak.%ld.%s", scratch, (long)getpid(), option + 2);
    size_t len;

    int err =
        proc_run(&(struct proc){.argv = (const char *const[]){"espeak-ng", option, NULL},
                                .output_path = path,
                                .timeout_ms = SAY_TIMEOUT_MS},
                 NULL);
    if (!err)
        err = files_read(path, LIST_MAX, out, &len);
    unlink(path);
    return err;
}

int speech_engine(const char *scratch, char *version, size_t size, char ***voices)
{
    CLEANUP(free_cleanup) char *about = NULL;
    CLEANUP(free_cleanup) char *table = NULL;

    int err = espeak_asks(scratch, "--version", &about);
    if (!err)
        err = espeak_asks(scratch, "--voices", &table);
    if (err)
        return err;
    char *at = strstr(about, ": ");
    at = at ? at + 2 : about;
    at[strcspn(at, " \n")] = '\0';
    str_cut(version, size, at);
    *voices = parse_voices(table);
    return 0;
}

void speech_voices_free(char **voices)
{
    for (char **v = voices; v && *v; v++)
        free(*v);
    free(voices);
}

int speech_voice_find(char *const *voices, const char *lang, const char *wish,
                      char out[SPEECH_VOICE_MAX])
{
    char tag[SPEECH_VOICE_MAX];

    if (str_copy(tag, sizeof(tag), lang ? lang : ""))
        return ENOENT;
    for (int tries = 0; tries < 2; tries++) {
        for (char *const *v = voices; *v; v++)
            if (strcasecmp(*v, tag) == 0) {
                const char *voice = wish && wish[0] ? wish : *v;
                return str_copy(out, SPEECH_VOICE_MAX, voice) ? ENOENT : 0;
            }
        tag[strcspn(tag, "-_")] = '\0';
    }
    return ENOENT;
}

void speech_name(const char *version, const char *lang, const char *voice,
                 const char *text, char hash[SPEECH_HASH_MAX])
{
    CLEANUP(buf_free) struct buf b = {0};
    uint8_t bytes[SHA256_BYTES];

    buf_printf(&b, "espeak-ng %s\n%s\n%s\n", version, lang, voice);
    buf_puts(&b, text ? text : "");
    sha256_of(b.data, b.len, bytes);
    sha256_text(bytes, hash);
}

/* ---- audio ---- */

struct audio {
    float *samples; /* mono */
    size_t n;
    int rate;
};

static void audio_deinit(struct audio *a)
{
    free(a->samples);
    *a = (struct audio){0};
}

static void mix_down(struct audio *a, int channels)
{
    for (size_t i = 0; i < a->n; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++)
            sum += a->samples[i * (size_t)channels + (size_t)c];
        a->samples[i] = sum / (float)channels;
    }
}

static int audio_read(const char *path, struct audio *out)
{
    SF_INFO info = {0};

    if (access(path, R_OK))
        return errno;
    SNDFILE *in = sf_open(path, SFM_READ, &info);
    if (!in)
        return EBADMSG;
    int err = 0;
    if (info.frames < 1 || info.samplerate < 1 || info.samplerate > RATE_MAX ||
        info.channels < 1 || info.channels > CHANNELS_MAX)
        err = EBADMSG;
    else if (info.frames > (sf_count_t)info.samplerate * SECONDS_MAX)
        err = EMSGSIZE;
    if (!err) {
        out->samples =
            xcalloc((size_t)info.frames * (size_t)info.channels, sizeof(*out->samples));
        out->rate = info.samplerate;
        out->n = (size_t)sf_readf_float(in, out->samples, info.frames);
        mix_down(out, info.channels);
        err = out->n > 0 ? 0 : EBADMSG;
    }
    sf_close(in);
    return err;
}

static int resample(const struct audio *in, int rate, struct audio *out)
{
    size_t room = (size_t)((double)in->n * rate / in->rate) + 64, done = 0;
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);

    out->samples = xcalloc(room, sizeof(*out->samples));
    out->rate = rate;
    soxr_error_t failed =
        soxr_oneshot((double)in->rate, (double)rate, 1, in->samples, in->n, NULL,
                     out->samples, room, &done, NULL, &quality, NULL);
    out->n = done;
    return failed || done == 0 ? EBADMSG : 0;
}

enum { WAV = SF_FORMAT_WAV | SF_FORMAT_PCM_16, ULAW = SF_FORMAT_RAW | SF_FORMAT_ULAW };

static int audio_write(const struct audio *a, const char *path, int format)
{
    CLEANUP(free_cleanup) char *part = xasprintf("%s.XXXXXX", path);
    SF_INFO info = {.samplerate = a->rate, .channels = 1, .format = format};

    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return errno;
    int err = fchmod(fd, 0644) ? errno : 0;
    SNDFILE *out = err ? NULL : sf_open_fd(fd, SFM_WRITE, &info, SF_FALSE);
    if (out) {
        sf_command(out, SFC_SET_CLIPPING, NULL, SF_TRUE);
        if (sf_writef_float(out, a->samples, (sf_count_t)a->n) != (sf_count_t)a->n)
            err = errno ? errno : EIO;
        sf_close(out);
    } else if (!err) {
        err = EIO;
    }
    if (fsync(fd) && !err)
        err = errno;
    close(fd);
    if (!err && rename(part, path))
        err = errno;
    if (err)
        unlink(part);
    return err;
}

/* The 16 kHz file goes last: where it is, all are. */
int speech_convert(const char *path, const char *base)
{
    static const struct {
        int rate, format;
        const char *suffix;
    } kinds[] = {{8000, ULAW, ".ulaw"}, {8000, WAV, ".wav"}, {16000, WAV, ".wav16"}};
    CLEANUP(audio_deinit) struct audio in = {0};

    int err = audio_read(path, &in);
    for (size_t i = 0; !err && i < ARRAY_LEN(kinds); i++) {
        CLEANUP(audio_deinit) struct audio out = {0};
        CLEANUP(free_cleanup) char *to = xasprintf("%s%s", base, kinds[i].suffix);
        err = resample(&in, kinds[i].rate, &out);
        if (!err)
            err = audio_write(&out, to, kinds[i].format);
    }
    return err;
}

enum { BEEP_RATE = 16000, BEEP_HZ = 1000, BEEP_MS = 300, BEEP_FADE_MS = 10 };

int speech_beep(const char *base)
{
    CLEANUP(audio_deinit)
    struct audio tone = {.rate = BEEP_RATE, .n = BEEP_RATE / 1000 * BEEP_MS};
    CLEANUP(free_cleanup) char *wide = xasprintf("%s.wav16", base);
    const float fade = (float)BEEP_FADE_MS * BEEP_RATE / 1000.0F;

    tone.samples = xcalloc(tone.n, sizeof(*tone.samples));
    for (size_t i = 0; i < tone.n; i++) {
        float edge = fminf((float)i, (float)(tone.n - i)) / fade;
        float turns = (float)(i * BEEP_HZ % BEEP_RATE) / BEEP_RATE;
        tone.samples[i] = 0.4F * fminf(edge, 1.0F) * sinf(2.0F * (float)M_PI * turns);
    }
    int err = audio_write(&tone, wide, WAV);
    return err ? err : speech_convert(wide, base);
}

/* Notes of half a second that fade, so that a second round of it begins where one ends.
 */
int speech_music(const char *base)
{
    enum { NOTE_MS = 500, NOTES = 16, NOTE_N = BEEP_RATE / 1000 * NOTE_MS };
    static const float hz[] = {262, 330, 392, 523, 392, 330, 294, 349};
    CLEANUP(audio_deinit) struct audio tune = {.rate = BEEP_RATE, .n = NOTES * NOTE_N};
    CLEANUP(free_cleanup) char *wide = xasprintf("%s.wav16", base);

    tune.samples = xcalloc(tune.n, sizeof(*tune.samples));
    for (size_t i = 0; i < tune.n; i++) {
        float at = (float)(i % NOTE_N) / NOTE_N, s = (float)(i % NOTE_N) / BEEP_RATE;
        float shape = sinf((float)M_PI * at) * (1.0F - at);
        float turns = s * hz[i / NOTE_N % ARRAY_LEN(hz)];
        tune.samples[i] = 0.25F * shape * sinf(2.0F * (float)M_PI * turns);
    }
    int err = audio_write(&tune, wide, WAV);
    return err ? err : speech_convert(wide, base);
}

static bool is_voice_name(const char *voice)
{
    return isalnum((unsigned char)voice[0]) && strlen(voice) < 64 &&
           strspn(voice, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789-_+") == strlen(voice);
}

int speech_say(const char *text, const char *voice, const char *base)
{
    CLEANUP(free_cleanup) char *said = xasprintf("%s.said.XXXXXX", base);

    if (!is_voice_name(voice))
        return EINVAL;
    if (strlen(text) > SPEECH_TEXT_MAX)
        return EMSGSIZE;
    int fd = mkostemp(said, O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(fd);
    int err = proc_run(
        &(struct proc){.argv = (const char *const[]){"espeak-ng", "-b", "1", "-v", voice,
                                                     "-w", said, "--stdin", NULL},
                       .input = text,
                       .input_len = strlen(text),
                       .timeout_ms = SAY_TIMEOUT_MS,
                       .memory_mb = SAY_MEMORY_MB},
        NULL);
    if (!err)
        err = speech_convert(said, base);
    unlink(said);
    return err;
}
