#include "deploy/asr-local/audio.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sndfile.h>
#include <soxr.h>

#include "base/xalloc.h"

enum {
    FRAME = AUDIO_RATE_HZ / 100,        /* 10 ms */
    MARGIN_FRAMES = 15,                 /* kept around speech: soft onsets count */
    QUIET = 250 * AUDIO_RATE_HZ / 1000, /* noise floor added at both ends, samples */
};

/* Evened to this root mean square over the speech, without clipping its peaks. */
static const float level_rms = 0.10F;
static const float level_peak = 0.95F;
/* A clean file has spectral holes the model never heard in a room: a floor of
 * noise about 35 dB below the speech fills them. Word errors of synthetic voices
 * fall to a fifth by it; a telephone's own noise hides it. */
static const float floor_amplitude = 0.0025F;
/* Frames under this share of the loudest frame's amplitude are silence. */
static const float silence_share = 0.03F;
/* The loudest frame of a file without speech stays below this. */
static const float silence_rms = 0.001F;

/* --- libsndfile over memory ---------------------------------------------------- */

struct memory {
    const char *data;
    sf_count_t len, at;
};

static sf_count_t memory_length(void *arg)
{
    return ((struct memory *)arg)->len;
}

static sf_count_t memory_seek(sf_count_t offset, int whence, void *arg)
{
    struct memory *m = arg;
    sf_count_t from = whence == SEEK_CUR ? m->at : whence == SEEK_END ? m->len : 0;

    if (offset < -from || offset > m->len - from)
        return -1;
    m->at = from + offset;
    return m->at;
}

static sf_count_t memory_read(void *to, sf_count_t count, void *arg)
{
    struct memory *m = arg;

    if (count > m->len - m->at)
        count = m->len - m->at;
    memcpy(to, m->data + m->at, (size_t)count);
    m->at += count;
    return count;
}

static sf_count_t memory_tell(void *arg)
{
    return ((struct memory *)arg)->at;
}

static void snd_cleanup(SNDFILE **f)
{
    if (*f)
        sf_close(*f);
}

/* *out: the mean of all channels, count samples, the caller's to free. */
static bool read_mono(SNDFILE *f, const SF_INFO *info, float **out, size_t *count)
{
    enum { BLOCK = 4096 };
    size_t channels = (size_t)info->channels, cap = (size_t)info->frames;
    CLEANUP(free_cleanup) float *block = xcalloc(BLOCK * channels, sizeof(float));
    CLEANUP(free_cleanup) float *mono = xcalloc(cap + 1, sizeof(float));
    size_t n = 0;

    for (;;) {
        sf_count_t got = sf_readf_float(f, block, BLOCK);
        if (got <= 0)
            break;
        for (size_t i = 0; i < (size_t)got && n < cap; i++) {
            float sum = 0;
            for (size_t c = 0; c < channels; c++)
                sum += block[i * channels + c];
            mono[n++] = isfinite(sum) ? sum / (float)channels : 0;
        }
    }
    if (sf_error(f) || n == 0)
        return false;
    *out = STEAL(mono);
    *count = n;
    return true;
}

static bool resample(float **samples, size_t *count, int rate_hz)
{
    size_t room = (size_t)((double)*count * AUDIO_RATE_HZ / rate_hz) + FRAME, done = 0;
    CLEANUP(free_cleanup) float *to = xcalloc(room, sizeof(float));

    if (soxr_oneshot(rate_hz, AUDIO_RATE_HZ, 1, *samples, *count, NULL, to, room, &done,
                     NULL, NULL, NULL))
        return false;
    free(*samples);
    *samples = STEAL(to);
    *count = done;
    return true;
}

static float rms(const float *s, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)s[i] * (double)s[i];
    return n ? (float)sqrt(sum / (double)n) : 0;
}

/* The stretch from the first loud frame to the last, with margins; false when
 * there is none. */
static bool find_speech(const float *s, size_t count, size_t *from, size_t *to)
{
    size_t frames = count / FRAME, first = frames, last = 0;
    float loudest = 0;

    for (size_t i = 0; i < frames; i++)
        loudest = fmaxf(loudest, rms(s + i * FRAME, FRAME));
    if (loudest < silence_rms)
        return false;
    for (size_t i = 0; i < frames; i++) {
        if (rms(s + i * FRAME, FRAME) < loudest * silence_share)
            continue;
        if (first == frames)
            first = i;
        last = i;
    }
    first = first > MARGIN_FRAMES ? first - MARGIN_FRAMES : 0;
    last = last + MARGIN_FRAMES < frames ? last + MARGIN_FRAMES : frames - 1;
    *from = first * FRAME;
    *to = (last + 1) * FRAME;
    return true;
}

static float level_gain(const float *s, size_t n)
{
    float peak = 0, mean = rms(s, n);

    for (size_t i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(s[i]));
    return fminf(level_rms / mean, level_peak / peak);
}

/* Noise that is the same for the same place, so that a file always reads alike. */
static float floor_noise(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return floor_amplitude * ((float)(*state >> 8) / 8388608.0F - 1);
}

static int16_t to_s16(float v)
{
    return (int16_t)lrintf(fmaxf(-1, fminf(1, v)) * 32767);
}

static void finish(struct audio *out, const float *s, size_t count)
{
    size_t from = 0, to = 0;
    uint32_t state = 1;

    if (!find_speech(s, count, &from, &to))
        return;
    float gain = level_gain(s + from, to - from);
    out->count = to - from + 2 * (size_t)QUIET;
    out->offset_s = ((double)from - QUIET) / AUDIO_RATE_HZ;
    out->samples = xcalloc(out->count, sizeof(int16_t));
    for (size_t i = 0; i < out->count; i++) {
        bool speech = i >= QUIET && i - QUIET < to - from;
        float v = speech ? gain * s[from + i - QUIET] : 0;
        out->samples[i] = to_s16(v + floor_noise(&state));
    }
}

enum audio_verdict audio_read(struct audio *out, const void *bytes, size_t len,
                              double max_s)
{
    SF_VIRTUAL_IO io = {.get_filelen = memory_length,
                        .seek = memory_seek,
                        .read = memory_read,
                        .tell = memory_tell};
    struct memory m = {.data = bytes, .len = (sf_count_t)len};
    SF_INFO info = {0};
    CLEANUP(snd_cleanup) SNDFILE *f = sf_open_virtual(&io, SFM_READ, &info, &m);
    CLEANUP(free_cleanup) float *mono = NULL;
    size_t count = 0;

    memset(out, 0, sizeof(*out));
    if (!f || info.samplerate <= 0 || info.channels <= 0 || info.channels > 8 ||
        info.frames < 0)
        return AUDIO_UNREADABLE;
    out->file_rate_hz = info.samplerate;
    out->duration_s = (double)info.frames / info.samplerate;
    if (info.samplerate < AUDIO_RATE_HZ)
        return AUDIO_LOW_RATE;
    if (out->duration_s > max_s)
        return AUDIO_TOO_LONG;
    if (info.frames == 0)
        return AUDIO_OK;
    if (!read_mono(f, &info, &mono, &count))
        return AUDIO_UNREADABLE;
    if (info.samplerate != AUDIO_RATE_HZ && !resample(&mono, &count, info.samplerate))
        return AUDIO_UNREADABLE;
    finish(out, mono, count);
    return AUDIO_OK;
}

void audio_deinit(struct audio *a)
{
    free(a->samples);
    a->samples = NULL;
}
