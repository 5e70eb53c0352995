/*
 * A phone in the terminal: the engine and the sim back end, a line typed for each thing
 * the party does. Time is invented: it stands still but for the waits that are let run
 * out, so a session typed twice is the same twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/flow_source.h"
#include "ivr/backend.h"

enum { TENANT = 1 };

struct call {
    const struct flow_source *flow;
    const struct flow_phone *phone;
    const struct ivr_backend *sim;
    struct ivr_keys keys;
    struct ivr_arena *arena; /* of the newest step; the one before is freed after it */
    struct ivr_out step;
    int64_t now_ms;
};

static void show_event(const struct ivr_event *e)
{
    printf("  . %s %s%s%s%s%s\n", ivr_event_name(e->kind), e->node, *e->node ? " " : "",
           e->name, *e->value ? " = " : "", e->value);
}

static int show_step(struct call *c)
{
    struct ivr_rendered r = {0};
    const struct ivr_call_ctx ctx = {.channel = "terminal", .format = "wav16"};

    for (size_t i = 0; c->phone->trace && i < c->step.event_count; i++)
        show_event(&c->step.events[i]);
    int err = c->sim->render(&c->step, &ctx, c->arena, &r);
    for (size_t i = 0; !err && i < r.n; i++) {
        printf("%s\n", r.commands[i].line);
        if (r.commands[i].kind == IVR_CMD_COLLECT)
            ivr_keys_arm(&c->keys, &r.commands[i].effect->collect, false, c->now_ms);
    }
    fflush(stdout);
    return err;
}

/* Between two steps a state is bytes, as in a real call: nothing of it lies in the memory
 * of the step before. */
static int copy_state(const struct ivr_state *s, struct ivr_arena *arena,
                      const struct ivr_state **out)
{
    const uint8_t *bytes = NULL;
    size_t len = 0;

    *out = NULL;
    if (!s)
        return 0;
    int err = ivr_state_write(s, arena, &bytes, &len);
    return err ? err : ivr_state_read(bytes, len, arena, out);
}

static int look_into_table(struct call *c, const struct ivr_data *d);

static int take_step(struct call *c, const struct ivr_input *input)
{
    const struct ivr_state *state = NULL;
    struct ivr_arena *arena = NULL;
    struct ivr_out out = {0};
    const struct ivr_env env = {.now_ms = c->now_ms,
                                .seed = 1,
                                .tenant = TENANT,
                                .session = "terminal",
                                .inbound = true,
                                .phone = c->phone->from,
                                .dialled = "",
                                .language = c->phone->language,
                                .contact = c->phone->contact,
                                .caps = IVR_CAP_ALL};

    int err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = copy_state(c->arena ? c->step.state : NULL, arena, &state);
    if (!err)
        err = ivr_step(c->flow->prog, &env, state, input, arena, &out);
    if (err) {
        ivr_arena_free(arena);
        return err;
    }
    if (out.verdict != IVR_OK) {
        printf("(that means nothing here)\n");
        ivr_arena_free(arena);
        return 0;
    }
    struct ivr_arena *before = c->arena;
    c->arena = arena;
    c->step = out;
    err = show_step(c);
    ivr_arena_free(before);
    const struct ivr_effect *last =
        c->step.effect_count > 0 ? &c->step.effects[c->step.effect_count - 1] : NULL;
    if (!err && last && last->kind == IVR_FX_DATA)
        err = look_into_table(c, &last->data);
    return err;
}

/* Once the step is shown: as other phones do it with the step's commit. */
static int look_into_table(struct call *c, const struct ivr_data *d)
{
    CLEANUP(table_result_free) struct table_result result = {0};
    struct errtext e = {0};

    table_memory_run(c->phone->tables, d, c->now_ms, &result, &e);
    if (e.text[0])
        printf("(%s)\n", e.text);
    const struct ivr_input in = table_result_input(&result, c->step.state->seq);
    return take_step(c, &in);
}

/* Keys wait until their entry is whole, or an empty line lets the time run out. */
static int press(struct call *c, char key)
{
    struct ivr_input input;

    ivr_keys_press(&c->keys, key, c->now_ms);
    if (ivr_keys_take(&c->keys, c->now_ms, c->step.state->seq, &input))
        return take_step(c, &input);
    printf("(pressed so far: %s; an empty line ends the entry)\n", c->keys.digits);
    return 0;
}

static int typed(struct call *c, const char *line, size_t len)
{
    struct ivr_parsed parsed = {0};
    struct ivr_input input;
    struct ivr_arena *arena = NULL;

    if (len == 0 && c->keys.armed) {
        c->now_ms = c->keys.due_at_ms;
        if (ivr_keys_take(&c->keys, c->now_ms, c->step.state->seq, &input))
            return take_step(c, &input);
    }
    int err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = c->sim->parse(line, len, c->step.state, arena, &parsed);
    if (err == EBADMSG) {
        printf("('%.*s' is nothing a phone does; --help lists what is)\n", (int)len,
               line);
        err = 0;
    } else if (!err && parsed.kind == IVR_PARSED_KEY) {
        err = press(c, parsed.key);
    } else if (!err && parsed.kind == IVR_PARSED_INPUT) {
        if (parsed.input.kind == IVR_IN_DEADLINE)
            c->now_ms = c->step.state->wait.deadline_at_ms;
        ivr_keys_clear(&c->keys);
        err = take_step(c, &parsed.input);
    }
    ivr_arena_free(arena);
    return err;
}

static void show_end(const struct call *c)
{
    const struct ivr_state *s = c->step.state;

    printf("ended: %s, after %u nodes\n", s->outcome, s->total_steps);
}

int flow_phone_call(const struct flow_source *f, const struct flow_phone *phone)
{
    struct call c = {.flow = f,
                     .phone = phone,
                     .sim = ivr_backend_find("sim"),
                     .now_ms = clock_now_ms()};
    char *line = NULL;
    size_t size = 0;

    int err = take_step(&c, &(struct ivr_input){.kind = IVR_IN_START});
    while (!err && c.step.state->status == IVR_WAITING) {
        if (isatty(STDIN_FILENO)) {
            fputs("> ", stdout);
            fflush(stdout);
        }
        ssize_t n = getline(&line, &size, stdin);
        if (n > 0 && line[n - 1] == '\n')
            n--;
        err = n < 0 ? take_step(&c, &(struct ivr_input){.kind = IVR_IN_HANGUP,
                                                        .token = c.step.state->seq})
                    : typed(&c, line, (size_t)n);
    }
    free(line);
    if (!err)
        show_end(&c);
    ivr_arena_free(c.arena);
    return err ? cli_fail("the flow cannot go on: %s", strerror(err)) : CLI_OK;
}
