/* Speech with the real espeak-ng: files at both rates, made once, kept by content. */
#include "unit/cm.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sndfile.h>
#include <uv.h>

#include "base/files.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "dialer/prompts.h"

static char dir[64];
static struct config_common config;
static uv_loop_t loop;
static struct prompts *prompts;

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/furrow-prompts.XXXXXX");
    assert_non_null(mkdtemp(dir));
    str_cut(config.data_dir, sizeof(config.data_dir), dir);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(prompts_new(&prompts, &loop, &config), 0);
    if (!prompts_voices(prompts)[0]) {
        fprintf(stderr, "skipped: espeak-ng is missing (./run deps)\n");
        exit(getenv("CI") ? 1 : 77);
    }
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    prompts_free(prompts);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

struct made {
    int calls, err;
};

static void done(int err, void *arg)
{
    struct made *m = arg;

    m->calls++;
    m->err = err;
}

static int make(const struct ivr_prompt *p)
{
    struct made m = {0};

    assert_int_equal(prompts_make(prompts, p, done, &m), 0);
    assert_int_equal(m.calls, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(m.calls, 1);
    return m.err;
}

/* Seconds; rate, channels and loudness are looked at here. */
static double length_of(const char *hash, const char *suffix, int rate)
{
    char path[256];
    SF_INFO info = {0};
    short samples[4096];
    double sum = 0, n = 0;
    sf_count_t got;

    snprintf(path, sizeof(path), "%s/prompts/%s%s", dir, hash, suffix);
    SNDFILE *f = sf_open(path, SFM_READ, &info);
    assert_non_null(f);
    assert_int_equal(info.samplerate, rate);
    assert_int_equal(info.channels, 1);
    assert_int_equal(info.format, SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    while ((got = sf_read_short(f, samples, 4096)) > 0)
        for (sf_count_t i = 0; i < got; i++, n++)
            sum += (double)samples[i] * samples[i];
    sf_close(f);
    assert_true(sqrt(sum / n) > 300); /* not silence */
    return (double)info.frames / rate;
}

/* A byte a sample; most of a voice is not silence, which is 0xff. */
static double ulaw_length_of(const char *hash)
{
    char path[256];
    int c, loud = 0, n = 0;

    snprintf(path, sizeof(path), "%s/prompts/%s.ulaw", dir, hash);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    for (; (c = getc(f)) != EOF; n++)
        loud += (c & 0x7f) < 0x60;
    fclose(f);
    assert_true(loud > n / 10);
    return n / 8000.0;
}

static void speech_is_made_in_each_language_at_both_rates(void **state)
{
    static const struct ivr_prompt said[] = {
        {.asset = "", .text = "Good morning. Which crop?", .lang = "en", .voice = ""},
        {.asset = "", .text = "እንደምን አደሩ። ምን ሰብል?", .lang = "am", .voice = ""},
        {.asset = "", .text = "Akkam bultan. Midhaan maalii?", .lang = "om", .voice = ""},
        {.asset = "", .text = "Good morning.", .lang = "en-US", .voice = "en-us+f3"},
    };
    char hash[PROMPT_HASH_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        assert_int_equal(prompts_find(prompts, &said[i], hash), ENOENT);
        assert_int_equal(make(&said[i]), 0);
        assert_int_equal(prompts_find(prompts, &said[i], hash), 0);
        double s = length_of(hash, ".wav", 8000);
        assert_true(s > 0.5 && s < 10);
        assert_true(fabs(s - length_of(hash, ".wav16", 16000)) < 0.01);
        assert_true(fabs(s - ulaw_length_of(hash)) < 0.01);
    }
}

static void a_language_without_a_voice_is_an_error_and_not_english(void **state)
{
    const struct ivr_prompt p = {.asset = "", .text = "x", .lang = "xx", .voice = ""};
    const struct ivr_prompt none = {.asset = "", .text = "x", .lang = "", .voice = ""};
    char hash[PROMPT_HASH_MAX];
    struct made m = {0};

    (void)state;
    assert_int_equal(prompts_make(prompts, &p, done, &m), ENOENT);
    assert_int_equal(prompts_find(prompts, &p, hash), ENOENT);
    assert_int_equal(prompts_make(prompts, &none, done, &m), ENOENT);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(m.calls, 0);
}

static void voices_hold_the_languages_of_the_demo(void **state)
{
    static const char *const wanted[] = {"en", "am", "om"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const char *const *v = prompts_voices(prompts);
        while (*v && strcmp(*v, wanted[i]) != 0)
            v++;
        assert_non_null(*v);
    }
}

static void all_who_want_the_same_prompt_share_one_file(void **state)
{
    const struct ivr_prompt p = {.asset = "", .text = "One", .lang = "en", .voice = ""};
    const struct ivr_prompt q = {.asset = "", .text = "Two", .lang = "en", .voice = ""};
    struct made m = {0};
    char one[PROMPT_HASH_MAX], two[PROMPT_HASH_MAX];

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(prompts_make(prompts, &p, done, &m), 0);
    assert_int_equal(prompts_make(prompts, &q, done, &m), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(m.calls, 6);
    assert_int_equal(m.err, 0);
    assert_int_equal(prompts_find(prompts, &p, one), 0);
    assert_int_equal(prompts_find(prompts, &q, two), 0);
    assert_string_not_equal(one, two);
}

static void a_voice_is_never_an_option_of_the_program(void **state)
{
    const struct ivr_prompt p = {
        .asset = "", .text = "x", .lang = "en", .voice = "-f/etc/passwd"};
    const struct ivr_prompt unknown = {
        .asset = "", .text = "x", .lang = "en", .voice = "nobody"};

    (void)state;
    assert_int_equal(make(&p), EINVAL);
    assert_int_equal(make(&unknown), ECHILD);
}

static void a_recorded_asset_is_converted_under_its_own_hash(void **state)
{
    enum { RATE = 44100 };
    static float tone[RATE * 2]; /* one second, two channels */
    char path[256], wav[256], id[SHA256_TEXT_MAX], hash[PROMPT_HASH_MAX];
    SF_INFO info = {
        .samplerate = RATE, .channels = 2, .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    uint8_t bytes[SHA256_BYTES];

    (void)state;
    for (int i = 0; i < RATE; i++)
        tone[2 * i] = tone[2 * i + 1] = 0.3F * sinf((float)i * 0.06F);
    snprintf(path, sizeof(path), "%s/tone.flac", dir);
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    assert_int_equal(sf_writef_float(f, tone, RATE), RATE);
    sf_close(f);
    assert_int_equal(sha256_file(path, bytes, NULL), 0);
    sha256_text(bytes, id);
    snprintf(wav, sizeof(wav), "%s/prompts/%.2s/%s", dir, id, id);
    const struct ivr_prompt p = {.asset = id, .text = "", .lang = "en", .voice = ""};
    assert_int_equal(make(&p), ENOENT);
    assert_int_equal(files_mkdirs_for(wav), 0);
    assert_int_equal(rename(path, wav), 0);
    assert_int_equal(make(&p), 0);
    assert_int_equal(prompts_find(prompts, &p, hash), 0);
    assert_string_equal(hash, id);
    assert_true(fabs(length_of(hash, ".wav", 8000) - 1.0) < 0.01);
    assert_true(fabs(length_of(hash, ".wav16", 16000) - 1.0) < 0.01);
}

static void what_is_not_audio_or_not_an_id_is_refused(void **state)
{
    char id[SHA256_TEXT_MAX], path[256];
    uint8_t bytes[SHA256_BYTES];
    struct made m = {0};
    const struct ivr_prompt outside = {
        .asset = "../../etc/passwd", .text = "", .lang = "en", .voice = ""};

    (void)state;
    assert_int_equal(prompts_make(prompts, &outside, done, &m), ENOENT);
    sha256_of("text", 4, bytes);
    sha256_text(bytes, id);
    snprintf(path, sizeof(path), "%s/media/%.2s/%s", dir, id, id);
    assert_int_equal(files_mkdirs_for(path), 0);
    assert_int_equal(files_write_atomic(path, "text", 4), 0);
    const struct ivr_prompt p = {.asset = id, .text = "", .lang = "en", .voice = ""};
    assert_int_equal(make(&p), EBADMSG);
}

static void closing_tells_those_who_wait(void **state)
{
    const struct ivr_prompt p = {.asset = "", .text = "Late", .lang = "en", .voice = ""};
    struct made m = {0};

    (void)state;
    assert_int_equal(prompts_make(prompts, &p, done, &m), 0);
    prompts_free(prompts);
    assert_int_equal(m.calls, 1);
    assert_int_equal(m.err, ECANCELED);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(prompts_new(&prompts, &loop, &config), 0);
    assert_int_equal(m.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_is_made_in_each_language_at_both_rates),
        cmocka_unit_test(a_language_without_a_voice_is_an_error_and_not_english),
        cmocka_unit_test(voices_hold_the_languages_of_the_demo),
        cmocka_unit_test(all_who_want_the_same_prompt_share_one_file),
        cmocka_unit_test(a_voice_is_never_an_option_of_the_program),
        cmocka_unit_test(a_recorded_asset_is_converted_under_its_own_hash),
        cmocka_unit_test(what_is_not_audio_or_not_an_id_is_refused),
        cmocka_unit_test(closing_tells_those_who_wait),
    };

    return cmocka_run_group_tests_name("prompts", tests, setup, teardown);
}
