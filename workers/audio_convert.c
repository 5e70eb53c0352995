#include "workers/audio_convert.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sndfile.h>
#include <soxr.h>

#include "base/proc.h"
#include "base/xalloc.h"

enum {
    BLOCK = 4096, /* frames at a time */
    RATE_MIN = 1000,
    RATE_MAX = 192000,
    FFMPEG_MS = 120000,
    FFMPEG_CPU_S = 60,
    FFMPEG_MEMORY_MB = 1024,
    FFMPEG_BYTES = 512 << 20,
};

/* --- what it is ------------------------------------------------------------------ */

static int probe(const char *path, enum audio_kind *kind, struct errtext *e)
{
    struct stat st;
    int err = 0;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errtext_set(e, errno, 0, 0, "%s", strerror(errno));
    if (fstat(fd, &st))
        err = errno;
    else if (st.st_size > AUDIO_BYTES_MAX)
        err = errtext_set(e, EMSGSIZE, 0, 0, "Audio file too large (max %dMB)",
                          AUDIO_BYTES_MAX >> 20);
    *kind = AUDIO_NONE;
    if (!err && st.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            err = errno;
        } else {
            *kind = audio_probe(bytes, (size_t)st.st_size);
            munmap(bytes, (size_t)st.st_size);
        }
    }
    close(fd);
    if (!err && *kind == AUDIO_NONE)
        err = errtext_set(e, EBADMSG, 0, 0, "it is no sound file");
    return err;
}

/* --- from one WAV to another ------------------------------------------------------- */

struct conversion {
    SNDFILE *in, *out;
    soxr_t resampler; /* NULL: the rate stays */
    SF_INFO info;
    float block[BLOCK * AUDIO_CHANNELS_MAX], mono[BLOCK];
    float *resampled;
    size_t room; /* of resampled */
    struct errtext *e;
};

static void mix_down(struct conversion *c, size_t frames)
{
    size_t channels = (size_t)c->info.channels;

    for (size_t i = 0; i < frames; i++) {
        float sum = 0;
        for (size_t k = 0; k < channels; k++)
            sum += c->block[i * channels + k];
        c->mono[i] = isfinite(sum) ? sum / (float)channels : 0;
    }
}

static int write_out(struct conversion *c, const float *samples, size_t n)
{
    return sf_write_float(c->out, samples, (sf_count_t)n) == (sf_count_t)n
               ? 0
               : errtext_set(c->e, EIO, 0, 0, "it cannot be written: %s",
                             sf_strerror(c->out));
}

/* last: and what the resampler still holds. */
static int put(struct conversion *c, size_t frames, bool last)
{
    size_t from = 0, taken = 0, done = 0;
    int err = 0;

    if (!c->resampler)
        return frames > 0 ? write_out(c, c->mono, frames) : 0;
    do {
        if (soxr_process(c->resampler, last ? NULL : c->mono + from, frames - from,
                         &taken, c->resampled, c->room, &done))
            return errtext_set(c->e, EBADMSG, 0, 0, "it cannot be resampled");
        from += last ? 0 : taken;
        err = done > 0 ? write_out(c, c->resampled, done) : 0;
    } while (!err && (from < frames || done == c->room));
    return err;
}

static int too_long(struct errtext *e)
{
    return errtext_set(e, EMSGSIZE, 0, 0, "Audio too long (max %d seconds)",
                       AUDIO_SECONDS_MAX);
}

static int copy_all(struct conversion *c)
{
    sf_count_t max = (sf_count_t)c->info.samplerate * AUDIO_SECONDS_MAX, total = 0, got;

    while ((got = sf_readf_float(c->in, c->block, BLOCK)) > 0) {
        total += got;
        if (total > max)
            return too_long(c->e);
        mix_down(c, (size_t)got);
        int err = put(c, (size_t)got, false);
        if (err)
            return err;
    }
    /* A reader that stumbles over the last bytes has still read all before them. */
    if (total == 0)
        return errtext_set(c->e, EBADMSG, 0, 0, "it holds no sound");
    return put(c, 0, true);
}

static int begin(struct conversion *c, FILE *to, struct audio_facts *out)
{
    const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    int rate = c->info.samplerate;

    if (rate < RATE_MIN || rate > RATE_MAX || c->info.channels < 1 ||
        c->info.channels > AUDIO_CHANNELS_MAX)
        return errtext_set(c->e, EBADMSG, 0, 0,
                           "it has %d channels at %d Hz; at most %d and %d to %d Hz",
                           c->info.channels, rate, AUDIO_CHANNELS_MAX, RATE_MIN,
                           RATE_MAX);
    if (c->info.frames > (sf_count_t)rate * AUDIO_SECONDS_MAX &&
        c->info.frames < SF_COUNT_MAX)
        return too_long(c->e);
    out->sample_rate = rate;
    out->channels = c->info.channels;
    SF_INFO wav = {.samplerate = rate < AUDIO_RATE ? rate : AUDIO_RATE,
                   .channels = 1,
                   .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    c->out = sf_open_fd(fileno(to), SFM_WRITE, &wav, SF_FALSE);
    if (!c->out)
        return errtext_set(c->e, EIO, 0, 0, "it cannot be written: %s",
                           sf_strerror(NULL));
    sf_command(c->out, SFC_SET_CLIPPING, NULL, SF_TRUE);
    if (rate <= AUDIO_RATE)
        return 0;
    c->room = BLOCK + 1024; /* it only gets fewer */
    c->resampled = xcalloc(c->room, sizeof(*c->resampled));
    c->resampler = soxr_create(rate, AUDIO_RATE, 1, NULL, &io, &quality, NULL);
    return c->resampler ? 0 : errtext_set(c->e, ENOMEM, 0, 0, "out of memory");
}

/* EILSEQ: libsndfile cannot read it, and has written nothing. */
static int convert(const char *path, FILE *to, struct audio_facts *out, struct errtext *e)
{
    struct conversion *c = xcalloc(1, sizeof(*c));
    int err = EILSEQ;

    c->e = e;
    c->in = sf_open(path, SFM_READ, &c->info);
    if (c->in) {
        err = begin(c, to, out);
        if (!err)
            err = copy_all(c);
        if (c->out && sf_close(c->out) && !err)
            err = errtext_set(e, EIO, 0, 0, "it cannot be written");
        sf_close(c->in);
    }
    soxr_delete(c->resampler);
    free_cleanup(&c->resampled);
    free_cleanup(&c);
    return err;
}

/* --- what libsndfile does not read -------------------------------------------------- */

/* Its reader is named, so that no list or script of a stranger is taken for a sound file;
 * no protocol but files, and of them its own stdin and stdout. */
static int run_ffmpeg(const char *path, const char *scratch, enum audio_kind kind)
{
    char seconds[16];
    const char *const argv[] = {"ffmpeg",
                                "-nostdin",
                                "-hide_banner",
                                "-loglevel",
                                "quiet",
                                "-threads",
                                "1",
                                "-protocol_whitelist",
                                "file,pipe",
                                "-f",
                                audio_kind_demuxer(kind),
                                "-i",
                                "file:/dev/stdin",
                                "-map",
                                "0:a:0",
                                "-vn",
                                "-sn",
                                "-dn",
                                "-t",
                                seconds,
                                "-c:a",
                                "pcm_s16le",
                                "-f",
                                "wav",
                                "pipe:1",
                                NULL};

    snprintf(seconds, sizeof(seconds), "%d", AUDIO_SECONDS_MAX + 1);
    return proc_run(&(struct proc){.argv = argv,
                                   .input_path = path,
                                   .output_path = scratch,
                                   .timeout_ms = FFMPEG_MS,
                                   .cpu_s = FFMPEG_CPU_S,
                                   .memory_mb = FFMPEG_MEMORY_MB,
                                   .output_bytes = FFMPEG_BYTES,
                                   .confined = true},
                    NULL);
}

static int convert_by_ffmpeg(const char *path, FILE *to, const char *scratch,
                             struct audio_facts *out, struct errtext *e)
{
    const char *name = audio_kind_name(out->kind);

    int err = run_ffmpeg(path, scratch, out->kind);
    if (err == ENOENT)
        errtext_set(
            e, err, 0, 0,
            "this .%s file wants the program ffmpeg, which is not installed here; "
            "send .wav, .flac, .ogg or .mp3",
            name);
    else if (err == ETIMEDOUT)
        errtext_set(e, err, 0, 0, "this .%s file takes too long to be read", name);
    else if (err == ECHILD)
        err = errtext_set(e, EBADMSG, 0, 0, "this .%s file is broken", name);
    if (!err)
        err = convert(scratch, to, out, e);
    unlink(scratch);
    return err == EILSEQ ? errtext_set(e, EBADMSG, 0, 0, "this .%s file is broken", name)
                         : err;
}

int audio_convert(const char *path, FILE *to, const char *scratch,
                  struct audio_facts *out, struct errtext *e)
{
    *out = (struct audio_facts){0};
    int err = probe(path, &out->kind, e);
    if (err)
        return err;
    err = out->kind < AUDIO_AAC ? convert(path, to, out, e) : EILSEQ;
    return err == EILSEQ ? convert_by_ffmpeg(path, to, scratch, out, e) : err;
}
