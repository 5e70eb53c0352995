/*
 * Any bytes as a stored state: refused, or read and written back byte for byte. What is
 * read is then made to belong to a program and stepped: a verdict, never a crash.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "fuzz/fuzz.h"
#include "ivr/ivr.h"

static const char flow[] =
    "{\"furrow\":1,\"name\":\"s\",\"language\":\"en\",\"languages\":[\"en\",\"am\"],"
    "\"entry\":\"a\",\"on_error\":\"b\",\"on_hangup\":\"c\",\"global_keys\":{\"*\":"
    "\"repeat\"},\"nodes\":{"
    "\"a\":{\"kind\":\"collect\",\"max\":3,\"into\":\"n\",\"exits\":{\"1\":\"b\",\"any\":"
    "\"c\",\"invalid\":\"d\",\"no_input\":\"e\"}},"
    "\"b\":{\"kind\":\"record\",\"exits\":{\"recorded\":\"a\",\"empty\":\"c\","
    "\"failed\":\"end\"}},"
    "\"c\":{\"kind\":\"set\",\"vars\":{\"n\":\"{{vars.n + vars.m * call.seconds}}\","
    "\"t\":\"{{vars.n}} {{vars.t | upper}} {{vars.m | "
    "default(1)}}\"},\"exits\":{\"done\":"
    "\"f\"}},"
    "\"d\":{\"kind\":\"transfer\",\"to\":\"ext:1\",\"exits\":{\"completed\":\"a\","
    "\"busy\":\"a\",\"no_answer\":\"a\",\"failed\":\"a\"}},"
    "\"e\":{\"kind\":\"queue\",\"queue\":\"q\",\"exits\":{\"served\":\"a\",\"timeout\":"
    "\"a\",\"full\":\"a\",\"left_by_key\":\"a\",\"failed\":\"a\"}},"
    "\"f\":{\"kind\":\"branch\",\"on\":\"{{vars.n < 5}}\",\"exits\":{\"true\":\"end\","
    "\"default\":\"end\"}}}}";

static void check(int held)
{
    if (!held)
        abort();
}

static void step_all(const struct ivr_prog *prog, struct ivr_state *s,
                     struct ivr_arena *arena)
{
    const struct ivr_env env = {
        .now_ms = 1795600800000, .tenant = 1, .session = "s", .caps = IVR_CAP_ALL};
    struct ivr_out out;

    memcpy(s->prog_hash, ivr_prog_hash(prog), sizeof(s->prog_hash));
    s->tenant = 1;
    for (int kind = IVR_IN_DIGITS; kind <= IVR_IN_STOP; kind++) {
        const struct ivr_input in = {.kind = (enum ivr_input_kind)kind, .token = s->seq};
        const uint8_t *bytes = NULL;
        size_t len = 0;
        check(ivr_step(prog, &env, s, &in, arena, &out) == 0);
        if (out.verdict == IVR_OK)
            check(ivr_state_write(out.state, arena, &bytes, &len) == 0);
    }
    (void)ivr_state_expects(prog, s, IVR_WAIT_KEYS, "a");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    const struct ivr_state *state = NULL;
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues;
    const uint8_t *bytes = NULL;
    size_t len = 0;

    check(ivr_arena_new(&arena, NULL) == 0);
    int err = ivr_state_read(data, size, arena, &state);
    check(err == 0 || err == EBADMSG);
    if (!err) {
        check(ivr_state_write(state, arena, &bytes, &len) == 0);
        check(len == size && memcmp(bytes, data, size) == 0);
        check(ivr_compile(&prog, flow, sizeof(flow) - 1, &options, arena, &issues) == 0);
        struct ivr_state copy = *state;
        step_all(prog, &copy, arena);
    }
    ivr_arena_free(arena);
    return 0;
}
