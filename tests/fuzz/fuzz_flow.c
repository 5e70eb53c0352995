/*
 * Any bytes as a flow: compiling ends in a program or in issues that stand within the
 * text; a program walks through some inputs without a crash, every sprint ends in one
 * wait or the end, and every state reads back as it was written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "fuzz/fuzz.h"
#include "ivr/ivr.h"

static void check(int held)
{
    if (!held)
        abort();
}

static int resolve(const char *name, const char *sha256, const char **text, size_t *len,
                   void *arg)
{
    static const char inner[] =
        "{\"furrow\":1,\"name\":\"i\",\"language\":\"en\",\"entry\":\"a\",\"nodes\":{"
        "\"a\":{\"kind\":\"collect\",\"exits\":{\"1\":\"end\",\"invalid\":\"end\","
        "\"no_input\":\"end\"}}}}";

    (void)name, (void)sha256, (void)arg;
    *text = inner;
    *len = sizeof(inner) - 1;
    return 0;
}

static bool blocks(const struct ivr_effect *fx)
{
    return fx->kind == IVR_FX_COLLECT || fx->kind == IVR_FX_RECORD ||
           fx->kind == IVR_FX_DIAL || fx->kind == IVR_FX_ENQUEUE ||
           fx->kind == IVR_FX_HTTP || fx->kind == IVR_FX_DATA ||
           fx->kind == IVR_FX_HANGUP;
}

static const struct ivr_state *stored(const struct ivr_state *s, struct ivr_arena *arena)
{
    const struct ivr_state *back = NULL;
    const uint8_t *bytes = NULL;
    size_t len = 0;

    check(ivr_state_write(s, arena, &bytes, &len) == 0);
    check(ivr_state_read(bytes, len, arena, &back) == 0);
    return back;
}

static void fill_input(struct ivr_input *in, unsigned pick)
{
    static const char *const digits[] = {"1", "2", "0", "99", "*", "12", ""};

    in->kind = (enum ivr_input_kind)(IVR_IN_DIGITS + pick % IVR_IN_STOP);
    if (in->kind == IVR_IN_DIGITS)
        in->keys.digits = digits[pick / 16 % 7];
    if (in->kind == IVR_IN_RECORDED)
        in->recorded.ref = "r";
    if (in->kind == IVR_IN_HTTP_DONE) {
        in->http.status = 200;
        in->http.body = "{\"a\":[1,\"2\"]}";
        in->http.body_len = 13;
    }
}

static void walk(const struct ivr_prog *prog, const uint8_t *data, size_t size,
                 struct ivr_arena *arena)
{
    struct ivr_env env = {.now_ms = 1795600800000,
                          .tenant = 1,
                          .session = "s",
                          .phone = "+251911234567",
                          .caps = IVR_CAP_ALL};
    struct ivr_input in = {.kind = IVR_IN_START};
    const struct ivr_state *state = NULL;

    for (int i = 0; i < 12; i++) {
        struct ivr_out out;
        check(ivr_step(prog, &env, state, &in, arena, &out) == 0);
        if (out.verdict == IVR_OK) {
            bool waits = out.state->status == IVR_WAITING;
            size_t n = 0;
            for (size_t k = 0; k < out.effect_count; k++)
                n += blocks(&out.effects[k]);
            check(waits ? n == 1 : n <= 1);
            check(!waits || blocks(&out.effects[out.effect_count - 1]));
            state = stored(out.state, arena);
        }
        in = (struct ivr_input){.token = state->seq};
        fill_input(&in, data[(size_t)i * 31 % size]);
        env.now_ms += 1000;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const backends[] = {"twiml", "plivo", NULL};
    struct ivr_compile_options options = {
        .sha256 = sha256_of, .resolve = resolve, .backends = backends};
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues;

    check(ivr_arena_new(&arena, NULL) == 0);
    int err = ivr_compile(&prog, (const char *)data, size, &options, arena, &issues);
    check(err == 0 || err == EBADMSG);
    check((err != 0) == (issues.errors > 0));
    for (size_t i = 0; i < issues.n; i++) {
        check(issues.list[i].line >= 1 && issues.list[i].column >= 1);
        check((size_t)issues.list[i].line <= size + 1);
        check(*issues.list[i].text != '\0');
    }
    if (err) { /* by what a provider cannot do, perhaps */
        options.backends = NULL;
        err = ivr_compile(&prog, (const char *)data, size, &options, arena, &issues);
    }
    if (!err)
        walk(prog, data, size, arena);
    ivr_arena_free(arena);
    return 0;
}
