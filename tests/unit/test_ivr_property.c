/*
 * Seeded random flows and random inputs never break an invariant: ivr_drive checks
 * each sprint, this adds what holds of whole calls.
 */
#include "unit/cm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit/ivr_drive.h"

enum { SECONDS = 4, FLOWS = 4000, INPUTS = 60 };

struct dice {
    uint64_t seed;
};

static unsigned roll(struct dice *d, unsigned n)
{
    d->seed = d->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(d->seed >> 33) % n;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- a random flow ---- */

static const char *target(struct dice *d, char *out, size_t size, int nodes)
{
    if (roll(d, 12) == 0)
        snprintf(out, size, "end");
    else
        snprintf(out, size, "n%u", roll(d, (unsigned)nodes));
    return out;
}

static json_t *exits(struct dice *d, int nodes, const char *names)
{
    char name[40], to[16];
    json_t *list = json_object();

    while (*names) {
        size_t len = strcspn(names, " ");
        snprintf(name, sizeof(name), "%.*s", (int)len, names);
        json_object_set_new(list, name, json_string(target(d, to, sizeof(to), nodes)));
        names += len + (names[len] == ' ');
    }
    return list;
}

static json_t *random_node(struct dice *d, int nodes, bool inner)
{
    static const char *const exprs[] = {"{{vars.a}}",
                                        "{{vars.a + 1}}",
                                        "{{vars.b | default(\"x\")}}x",
                                        "{{contact.name | upper}}",
                                        "{{random(3)}}",
                                        "{{concat(vars.b, vars.b, \"0123456789\")}}",
                                        "{{number(vars.b) / 0}}",
                                        "{{call.hour}}"};
    const char *e = exprs[roll(d, ARRAY_LEN(exprs))];
    json_t *n = NULL;

    switch (roll(d, inner ? 14 : 15)) {
    case 0:
        return json_pack("{s:s, s:{s:s, s:{s:s}}, s:o}", "kind", "say", "prompt", "en", e,
                         "am", "fallback", "en", "exits", exits(d, nodes, "done failed"));
    case 1:
        return json_pack("{s:s, s:{s:s}, s:o}", "kind", "play", "prompt", "en", "Only en",
                         "exits", exits(d, nodes, "done failed"));
    case 2:
    case 3:
        n = json_pack("{s:s, s:{s:s}, s:i, s:i, s:o}", "kind", "collect", "prompt", "en",
                      "Key", "max", 3, "attempts", (int)roll(d, 3) + 1, "exits",
                      exits(d, nodes, "1 2 any invalid no_input"));
        if (roll(d, 2))
            json_object_set_new(n, "into", json_string("b"));
        if (roll(d, 2))
            json_object_set_new(n, "heard", json_string("{{spoken_code(said)}}"));
        if (roll(d, 2))
            json_object_set_new(n, "words", json_pack("{s:s}", "2", "two, bag*"));
        return n;
    case 4:
        return json_pack("{s:s, s:s, s:o}", "kind", "branch", "on", "{{vars.a}}", "exits",
                         exits(d, nodes, "1 2 default"));
    case 5:
    case 6:
        return json_pack("{s:s, s:{s:s, s:s}, s:o}", "kind", "set", "vars", "a", e, "b",
                         exprs[roll(d, ARRAY_LEN(exprs))], "exits",
                         exits(d, nodes, "done"));
    case 7:
        return json_pack("{s:s, s:s, s:{s:s}, s:o}", "kind", "api", "url",
                         "https://x.example/", "into", "a", "/a", "exits",
                         exits(d, nodes, "ok http_error timeout bad_body"));
    case 8:
        return json_pack("{s:s, s:s, s:o}", "kind", "record", "into", "b", "exits",
                         exits(d, nodes, "recorded empty failed"));
    case 9:
        return json_pack("{s:s, s:s, s:o}", "kind", "transfer", "to", "ext:1", "exits",
                         exits(d, nodes, "completed busy no_answer failed"));
    case 10:
        return json_pack("{s:s, s:s, s:o}", "kind", "queue", "queue", "q", "exits",
                         exits(d, nodes, "served timeout full left_by_key failed"));
    case 11:
        return json_pack("{s:s, s:{s:s, s:s}, s:o}", "kind", "language", "choices", "1",
                         "en", "2", "am", "exits",
                         exits(d, nodes, "chosen invalid no_input"));
    case 12:
        return json_pack("{s:s, s:s, s:s, s:{s:s}, s:{s:{s:i}}, s:{s:s}, s:o}", "kind",
                         "data", "table", "t", "do", "update", "where", "x", e, "set",
                         "n", "add", 1, "into", "b", "x", "exits",
                         exits(d, nodes, "done none failed"));
    case 13:
        return json_pack("{s:s, s:s}", "kind", "hangup", "opt_out",
                         roll(d, 2) ? "tenant" : "campaign");
    default:
        return json_pack("{s:s, s:s, s:o}", "kind", "subflow", "flow", "inner", "exits",
                         exits(d, nodes, "done failed"));
    }
}

static json_t *random_flow(struct dice *d, const char *name, bool inner)
{
    int nodes = (int)roll(d, 8) + 2;
    char id[16];
    json_t *list = json_object();

    for (int i = 0; i < nodes; i++) {
        snprintf(id, sizeof(id), "n%d", i);
        json_object_set_new(list, id, random_node(d, nodes, inner));
    }
    json_object_set_new(list, "gone",
                        json_pack("{s:s, s:i, s:{s:s, s:s, s:s}}", "kind", "callback",
                                  "in_s", 60, "exits", "scheduled", "end", "duplicate",
                                  "end", "refused", "end"));
    json_t *flow = json_pack("{s:i, s:s, s:s, s:[s,s], s:s, s:o, s:{s:s, s:s, s:s}}",
                             "furrow", 1, "name", name, "language", "en", "languages",
                             "en", "am", "entry", "n0", "nodes", list, "global_keys", "*",
                             "repeat", "99", "opt_out", "0", "n1");
    if (roll(d, 2))
        json_object_set_new(flow, "on_error", json_string("n1"));
    if (roll(d, 2))
        json_object_set_new(flow, "on_hangup", json_string("gone"));
    return flow;
}

/* ---- random inputs ---- */

static const char *const words[] = {
    "digits 1",        "digits 2",      "digits 007",
    "digits *",        "digits 99",     "digits 0",
    "digits 12345",    "digits ",       "digits A",
    "no_input",        "media_failed",  "recorded r-1",
    "recorded_empty",  "dial_busy",     "dial_completed",
    "queue_served a",  "queue_timeout", "http 200 {\"a\": \"01\"}",
    "http 200 [",      "http 404 x",    "http_timeout",
    "said two",        "said a i 1 2",  "said nothing much",
    "data {\"x\": 1}", "data [",        "data_none",
    "deadline",        "hangup",        "stop"};

static void give_random_input(struct dice *dice, struct drive *d)
{
    const struct ivr_state before = *d->state;
    unsigned pick = roll(dice, 40);
    struct ivr_input in;
    bool stale = roll(dice, 15) == 0;

    /* Hang-ups are for the end, mostly. */
    if (pick >= ARRAY_LEN(words))
        pick = roll(dice, 10);
    assert_true(drive_parse(words[pick], before.seq - stale, &in));
    bool any_token = in.kind == IVR_IN_HANGUP || in.kind == IVR_IN_STOP;
    d->env.now_ms += roll(dice, 20000);
    drive_step(d, &in);
    if (before.status == IVR_ENDED)
        assert_int_equal(d->out.verdict, IVR_OVER);
    else if (stale && !any_token)
        assert_int_equal(d->out.verdict, IVR_STALE);
    else if (any_token || in.kind == IVR_IN_DEADLINE)
        assert_int_equal(d->out.verdict, IVR_OK);
    else
        assert_true(d->out.verdict == IVR_OK || d->out.verdict == IVR_WRONG_WAIT);
    if (in.kind == IVR_IN_HANGUP && d->out.verdict == IVR_OK) {
        assert_int_equal(d->out.state->status, IVR_ENDED);
        for (size_t i = 0; i < d->out.effect_count; i++)
            assert_int_equal(d->out.effects[i].kind, IVR_FX_CALLBACK);
    }
    if (d->out.verdict == IVR_OK) {
        assert_true(!before.opted_out || d->out.state->opted_out);
        assert_int_equal(d->out.state->hard_stop_at_ms, before.hard_stop_at_ms);
        assert_true(d->out.state->total_steps >= before.total_steps);
    }
}

static void another_tenant_or_program_is_refused(struct drive *d)
{
    const struct ivr_input in = {.kind = IVR_IN_STOP};
    struct ivr_state other = *d->state;
    struct ivr_out out;

    other.tenant++;
    assert_int_equal(ivr_step(d->prog, &d->env, &other, &in, d->arena, &out), 0);
    assert_int_equal(out.verdict, IVR_PIN_MISMATCH);
    other = *d->state;
    other.prog_hash[5] ^= 1;
    assert_int_equal(ivr_step(d->prog, &d->env, &other, &in, d->arena, &out), 0);
    assert_int_equal(out.verdict, IVR_PIN_MISMATCH);
}

static void one_call(struct dice *dice, json_t *contact)
{
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues;
    struct ivr_input start = {.kind = IVR_IN_START};
    struct drive d;
    json_t *named = json_object();

    json_object_set_new(named, "inner", random_flow(dice, "inner", true));
    struct drive_flows flows = {.named = named};
    json_t *flow = random_flow(dice, "outer", false);
    char *text = json_dumps(flow, JSON_COMPACT);
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    if (drive_compile(&prog, text, strlen(text), &flows, arena, &issues))
        fail_msg("%s: %s", issues.list[0].pointer, issues.list[0].text);
    drive_begin(&d, prog, arena);
    d.env.seed = dice->seed;
    d.env.contact = contact;
    d.env.language = roll(dice, 2) ? "am" : "";
    d.env.caps = roll(dice, 3) ? IVR_CAP_ALL : roll(dice, 64);
    drive_step(&d, &start);
    for (int i = 0; i < INPUTS; i++)
        give_random_input(dice, &d);
    another_tenant_or_program_is_refused(&d);
    ivr_arena_free(arena);
    drive_flows_free(&flows);
    free(text);
    json_decref(flow);
    json_decref(named);
}

static void random_flows_and_inputs_never_break_an_invariant(void **state)
{
    const double until = seconds() + SECONDS;
    json_t *contact = json_pack("{s:s}", "name", "Abebe");
    int n = 0;

    (void)state;
    for (; n < FLOWS && seconds() < until; n++) {
        struct dice dice = {(uint64_t)n * 2654435761u + 1};
        one_call(&dice, contact);
    }
    json_decref(contact);
    print_message("%d flows\n", n);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_flows_and_inputs_never_break_an_invariant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
