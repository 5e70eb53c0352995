/*
 * bench_ivr [STEPS] - flow steps a second as a host does them: read the stored state,
 * step, write it; and documents compiled a second.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/sha256.h"
#include "base/str.h"
#include "ivr/ivr.h"

enum { STATE_BYTES = 4096, FLOW_BYTES = 1 << 20 };

static void fail(const char *what)
{
    fprintf(stderr, "bench_ivr: %s\n", what);
    exit(1);
}

static struct ivr_prog *compile(const char *text, size_t len, struct ivr_arena **arena)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues;

    if (ivr_arena_new(arena, NULL) ||
        ivr_compile(&prog, text, len, &options, *arena, &issues))
        fail("the flow does not compile");
    return prog;
}

/* One input of a call on stored bytes; the next bytes into the same place. */
static void step(const struct ivr_prog *prog, const struct ivr_env *env,
                 struct ivr_input *in, uint8_t *bytes, size_t *len)
{
    struct ivr_arena *arena = NULL;
    const struct ivr_state *state = NULL;
    const uint8_t *next = NULL;
    struct ivr_out out;
    size_t next_len = 0;

    if (ivr_arena_new(&arena, NULL))
        fail("no memory");
    if (in->kind != IVR_IN_START) {
        if (ivr_state_read(bytes, *len, arena, &state))
            fail("the state does not read");
        in->token = state->seq;
    }
    if (ivr_step(prog, env, state, in, arena, &out) || out.verdict != IVR_OK ||
        ivr_state_write(out.state, arena, &next, &next_len) || next_len > STATE_BYTES)
        fail("a step went wrong");
    memcpy(bytes, next, next_len);
    *len = next_len;
    ivr_arena_free(arena);
}

static int64_t one_call(const struct ivr_prog *prog, const struct ivr_env *env)
{
    struct ivr_input inputs[] = {
        {.kind = IVR_IN_START},
        {.kind = IVR_IN_DIGITS, .keys = {.digits = "2"}},
        {.kind = IVR_IN_RECORDED, .recorded = {.ref = "fw-1", .duration_ms = 4200}},
    };
    uint8_t bytes[STATE_BYTES];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(inputs); i++)
        step(prog, env, &inputs[i], bytes, &len);
    return ARRAY_LEN(inputs);
}

int main(int argc, char **argv)
{
    const char *path = SOURCE_DIR "/tests/data/ivr/flows/farmer.json";
    const struct ivr_env env = {.now_ms = 1795600800000,
                                .tenant = 1,
                                .session = "call-1",
                                .phone = "+251911234567",
                                .caps = IVR_CAP_ALL};
    int64_t wanted = 600000, steps = 0, compiled = 0;
    struct ivr_arena *arena = NULL;
    char *text = NULL;
    size_t len = 0;

    if (argc > 1 && (!str_to_i64(argv[1], &wanted) || wanted < 1))
        fail("STEPS is a number from 1");
    if (files_read(path, FLOW_BYTES, &text, &len))
        fail("tests/data/ivr/flows/farmer.json cannot be read");
    struct ivr_prog *prog = compile(text, len, &arena);
    int64_t started_us = mono_us();
    while (steps < wanted)
        steps += one_call(prog, &env);
    double seconds = (double)(mono_us() - started_us) / 1e6;
    ivr_arena_free(arena);
    printf("{\"bench\":\"ivr\",\"what\":\"steps\",\"steps\":%" PRId64
           ",\"seconds\":%.3f,\"steps_per_s\":%.0f}\n",
           steps, seconds, (double)steps / seconds);
    started_us = mono_us();
    for (; compiled < 1 + wanted / 100; compiled++) {
        compile(text, len, &arena);
        ivr_arena_free(arena);
    }
    seconds = (double)(mono_us() - started_us) / 1e6;
    printf("{\"bench\":\"ivr\",\"what\":\"compile\",\"flows\":%" PRId64
           ",\"bytes\":%zu,\"seconds\":%.3f,\"flows_per_s\":%.0f}\n",
           compiled, len, seconds, (double)compiled / seconds);
    free(text);
    return 0;
}
