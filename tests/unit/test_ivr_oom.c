/*
 * Every allocation of the engine and of the JSON library fails once, in turn: the
 * answer is ENOMEM or a whole result, never a crash, a leak or a half-made state.
 */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/ivr_drive.h"

struct meter {
    long left;         /* allocations until one fails; negative: none does */
    long live;         /* blocks not yet given back */
    bool failed, once; /* once: only one fails, else all that follow do too */
};

static struct meter meter; /* jansson's allocator has no argument */

static void *take(size_t size)
{
    if (meter.left == 0) {
        meter.failed = true;
        if (meter.once)
            meter.left = -1;
        return NULL;
    }
    if (meter.left > 0)
        meter.left--;
    void *p = malloc(size);
    meter.live += p != NULL;
    return p;
}

static void give(void *p)
{
    meter.live -= p != NULL;
    free(p);
}

static void *arena_take(void *arg, size_t size)
{
    (void)arg;
    return take(size);
}

static void arena_give(void *arg, void *p)
{
    (void)arg;
    give(p);
}

static const struct ivr_allocator allocator = {arena_take, arena_give, NULL};

static void plain_hash(const void *data, size_t len, uint8_t hash[IVR_HASH_BYTES])
{
    const uint8_t *p = data;

    memset(hash, 0, IVR_HASH_BYTES);
    for (size_t i = 0; i < len; i++)
        hash[i % IVR_HASH_BYTES] = (uint8_t)(hash[i % IVR_HASH_BYTES] * 31 + p[i]);
}

static const char inner[] =
    "{\"furrow\":1,\"name\":\"inner\",\"language\":\"en\",\"entry\":\"a\",\"nodes\":{"
    "\"a\":{\"kind\":\"collect\",\"prompt\":{\"en\":\"Inner\"},\"exits\":{\"1\":\"end\","
    "\"invalid\":\"end\",\"no_input\":\"end\"}}}}";

static const char outer[] =
    "{\"furrow\":1,\"name\":\"outer\",\"language\":\"en\",\"languages\":[\"en\",\"am\"],"
    "\"entry\":\"lang\",\"global_keys\":{\"*\":\"repeat\",\"99\":\"opt_out\"},"
    "\"prompts\":{\"hi\":{\"en\":\"Hi {{contact.name | upper}}\",\"am\":{\"fallback\":"
    "\"en\"}}},\"on_hangup\":\"gone\",\"nodes\":{"
    "\"lang\":{\"kind\":\"language\",\"prompt\":\"hi\",\"choices\":{\"1\":\"en\",\"2\":"
    "\"am\"},\"exits\":{\"chosen\":\"set\",\"invalid\":\"end\",\"no_input\":\"end\"}},"
    "\"set\":{\"kind\":\"set\",\"vars\":{\"n\":\"{{1.5 * 2}}\",\"t\":\"t {{vars.n}}\"},"
    "\"exits\":{\"done\":\"sub\"}},"
    "\"sub\":{\"kind\":\"subflow\",\"flow\":\"inner\",\"exits\":{\"done\":\"api\","
    "\"failed\":\"end\"}},"
    "\"api\":{\"kind\":\"api\",\"method\":\"POST\",\"url\":\"https://x.example/{{vars.t}}"
    "\",\"headers\":{\"A\":\"b {{vars.n}}\"},\"body\":{\"a\":[\"{{vars.n}}\",\"x"
    "{{vars.t}}\"]},\"into\":{\"price\":\"/price\"},\"exits\":{\"ok\":\"rec\","
    "\"http_error\":\"end\",\"timeout\":\"end\",\"bad_body\":\"end\"}},"
    "\"rec\":{\"kind\":\"record\",\"prompt\":\"hi\",\"into\":\"rec\",\"exits\":{"
    "\"recorded\":\"sms\",\"empty\":\"end\",\"failed\":\"end\"}},"
    "\"sms\":{\"kind\":\"sms\",\"text\":{\"en\":\"Price {{vars.price}}\",\"am\":\"x\"},"
    "\"exits\":{\"queued\":\"xfer\",\"refused\":\"end\"}},"
    "\"xfer\":{\"kind\":\"transfer\",\"to\":\"ext:2001\",\"exits\":{\"completed\":"
    "\"end\",\"busy\":\"q\",\"no_answer\":\"end\",\"failed\":\"end\"}},"
    "\"q\":{\"kind\":\"queue\",\"queue\":\"s\",\"exits\":{\"served\":\"end\","
    "\"timeout\":\"end\",\"full\":\"end\",\"left_by_key\":\"end\",\"failed\":\"end\"}},"
    "\"gone\":{\"kind\":\"callback\",\"at\":\"09:00\",\"exits\":{\"scheduled\":\"b\","
    "\"duplicate\":\"end\",\"refused\":\"end\"}},"
    "\"b\":{\"kind\":\"branch\",\"on\":\"{{vars.t}}\",\"cases\":[{\"is\":[\"x\",1.5],"
    "\"exit\":\"x\"}],\"exits\":{\"x\":\"end\",\"default\":\"end\"}}}}";

static int resolve(const char *name, const char *sha256, const char **text, size_t *len,
                   void *arg)
{
    (void)name, (void)sha256, (void)arg;
    *text = inner;
    *len = strlen(inner);
    return 0;
}

/* Its texts are English, which all of them speak. */
static const char *const backends[] = {"twiml", "plivo", "ari", NULL};

static const struct ivr_compile_options options = {
    .sha256 = plain_hash, .resolve = resolve, .backends = backends};

/* One input on the stored bytes of the state, as a host does it; the new bytes go into
 * keep. */
static int one_step(const struct ivr_prog *prog, const struct ivr_env *env,
                    const char *word, uint8_t *keep, size_t *keep_len)
{
    struct ivr_arena *arena = NULL;
    const struct ivr_state *state = NULL;
    const uint8_t *bytes = NULL;
    struct ivr_out out;
    struct ivr_input in;
    size_t len = 0;

    int err = ivr_arena_new(&arena, &allocator);
    if (!err && *keep_len > 0)
        err = ivr_state_read(keep, *keep_len, arena, &state);
    if (!err) {
        assert_true(drive_parse(word, state ? state->seq : 0, &in));
        err = ivr_step(prog, env, state, &in, arena, &out);
    }
    if (!err) {
        assert_int_equal(out.verdict, IVR_OK);
        err = ivr_state_write(out.state, arena, &bytes, &len);
    }
    if (!err) {
        assert_true(len <= 40000);
        memcpy(keep, bytes, len);
        *keep_len = len;
    }
    ivr_arena_free(arena);
    return err;
}

static void compiling_survives_the_failure_of_any_allocation(void **state)
{
    static const char broken[] =
        "{\"furrow\":1,\"name\":\"b\",\"language\":\"en\",\"entry\":\"x\",\"nodes\":{"
        "\"a\":{\"kind\":\"say\",\"prompt\":{\"en\":\"{{1 +}} {{foo()}}\"},\"odd\":1}}}";
    const char *const texts[] = {outer, broken};

    (void)state;
    for (size_t t = 0; t < 2 * ARRAY_LEN(texts); t++) {
        const char *text = texts[t / 2];
        long n = 0;
        bool more = true;
        for (; more; n++) {
            struct ivr_arena *arena = NULL;
            struct ivr_prog *prog = NULL;
            struct ivr_issues issues;
            meter = (struct meter){.left = n, .once = t % 2};
            int err = ivr_arena_new(&arena, &allocator);
            if (!err)
                err = ivr_compile(&prog, text, strlen(text), &options, arena, &issues);
            assert_true(err == ENOMEM || err == (t < 2 ? 0 : EBADMSG));
            assert_true(meter.failed || err != ENOMEM);
            ivr_arena_free(arena);
            assert_int_equal(meter.live, 0);
            more = meter.failed;
        }
        assert_true(n > 10);
    }
}

static void step_with_failures(bool once)
{
    static const char *const words[] = {"start",
                                        "digits *",
                                        "digits 1",
                                        "digits 1",
                                        "http 200 {\"price\": 12.5}",
                                        "recorded call-1",
                                        "dial_busy",
                                        "hangup"};
    static uint8_t kept[40000], tried[40000];
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues;
    json_t *contact = NULL;
    size_t kept_len = 0;

    meter = (struct meter){.left = -1};
    assert_int_equal(ivr_arena_new(&arena, &allocator), 0);
    assert_int_equal(ivr_compile(&prog, outer, strlen(outer), &options, arena, &issues),
                     0);
    contact = json_pack("{s:s}", "name", "Abebe");
    struct ivr_env env = {.now_ms = DRIVE_NOW_MS,
                          .tenant = 1,
                          .session = "s",
                          .phone = "+251911234567",
                          .contact = contact,
                          .caps = IVR_CAP_ALL};
    long live = meter.live;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = 0;
        bool more = true;
        for (long n = 0; more; n++) {
            meter.left = n;
            meter.failed = false;
            meter.once = once;
            memcpy(tried, kept, kept_len);
            len = kept_len;
            int err = one_step(prog, &env, words[i], tried, &len);
            assert_true(err == 0 || err == ENOMEM);
            /* Nothing fails unseen, but for what was asked again and had. */
            assert_true(err == 0 || meter.failed);
            assert_true(err == ENOMEM || !meter.failed || once);
            more = meter.failed;
            assert_int_equal(meter.live, live);
        }
        memcpy(kept, tried, len);
        kept_len = len;
    }
    meter.left = -1;
    json_decref(contact);
    ivr_arena_free(arena);
    assert_int_equal(meter.live, 0);
}

static void stepping_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    step_with_failures(false);
    step_with_failures(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiling_survives_the_failure_of_any_allocation),
        cmocka_unit_test(stepping_survives_the_failure_of_any_allocation),
    };

    json_set_alloc_funcs(take, give);
    meter.left = -1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
