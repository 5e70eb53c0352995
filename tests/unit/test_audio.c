/* What sound files are, and what becomes of them. Files are made here, by libsndfile and,
 * where it is installed, by the program ffmpeg. */
#include "unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sndfile.h>

#include "base/files.h"
#include "base/proc.h"
#include "base/xalloc.h"
#include "workers/audio_convert.h"

static char dir[] = "/tmp/furrow-audio-XXXXXX";
static char from[64], scratch[64];

static const char *path_of(const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* A tone of 440 Hz on the first channel, silence on the others. */
static void make(const char *path, int format, int rate, int channels, double seconds)
{
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    sf_count_t n = (sf_count_t)(seconds * rate);
    float *frames = xcalloc((size_t)(n * channels + 1), sizeof(*frames));

    assert_non_null(f);
    for (sf_count_t i = 0; i < n; i++)
        frames[i * channels] =
            0.5F * sinf(2 * (float)M_PI * 440 * (float)i / (float)rate);
    assert_int_equal(sf_writef_float(f, frames, n), n);
    sf_close(f);
    free(frames);
}

struct heard {
    SF_INFO info;
    double hz, peak;
};

/* How high the tone is, by how often it rises. */
static struct heard hear(const char *path)
{
    struct heard h = {0};
    SNDFILE *f = sf_open(path, SFM_READ, &h.info);
    long crossings = 0;
    bool high = false;

    assert_non_null(f);
    float *s = xcalloc((size_t)h.info.frames, sizeof(*s));
    assert_int_equal(sf_readf_float(f, s, h.info.frames), h.info.frames);
    for (long i = 0; i < h.info.frames; i++)
        h.peak = fmax(h.peak, (double)fabsf(s[i]));
    for (long i = 0; i < h.info.frames; i++) { /* the noise of a codec does not count */
        if (fabs((double)s[i]) < h.peak / 4)
            continue;
        crossings += !high && s[i] > 0;
        high = s[i] > 0;
    }
    h.hz = (double)crossings * h.info.samplerate / (double)h.info.frames;
    free(s);
    sf_close(f);
    return h;
}

static int convert(const char *path, struct audio_facts *facts, struct errtext *e)
{
    FILE *to = fopen(path_of("to"), "w+e");

    assert_non_null(to);
    int err = audio_convert(path, to, scratch, facts, e);
    fclose(to);
    assert_int_equal(access(scratch, F_OK), -1); /* nothing is left */
    return err;
}

static void becomes(const char *path, enum audio_kind kind, int rate, int channels,
                    int out_rate)
{
    struct audio_facts facts;
    struct errtext e = {0};

    assert_int_equal(convert(path, &facts, &e), 0);
    assert_int_equal(facts.kind, kind);
    assert_int_equal(facts.sample_rate, rate);
    assert_int_equal(facts.channels, channels);
    struct heard h = hear(path_of("to"));
    assert_int_equal(h.info.samplerate, out_rate);
    assert_int_equal(h.info.channels, 1);
    assert_int_equal(h.info.format, SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    assert_true(fabs((double)h.info.frames / out_rate - 1) < 0.15);
    if (fabs(h.hz - 440) >= 60) /* some readers add silence */
        fail_msg("a %s file's tone is at %.0f Hz", audio_kind_name(kind), h.hz);
    assert_true(h.peak > 0.4 / channels && h.peak < 0.7 / channels);
}

static void fails(const char *path, int err, const char *text)
{
    struct audio_facts facts;
    struct errtext e = {0};

    assert_int_equal(convert(path, &facts, &e), err);
    assert_non_null(strstr(e.text, text));
}

static void libsndfile_reads_most(void **state)
{
    static const struct {
        int format, rate, channels, out_rate;
        enum audio_kind kind;
    } cases[] = {
        {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 16000, AUDIO_WAV},
        {SF_FORMAT_WAV | SF_FORMAT_PCM_24, 44100, 2, 16000, AUDIO_WAV},
        {SF_FORMAT_WAV | SF_FORMAT_FLOAT, 48000, 6, 16000, AUDIO_WAV},
        {SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 16000, 1, 16000, AUDIO_WAV},
        {SF_FORMAT_WAV | SF_FORMAT_ULAW, 8000, 1, 8000, AUDIO_WAV}, /* honestly narrow */
        {SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 22050, 1, 16000, AUDIO_AIFF},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 48000, 2, 16000, AUDIO_FLAC},
        {SF_FORMAT_OGG | SF_FORMAT_VORBIS, 44100, 1, 16000, AUDIO_OGG},
        {SF_FORMAT_OGG | SF_FORMAT_OPUS, 48000, 1, 16000, AUDIO_OGG},
        {SF_FORMAT_AU | SF_FORMAT_PCM_16, 11025, 1, 11025, AUDIO_AU},
        {SF_FORMAT_CAF | SF_FORMAT_PCM_16, 32000, 1, 16000, AUDIO_CAF},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make(from, cases[i].format, cases[i].rate, cases[i].channels, 1);
        becomes(from, cases[i].kind, cases[i].rate, cases[i].channels, cases[i].out_rate);
    }
}

static void ffmpeg(const char *codec, const char *format, const char *rate,
                   const char *to)
{
    const char *const argv[] = {"ffmpeg", "-nostdin", "-loglevel", "quiet", "-y",
                                "-i",     from,       "-c:a",      codec,   "-ar",
                                rate,     "-f",       format,      to,      NULL};

    assert_int_equal(proc_run(&(struct proc){.argv = argv}, NULL), 0);
    assert_int_equal(chmod(to, 0644), 0);
}

static void ffmpeg_reads_the_rest(void **state)
{
    static const struct {
        const char *codec, *format, *rate;
        enum audio_kind kind;
    } cases[] = {
        {"aac", "ipod", "44100", AUDIO_M4A},
        {"aac", "adts", "44100", AUDIO_AAC},
        {"wmav2", "asf", "44100", AUDIO_WMA},
        {"libopus", "webm", "48000", AUDIO_WEBM},
        {"libmp3lame", "mp3", "44100", AUDIO_MP3},
        {"libspeex", "ogg", "16000", AUDIO_OGG}, /* not by libsndfile */
    };
    char *whole = NULL;
    size_t len = 0;

    (void)state;
    if (!proc_exists("ffmpeg"))
        skip();
    make(from, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 1);
    char *to = xstrdup(path_of("made"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int rate = (int)strtol(cases[i].rate, NULL, 10);
        ffmpeg(cases[i].codec, cases[i].format, cases[i].rate, to);
        becomes(to, cases[i].kind, rate, 1, 16000);
    }
    /* Cut in the middle: what there is of a stream is used, a file without its index is
     * not. */
    ffmpeg("aac", "ipod", "44100", to);
    assert_int_equal(files_read(to, 1 << 20, &whole, &len), 0);
    assert_int_equal(truncate(to, (off_t)len / 2), 0);
    fails(to, EBADMSG, "this .m4a file is broken");
    free(whole);
    free(to);
}

static void without_ffmpeg_it_is_said(void **state)
{
    static const char head[] = "\0\0\0\x18"
                               "ftypM4A \0\0\0\0M4A mp42";
    char *path = xstrdup(getenv("PATH"));

    (void)state;
    assert_int_equal(files_write_atomic(from, head, sizeof(head) - 1), 0);
    setenv("PATH", dir, 1);
    assert_false(proc_exists("ffmpeg"));
    fails(from, ENOENT, "wants the program ffmpeg, which is not installed");
    setenv("PATH", path, 1);
    free(path);
}

static void what_is_no_sound_is_refused(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } cases[] = {
        {"", 0},
        {"plain words", 11},
        {"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", 38},
        {"ffconcat version 1.0\nfile /etc/passwd\n", 38},
        {"ID3\4\0\0\0\0\0\2xxwords", 17},
        {"\xff\xd8\xff\xe0 a picture", 14},
        {"\0\0\0\0", 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(files_write_atomic(from, cases[i].data, cases[i].len), 0);
        fails(from, EBADMSG, "no sound file");
    }
    make(from, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 0);
    fails(from, EBADMSG, "it holds no sound");
    make(from, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 9, 0.01);
    fails(from, EBADMSG, "at most 8");
}

static void limits_hold(void **state)
{
    (void)state;
    make(from, SF_FORMAT_WAV | SF_FORMAT_ULAW, 1000, 1, 600);
    struct audio_facts facts;
    struct errtext e = {0};
    assert_int_equal(convert(from, &facts, &e), 0);
    make(from, SF_FORMAT_WAV | SF_FORMAT_ULAW, 1000, 1, 600.01);
    fails(from, EMSGSIZE, "Audio too long (max 600 seconds)");
    int fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, AUDIO_BYTES_MAX + 1), 0);
    close(fd);
    fails(from, EMSGSIZE, "Audio file too large (max 25MB)");
}

/* A child that reads what strangers send: as nobody, and writes no more than it may. */
static void a_confined_child_has_limits(void **state)
{
    const char *const who[] = {"sh", "-c", "cat; id -u", NULL};
    const char *const much[] = {"head", "-c", "100000", "/dev/zero", NULL};
    const char *const busy[] = {"sh", "-c", "while :; do :; done", NULL};
    char *said = NULL;
    size_t len = 0;
    struct stat st;

    (void)state;
    assert_int_equal(files_write_atomic(from, "in\n", 3), 0);
    assert_int_equal(chmod(from, 0600), 0);
    assert_int_equal(proc_run(&(struct proc){.argv = who,
                                             .input_path = from,
                                             .output_path = scratch,
                                             .confined = true},
                              NULL),
                     0);
    assert_int_equal(files_read(scratch, 100, &said, &len), 0);
    assert_int_equal(strncmp(said, "in\n", 3), 0);
    if (geteuid() == 0)
        assert_string_equal(said, "in\n65534\n");
    free(said);
    assert_int_equal(proc_run(&(struct proc){.argv = much,
                                             .output_path = scratch,
                                             .output_bytes = 5000,
                                             .confined = true},
                              NULL),
                     ECHILD);
    assert_int_equal(stat(scratch, &st), 0);
    assert_int_equal(st.st_size, 5000);
    unlink(scratch);
    assert_int_equal(
        proc_run(&(struct proc){.argv = busy, .cpu_s = 1, .confined = true}, NULL),
        ECHILD);
}

static int confined(const char *command, int memory_mb)
{
    const char *const argv[] = {"sh", "-c", command, NULL};

    return proc_run(&(struct proc){.argv = argv,
                                   .output_path = scratch,
                                   .memory_mb = memory_mb,
                                   .confined = true},
                    NULL);
}

/* Whether a process may have a network of its own here; a container may forbid it. */
static bool may_be_alone(void)
{
    const char *const root[] = {"unshare", "--net", "true", NULL};
    const char *const user[] = {"unshare", "--user", "--net", "true", NULL};
    const char *const *argv = geteuid() == 0 ? root : user;

    return proc_run(&(struct proc){.argv = argv}, NULL) == 0;
}

/* Nor does it see a network, others' files, or more memory than it may. */
static void a_confined_child_reaches_nothing(void **state)
{
    char read_it[sizeof(from) + 16], whole[4096];
    char *said = NULL;
    size_t len = 0;

    (void)state;
    assert_int_equal(files_write_atomic(from, "secret\n", 7), 0);
    assert_int_equal(chmod(from, 0600), 0);
    snprintf(read_it, sizeof(read_it), "cat %s", from);
    if (geteuid() == 0)
        assert_int_equal(confined(read_it, 0), ECHILD);
    assert_int_equal(confined("dd if=/dev/zero of=/dev/null bs=100M count=1", 400), 0);
    assert_int_equal(confined("dd if=/dev/zero of=/dev/null bs=100M count=1", 60),
                     ECHILD);
    assert_int_equal(confined("ulimit -c; cat /proc/self/net/dev", 0), 0);
    assert_int_equal(files_read(scratch, sizeof(whole), &said, &len), 0);
    assert_int_equal(strncmp(said, "0\n", 2), 0); /* no core either */
    unlink(scratch);
    if (may_be_alone()) {
        assert_non_null(strstr(said, "lo:"));
        for (const char *at = said; (at = strchr(at, ':')); at++)
            assert_true(at - said >= 2 && strncmp(at - 2, "lo:", 3) == 0);
    }
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libsndfile_reads_most),
        cmocka_unit_test(ffmpeg_reads_the_rest),
        cmocka_unit_test(without_ffmpeg_it_is_said),
        cmocka_unit_test(what_is_no_sound_is_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_confined_child_has_limits),
        cmocka_unit_test(a_confined_child_reaches_nothing),
    };

    if (!mkdtemp(dir) || chmod(dir, 0755))
        return 1;
    snprintf(from, sizeof(from), "%s/from", dir);
    snprintf(scratch, sizeof(scratch), "%s/scratch", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(from);
    unlink(path_of("to"));
    unlink(path_of("made"));
    rmdir(dir);
    return failed;
}
