#include "server/text_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/call_effects.h"
#include "campaigns/call_store.h"
#include "campaigns/flow_store.h"

enum {
    ANSWERS_MAX = 50,    /* of tables, to one input */
    SPOKEN_MS = 70,      /* a character, when it is read out */
    FIRST_INPUT_MS = 15, /* until a page has shown it */
    DUE_MAX = 200,
    NO_SLOT = -1, /* of no dialer */
};

/* Only what happens by rows: nothing is heard, recorded or dialled here. */
enum { CAPS = IVR_CAP_SMS | IVR_CAP_CALLBACK | IVR_CAP_TRANSFER };

/* ---- opening ---- */

static int load_program(struct text_call *c)
{
    CLEANUP(free_cleanup) char *source = NULL;
    struct flow_row row;

    c->program =
        programs_find(c->server->programs, c->row.flow_sha256, c->row.flow_revision_id);
    if (c->program)
        return 0;
    int err = flow_load(c->pg, c->row.tenant_id, c->row.flow_revision_id, &row, &source);
    const struct program_source of = {source, c->row.flow_sha256,
                                      c->row.flow_revision_id};
    return err ? err
               : programs_get(c->server->programs, c->pg, c->row.tenant_id, &of,
                              &c->program);
}

static int open_row(struct text_call *c)
{
    int64_t number = 0;
    const char *text = c->row.caller_number;

    uuid_text(&c->row.call, c->id);
    if (str_to_i64(*text == '+' ? text + 1 : text, &number) && number > 0)
        phone_text(number, c->phone);
    int err = ivr_arena_new(&c->arena, NULL);
    if (!err)
        err = load_program(c);
    if (!err && c->row.state)
        err = ivr_state_read(c->row.state, c->row.state_len, c->arena, &c->state);
    return err;
}

int text_call_open(struct text_call *c, int tenant_id, const char *public_id)
{
    int err = text_call_find(c->pg, tenant_id, public_id, &c->row);

    return err ? err : open_row(c);
}

void text_call_close(struct text_call *c)
{
    ivr_arena_free(c->arena);
    table_result_free(&c->data);
    program_release(c->program);
    text_call_row_free(&c->row);
    *c = (struct text_call){0};
}

/* ---- a step ---- */

static uint64_t seed_of(const struct uuid *id)
{
    uint64_t seed;

    memcpy(&seed, id->bytes + 8, sizeof(seed));
    return seed;
}

static int64_t number_of(const struct text_call *c)
{
    int64_t n = 0;

    return c->phone[0] && str_to_i64(c->phone + 1, &n) ? n : 0;
}

static int finish(struct text_call *c, const char *outcome)
{
    return call_finish(c->pg, &(struct call_end){.id = c->row.call,
                                                 .tenant_id = c->row.tenant_id,
                                                 .at_ms = c->now_ms,
                                                 .outcome = outcome});
}

static int commit(struct text_call *c, const struct ivr_out *out)
{
    const bool ended = out->state->status == IVR_ENDED;
    CLEANUP(call_effects_free)
    struct call_effects e = {.call = c->id,
                             .recording = "",
                             .source = "simulated",
                             .location = "",
                             .inbound = true};
    struct call_step step = {.call_id = c->row.call,
                             .tenant_id = c->row.tenant_id,
                             .at_ms = c->now_ms,
                             .phone = number_of(c),
                             .seq = (int)out->state->seq,
                             .status = ended ? "ended" : "waiting"};
    const uint8_t *bytes;

    int err = ivr_state_write(out->state, c->arena, &bytes, &step.state_len);
    if (err)
        return err;
    step.state = bytes;
    call_effects_fill(&e, out, &step);
    err = call_commit_step(c->pg, &step);
    table_result_free(&c->data);
    c->data = e.data_result;
    e.data_result.row = NULL;
    return err || !ended ? err : finish(c, out->state->outcome);
}

static int step(struct text_call *c, const struct ivr_input *in)
{
    const struct ivr_env env = {.now_ms = c->now_ms,
                                .seed = seed_of(&c->row.call),
                                .tenant = c->row.tenant_id,
                                .session = c->id,
                                .inbound = true,
                                .phone = c->phone,
                                .dialled = "",
                                .language = c->row.language,
                                .caps = CAPS};
    const struct ivr_out before = c->out;

    int err = ivr_step(program_of(c->program), &env, c->state, in, c->arena, &c->out);
    if (err)
        return err;
    if (c->out.verdict != IVR_OK)
        return c->out.verdict == IVR_CORRUPT || c->out.verdict == IVR_PIN_MISMATCH
                   ? EPROTO
                   : ENODATA;
    c->state = c->out.state;
    err = commit(c, &c->out);
    return err || in->kind != IVR_IN_DATA_DONE
               ? err
               : ivr_out_follow(&before, &c->out, c->arena);
}

/* The step, and those that a table's answers lead to. */
static int step_on(struct text_call *c, const struct ivr_input *in)
{
    int err = step(c, in);

    for (int i = 0;
         !err && c->state->status == IVR_WAITING && c->state->wait.kind == IVR_WAIT_DATA;
         i++) {
        const struct ivr_input said = table_result_input(&c->data, c->state->seq);
        err = i < ANSWERS_MAX ? step(c, &said) : ELOOP;
    }
    return err;
}

static const struct ivr_effect *find_effect(const struct text_call *c,
                                            enum ivr_effect_kind kind)
{
    for (size_t i = 0; i < c->out.effect_count; i++)
        if (c->out.effects[i].kind == kind)
            return &c->out.effects[i];
    return NULL;
}

/* ---- what is kept beside the state ---- */

static json_t *variables_of(const struct text_call *c)
{
    json_t *all = json_object();

    for (size_t i = 0; i < c->state->var_count; i++) {
        const struct ivr_value *v = &c->state->vars[i].value;
        json_t *value = v->type == IVR_TEXT   ? json_string(v->text)
                        : v->type == IVR_INT  ? json_integer(v->i)
                        : v->type == IVR_BOOL ? json_boolean(v->i != 0)
                                              : NULL;
        if (value)
            json_object_set_new(all, c->state->vars[i].name, value);
    }
    return all;
}

static void came_to(struct text_call *c)
{
    const struct ivr_effect *collect = find_effect(c, IVR_FX_COLLECT);
    const char *menu = ivr_state_node(program_of(c->program), c->state);
    int64_t spoken_ms = 0;

    for (size_t i = 0; i < c->out.effect_count; i++) {
        const struct ivr_effect *fx = &c->out.effects[i];
        if (fx->kind == IVR_FX_PROMPT)
            spoken_ms += (int64_t)strlen(fx->prompt.text) * SPOKEN_MS;
        c->not_taken |=
            fx->kind == IVR_FX_PROMPT && fx->prompt.part == IVR_PART_NOT_TAKEN;
    }
    c->row.input_buffer[0] = '\0';
    if (*menu && !str_is(menu, c->row.current_menu)) {
        str_cut(c->row.current_menu, sizeof(c->row.current_menu), menu);
        json_array_append_new(c->row.menu_path, json_string(menu));
    }
    json_decref(c->row.variables);
    c->row.variables = variables_of(c);
    c->row.ended = c->state->status == IVR_ENDED;
    c->row.due_at_ms =
        collect && !c->row.ended
            ? c->now_ms + spoken_ms + collect->collect.first_ms + FIRST_INPUT_MS
            : 0;
    json_decref(c->row.unheard);
    c->row.unheard = NULL;
}

static void note_input(struct text_call *c, const char *text)
{
    struct ivr_collect k;
    bool secret = text_call_entry(c, &k) && k.sensitive && !strchr("*#", *text);

    if (json_array_size(c->row.inputs) < TEXT_CALL_INPUTS_MAX)
        json_array_append_new(c->row.inputs, json_string(secret ? "*" : text));
}

static int feed(struct text_call *c, struct ivr_input *in)
{
    in->token = c->state ? c->state->seq : 0;
    c->not_taken = c->transferred = false;
    int err = step_on(c, in);
    if (err)
        return err;
    came_to(c);
    if (!find_effect(c, IVR_FX_DIAL))
        return 0;
    /* Whoever is put through is gone from here. */
    const struct ivr_out heard = c->out;
    struct ivr_input gone = {.kind = IVR_IN_HANGUP, .token = c->state->seq};
    c->transferred = true;
    c->row.ended = true;
    c->row.due_at_ms = 0;
    err = step(c, &gone);
    c->out = heard;
    return err;
}

/* ---- what happens ---- */

int text_call_begin(struct text_call *c, int tenant_id, const char *flow,
                    const char *caller_number, const char *wanted)
{
    struct text_call_row *r = &c->row;
    struct ivr_input in = {.kind = IVR_IN_START};
    struct call_context context = {0};
    struct errtext ignored = {0};
    struct flow_row f;

    int err = flow_find(c->pg, tenant_id, flow, &f, &ignored);
    if (err)
        return err;
    *r = (struct text_call_row){.call = uuid_v7(c->now_ms),
                                .tenant_id = tenant_id,
                                .flow_revision_id = f.revision_id,
                                .menu_path = json_array(),
                                .inputs = json_array(),
                                .variables = json_object()};
    str_cut(r->flow_sha256, sizeof(r->flow_sha256), f.sha256);
    str_cut(r->caller_number, sizeof(r->caller_number), caller_number);
    str_cut(r->public_id, sizeof(r->public_id), wanted);
    err = open_row(c);
    if (err)
        return err;
    err = call_begin(c->pg,
                     &(struct call_start){.id = r->call,
                                          .tenant_id = tenant_id,
                                          .inbound = true,
                                          .phone = number_of(c),
                                          .extension = flow,
                                          .flow_revision_id = f.revision_id,
                                          .slot = NO_SLOT,
                                          .at_ms = c->now_ms},
                     &context);
    if (err)
        return err;
    str_cut(r->language, sizeof(r->language), context.language);
    call_context_free(&context);
    err = *wanted ? text_call_add(c->pg, r, c->now_ms) : EEXIST;
    if (err == EEXIST) {
        snprintf(r->public_id, sizeof(r->public_id), "CALL_%s", c->id);
        err = text_call_add(c->pg, r, c->now_ms);
    }
    return err ? err : feed(c, &in);
}

/* A key that is an entry of its own. */
static bool is_whole(const struct ivr_collect *k, char key)
{
    return k->own_max <= 1 || key == '*' || strchr(k->finish, key) ||
           !strchr("0123456789", key);
}

int text_call_key(struct text_call *c, char key, bool *collected)
{
    struct ivr_input in = {.kind = IVR_IN_DIGITS};
    struct ivr_collect k = {.finish = ""};
    char digits[IVR_DIGITS_MAX + 2] = "";
    const char text[2] = {key, '\0'};
    size_t n = strlen(c->row.input_buffer);

    *collected = false;
    if (!text_call_entry(c, &k))
        return ENODATA;
    note_input(c, text);
    bool finishes = k.own_max > 1 && strchr(k.finish, key);
    if (!is_whole(&k, key) && n < IVR_DIGITS_MAX) {
        c->row.input_buffer[n] = key;
        c->row.input_buffer[n + 1] = '\0';
        c->row.due_at_ms = c->now_ms + k.first_ms + FIRST_INPUT_MS;
        *collected = true;
        return 0;
    }
    if (finishes)
        str_cut(digits, sizeof(digits), c->row.input_buffer);
    else
        str_cut(digits, sizeof(digits), text);
    in.keys.digits = digits;
    in.keys.finish = (char)(finishes ? key : '\0');
    return feed(c, &in);
}

int text_call_say(struct text_call *c, const char *words)
{
    struct ivr_input in = {.kind = IVR_IN_SAID};

    note_input(c, words);
    in.said.text = words;
    return feed(c, &in);
}

int text_call_silence(struct text_call *c)
{
    struct ivr_input in = {.kind = IVR_IN_NO_INPUT};

    return feed(c, &in);
}

int text_call_hang_up(struct text_call *c)
{
    struct ivr_input in = {.kind = IVR_IN_HANGUP};

    if (c->row.ended || !c->state || c->state->status == IVR_ENDED)
        return 0;
    int err = feed(c, &in);
    c->row.ended = true;
    c->row.due_at_ms = 0;
    return err;
}

int text_call_keep(struct text_call *c)
{
    return text_call_write(c->pg, &c->row, c->now_ms);
}

/* ---- what is told ---- */

void text_call_heard(const struct text_call *c, enum ivr_part part, struct buf *out)
{
    for (size_t i = 0; i < c->out.effect_count; i++) {
        const struct ivr_effect *fx = &c->out.effects[i];
        if (fx->kind == IVR_FX_PROMPT && fx->prompt.part == part && *fx->prompt.text)
            buf_printf(out, "%s%s", out->len ? " " : "", fx->prompt.text);
    }
}

const struct ivr_effect *text_call_end(const struct text_call *c)
{
    return find_effect(c, IVR_FX_HANGUP);
}

bool text_call_entry(const struct text_call *c, struct ivr_collect *out)
{
    return c->state && ivr_state_entry(program_of(c->program), c->state, out);
}

/* ---- silence ---- */

static json_t *unheard_of(const struct text_call *c)
{
    CLEANUP(buf_free) struct buf told = {0}, asked = {0};

    text_call_heard(c, IVR_PART_NOT_TAKEN, &told);
    text_call_heard(c, IVR_PART_TOLD, &told);
    text_call_heard(c, IVR_PART_ASKED, &asked);
    return json_pack("{s:s, s:s}", "message", told.data ? told.data : "", "prompt",
                     asked.data ? asked.data : "");
}

static int one_is_silent(struct text_call *c, int tenant_id, const char *public_id)
{
    int err = text_call_open(c, tenant_id, public_id);

    if (err || c->row.ended || c->row.due_at_ms == 0 || c->row.due_at_ms > c->now_ms)
        return err;
    err = text_call_silence(c);
    if (!err)
        c->row.unheard = unheard_of(c);
    return err ? err : text_call_keep(c);
}

static void tenant_is_silent(struct server *s, struct pg *pg, int tenant_id)
{
    char(*ids)[TEXT_CALL_ID_MAX] = xcalloc(DUE_MAX, TEXT_CALL_ID_MAX);
    const int64_t now_ms = clock_now_ms();
    size_t n = 0;

    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, text_calls_due(pg, tenant_id, now_ms, ids, DUE_MAX, &n));
    for (size_t i = 0; !err && i < n; i++) {
        CLEANUP(text_call_close)
        struct text_call c = {.server = s, .pg = pg, .now_ms = now_ms};
        err = pg_begin(pg, tenant_id);
        if (!err)
            err = pg_end(pg, one_is_silent(&c, tenant_id, ids[i]));
        if (err == ENOENT || err == ENODATA)
            err = 0;
    }
    if (err && pg_is_connected(pg)) /* else the lease's renewal says so */
        log_warn("text_call", "tenant=%d err=%d its silent calls wait on", tenant_id,
                 err);
    free(ids);
}

void text_calls_sweep(struct server *s, int tenant_id)
{
    struct pg *pg = pg_pool_take(s->pool);

    tenant_is_silent(s, pg, tenant_id);
    pg_pool_give(s->pool, pg);
}
