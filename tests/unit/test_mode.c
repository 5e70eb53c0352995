/*
 * Modes on invented agents and calls. The adversary answers every call that has no agent,
 * hangs up late, takes agents away, and picks the worst moment for each; the limit is
 * looked at after every single thing that happens.
 */
#include "unit/cm.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/campaign.h"
#include "campaigns/mode.h"
#include "campaigns/mode_flow.h"
#include "compliance/policy.h"
#include "contacts/tz.h"

/* ---- the limit ---- */

static void credit_is_the_integer_form_of_the_law(void **state)
{
    (void)state;
    for (int64_t answered = 0; answered < 400; answered++)
        for (int64_t abandoned = 0; abandoned <= answered && abandoned < 20;
             abandoned++) {
            const struct mode_period p = {answered, abandoned};
            int64_t over = 3 * answered - 100 * abandoned;

            assert_int_equal(mode_credit(30000, 0, &p), over > 0 ? over / 97 : 0);
        }
}

static void the_margin_counts_as_abandoned_already(void **state)
{
    const struct mode_period p = {200, 1}, more = {200, 3};

    (void)state;
    assert_int_equal(mode_credit(30000, 2, &p), mode_credit(30000, 0, &more));
    assert_int_equal(mode_credit(30000, 1, &(struct mode_period){33, 0}), 0);
}

/* A small generator of our own: the same schedules on every machine. */
static uint64_t seed;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int below(int n)
{
    return n > 0 ? (int)(next() % (uint64_t)n) : 0;
}

struct world {
    struct mode_rules rules;
    int ready, reserved, busy;
    int64_t unbacked, answered, abandoned;
    struct mode_stats stats;
    int64_t most_unbacked;
};

/* True now, and also if every unbacked call in flight is answered and abandoned. */
static void assert_lawful(const struct world *w)
{
    assert_true(w->abandoned * 1000000 <= w->rules.limit_ppm * w->answered);
    assert_true((w->abandoned + w->unbacked) * 1000000 <=
                w->rules.limit_ppm * (w->answered + w->unbacked));
}

static void start_calls(struct world *w)
{
    struct mode_now now = {.ready = w->ready,
                           .reserved = w->reserved,
                           .busy = w->busy,
                           .unbacked = w->unbacked,
                           .stats = w->stats};
    struct mode_room room = {0};

    for (int i = 0; i < MODE_ANCHORS; i++)
        now.periods[i] = (struct mode_period){w->answered, w->abandoned};
    mode_room(&w->rules, &now, &room);
    assert_in_range(room.backed, 0, w->ready);
    assert_true(room.unbacked >= 0);
    w->ready -= room.backed;
    w->reserved += room.backed;
    w->unbacked += room.unbacked;
    if (w->unbacked > w->most_unbacked)
        w->most_unbacked = w->unbacked;
}

static void end_backed(struct world *w, bool answered)
{
    if (w->reserved == 0)
        return;
    w->reserved--;
    w->stats.ended++;
    if (answered) {
        w->stats.answered++;
        w->answered++;
        w->busy++;
    } else {
        w->ready++;
    }
}

/* Nobody is there for it, or it takes the agent of a call that still rings. */
static void answer_unbacked(struct world *w, bool abandoned)
{
    if (w->unbacked == 0)
        return;
    w->stats.ended++;
    w->stats.answered++;
    w->answered++;
    if (abandoned || (w->ready == 0 && w->reserved == 0)) {
        w->abandoned++;
        w->unbacked--;
    } else if (w->ready > 0) {
        w->ready--;
        w->busy++;
        w->unbacked--;
    } else {
        w->reserved--; /* that call is the unbacked one now */
        w->busy++;
    }
}

static void something_happens(struct world *w, bool adversary)
{
    switch (below(7)) {
    case 0:
    case 1:
        start_calls(w);
        break;
    case 2:
        end_backed(w, below(3) > 0);
        break;
    case 3:
        answer_unbacked(w, adversary || below(40) == 0);
        break;
    case 4:
        if (!adversary && w->unbacked > 0) { /* not answered */
            w->unbacked--;
            w->stats.ended++;
        }
        break;
    case 5:
        if (w->busy > 0) {
            w->busy--;
            w->ready++;
        }
        break;
    default:
        if (w->ready > 0 && below(4) == 0) /* goes home */
            w->ready--;
        else if (below(4) == 0 && w->ready + w->reserved + w->busy < 40)
            w->ready++;
    }
}

static void run_world(enum mode_kind kind, bool adversary, int64_t *most)
{
    struct world w = {.ready = 1 + below(20)};

    mode_rules_default(&w.rules);
    w.rules.kind = kind;
    w.rules.ratio = 1 + below(90) / 10.0;
    w.rules.limit_ppm = 1000 * (1 + below(30));
    w.rules.margin = below(3);
    w.stats =
        (struct mode_stats){.ring_ms = 1 + below(20000), .talk_ms = 1 + below(90000)};
    for (int i = 0; i < 4000; i++) {
        something_happens(&w, adversary);
        assert_lawful(&w);
    }
    /* At last every one that is in flight is answered at once. */
    while (w.unbacked > 0) {
        answer_unbacked(&w, true);
        assert_lawful(&w);
    }
    if (w.most_unbacked > *most)
        *most = w.most_unbacked;
}

static void no_schedule_of_an_adversary_breaks_the_limit(void **state)
{
    int64_t most = 0;

    (void)state;
    for (int i = 1; i <= 300; i++) {
        seed = (uint64_t)i * 0x9e3779b97f4a7c15U;
        run_world(i % 2 ? MODE_RATIO : MODE_PREDICTIVE, i % 3 > 0, &most);
    }
    assert_true(most >= 3); /* it has really used its credit */
}

static void a_campaign_begins_one_to_one(void **state)
{
    struct mode_now now = {.ready = 5};
    struct mode_rules rules;
    struct mode_room room;

    (void)state;
    mode_rules_default(&rules);
    for (int kind = MODE_PROGRESSIVE; kind < MODE_KINDS; kind++) {
        rules.kind = (enum mode_kind)kind;
        rules.ratio = 3;
        mode_room(&rules, &now, &room);
        assert_int_equal(room.backed, 5);
        assert_int_equal(room.unbacked, 0);
    }
}

static struct mode_now calm(void)
{
    struct mode_now now = {.ready = 2, .reserved = 3, .busy = 4};

    for (int i = 0; i < MODE_ANCHORS; i++)
        now.periods[i] = (struct mode_period){10000, 0};
    now.stats = (struct mode_stats){
        .ended = 199, .answered = 49, .ring_ms = 10000, .talk_ms = 40000};
    return now;
}

static void progressive_never_calls_without_an_agent(void **state)
{
    struct mode_now now = calm();
    struct mode_rules rules;
    struct mode_room room;

    (void)state;
    mode_rules_default(&rules);
    rules.kind = MODE_PROGRESSIVE;
    rules.ratio = 9;
    mode_room(&rules, &now, &room);
    assert_int_equal(room.backed, 2);
    assert_int_equal(room.unbacked, 0);
}

static void a_ratio_is_calls_in_flight_to_free_agents(void **state)
{
    struct mode_now now = calm();
    struct mode_rules rules;
    struct mode_room room;

    (void)state;
    mode_rules_default(&rules);
    rules.kind = MODE_RATIO;
    rules.ratio = 2.5; /* 12 for 5 agents */
    now.unbacked = 4;
    mode_room(&rules, &now, &room);
    assert_int_equal(room.backed, 2);
    assert_int_equal(room.unbacked, 12 - 2 - 3 - 4);
}

static void predictive_calls_for_one_answer_an_agent(void **state)
{
    struct mode_now now = calm();
    struct mode_rules rules;
    struct mode_room room;

    (void)state;
    mode_rules_default(&rules);
    rules.kind = MODE_PREDICTIVE;
    /* 5 agents and one of the four in talk soon, a quarter of the calls is answered: 24.
     */
    mode_room(&rules, &now, &room);
    assert_int_equal(room.backed, 2);
    assert_int_equal(room.unbacked, 24 - 2 - 3);
    now.stats.ended = 5; /* too few to know */
    now.stats.answered = 1;
    mode_room(&rules, &now, &room);
    assert_int_equal(room.unbacked, 0);
}

static void the_strictest_period_holds_and_none_is_used_at_its_end(void **state)
{
    struct mode_now now = calm();
    struct mode_rules rules;
    struct mode_room room;

    (void)state;
    mode_rules_default(&rules);
    rules.kind = MODE_RATIO;
    rules.ratio = 10;
    now.periods[MODE_CALENDAR_DAY] = (struct mode_period){200, 1}; /* k = 2 at 2 % */
    mode_room(&rules, &now, &room);
    assert_int_equal(room.unbacked, 2);
    now.period_ends = true;
    mode_room(&rules, &now, &room);
    assert_int_equal(room.unbacked, 0);
    assert_int_equal(room.backed, 2);
}

/* ---- periods ---- */

static int64_t period(enum mode_anchor a, const char *zone, int64_t at_ms)
{
    int64_t p = -1;

    assert_int_equal(mode_period_of(a, zone, INT64_C(1795507200000), at_ms, &p), 0);
    return p;
}

static void periods_are_anchored(void **state)
{
    const int64_t t0 = INT64_C(1795507200000); /* 2026-11-24 08:00 UTC */
    const int64_t day = INT64_C(86400) * 1000;
    int64_t p = 0;

    (void)state;
    assert_int_equal(period(MODE_CAMPAIGN_30D, "UTC", t0), 0);
    assert_int_equal(period(MODE_CAMPAIGN_30D, "UTC", t0 + 30 * day - 1), 0);
    assert_int_equal(period(MODE_CAMPAIGN_30D, "UTC", t0 + 30 * day), 1);
    /* Midnight in Toronto is 05:00 UTC. */
    int64_t today = period(MODE_CALENDAR_DAY, "America/Toronto", t0);
    int64_t midnight = t0 + 21 * INT64_C(3600) * 1000;
    assert_int_equal(period(MODE_CALENDAR_DAY, "America/Toronto", midnight - 1), today);
    assert_int_equal(period(MODE_CALENDAR_DAY, "America/Toronto", midnight), today + 1);
    int64_t month = period(MODE_CALENDAR_MONTH, "UTC", t0);
    assert_int_equal(period(MODE_CALENDAR_MONTH, "UTC", t0 + 7 * day), month + 1);
    assert_int_equal(period(MODE_CALENDAR_MONTH, "UTC", t0 + 6 * day), month);
    assert_int_equal(mode_period_of(MODE_CALENDAR_DAY, "Moon/Tranquillity", t0, t0, &p),
                     EINVAL);
}

/* ---- agents ---- */

static void orders_act_after_the_call_that_is_an_agents(void **state)
{
    bool after = false;

    (void)state;
    assert_int_equal(agent_after(AGENT_LOGGED_OUT, AGENT_LOGIN, &after), AGENT_READY);
    assert_false(after);
    assert_int_equal(agent_after(AGENT_READY, AGENT_LOGIN, &after), AGENT_STATES);
    assert_int_equal(agent_after(AGENT_READY, AGENT_PAUSE, &after), AGENT_PAUSED);
    assert_int_equal(agent_after(AGENT_RESERVED, AGENT_PAUSE, &after), AGENT_PAUSED);
    assert_true(after);
    assert_int_equal(agent_after(AGENT_ON_CALL, AGENT_LOGOUT, &after), AGENT_LOGGED_OUT);
    assert_true(after);
    assert_int_equal(agent_after(AGENT_WRAP_UP, AGENT_RESUME, &after), AGENT_READY);
    assert_false(after);
    assert_int_equal(agent_after(AGENT_LOGGED_OUT, AGENT_PAUSE, &after), AGENT_STATES);
    for (int i = 0; i < AGENT_STATES; i++) {
        enum agent_state parsed = AGENT_STATES;
        assert_true(agent_state_parse(agent_state_name((enum agent_state)i), &parsed));
        assert_int_equal(parsed, i);
    }
    enum agent_state none;
    assert_false(agent_state_parse("asleep", &none));
}

/* ---- the document ---- */

static int parse(const char *mode, struct campaign_doc **doc, struct campaign_issues *is)
{
    char text[600];

    int n =
        snprintf(text, sizeof(text),
                 "{\"name\":\"c\",\"list\":\"l\",\"flow\":\"f\",\"trunk\":\"t\"%s%s%s}",
                 strstr(mode, "nobody") ? "" : ",\"caller_id\":\"+251115550100\"",
                 *mode ? ",\"mode\":" : "", mode);
    assert_in_range(n, 1, sizeof(text) - 1);
    return campaign_doc_parse(doc, text, (size_t)n, is);
}

static void a_document_says_its_mode(void **state)
{
    struct campaign_doc *doc = NULL;
    struct campaign_issues is;

    (void)state;
    assert_int_equal(parse("", &doc, &is), 0);
    assert_int_equal(doc->mode.kind, MODE_FIXED);
    assert_int_equal(doc->policy->dial, DIAL_PROGRESSIVE);
    campaign_doc_free(doc);
    assert_int_equal(parse("{\"kind\":\"ratio\",\"queue\":\"sales\",\"ratio\":1.5,"
                           "\"abandon_limit\":1.25,\"timezone\":\"America/Toronto\"}",
                           &doc, &is),
                     0);
    assert_int_equal(doc->mode.kind, MODE_RATIO);
    assert_string_equal(doc->mode.queue, "sales");
    assert_int_equal(doc->mode.limit_ppm, 12500);
    assert_int_equal(doc->mode.margin, 1);
    assert_int_equal(doc->policy->dial, DIAL_PREDICTIVE);
    campaign_doc_free(doc);
}

static void a_mode_that_cannot_work_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *mode, *pointer, *text;
    } bad[] = {
        {"{\"kind\":\"progressive\"}", "/mode", "needs the queue"},
        {"{\"kind\":\"fixed\",\"queue\":\"sales\"}", "/mode/queue", "no agents"},
        {"{\"kind\":\"predictiv\",\"queue\":\"s\"}", "/mode/kind", "one of"},
        {"{\"queue\":\"s\"}", "/mode", "'kind' is missing"},
        {"{\"kind\":\"predictive\",\"queue\":\"s\",\"abandon_limit\":3.5}",
         "/mode/abandon_limit", "allowed is 0 to 3"},
        {"{\"kind\":\"predictive\",\"queue\":\"s\",\"ratio\":2}", "/mode/ratio",
         "kind ratio alone"},
        {"{\"kind\":\"ratio\",\"queue\":\"nobody\"}", "/mode", "needs 'caller_id'"},
        {"{\"kind\":\"progressive\",\"queue\":\"s\",\"timezone\":\"Mars\"}",
         "/mode/timezone", "no such time zone"},
    };
    struct campaign_doc *doc = NULL;
    struct campaign_issues is;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(parse(bad[i].mode, &doc, &is), EINVAL);
        assert_string_equal(is.at[0].pointer, bad[i].pointer);
        assert_non_null(strstr(is.at[0].text, bad[i].text));
    }
}

/* Published flows, by name. */
static const struct {
    const char *name, *text;
} published[] = {
    {"agents",
     "{\"name\":\"agents\",\"entry\":\"q\",\"nodes\":{\"q\":{\"kind\":\"queue\","
     "\"queue\":\"sales\",\"exits\":{\"served\":\"end\",\"full\":\"end\","
     "\"failed\":\"end\"}}}}"},
    {"quiet", "{\"name\":\"quiet\",\"entry\":\"s\",\"nodes\":{\"s\":{\"kind\":\"set\","
              "\"exits\":{\"done\":\"end\"}}}}"},
    {"drops",
     "{\"name\":\"drops\",\"entry\":\"h\",\"nodes\":{\"h\":{\"kind\":\"hangup\"}}}"},
    {"speaks", "{\"name\":\"speaks\",\"entry\":\"s\",\"nodes\":{\"s\":{\"kind\":\"say\","
               "\"prompt\":\"p\",\"exits\":{\"done\":\"end\"}}}}"},
    {"round",
     "{\"name\":\"round\",\"entry\":\"r\",\"nodes\":{\"r\":{\"kind\":\"subflow\","
     "\"flow\":\"round\",\"exits\":{\"done\":\"end\"}}}}"},
};

static int resolve(const char *name, const char *sha256, const char **text, size_t *len,
                   void *arg)
{
    (void)sha256;
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(published); i++)
        if (strcmp(published[i].name, name) == 0) {
            *text = published[i].text;
            *len = strlen(*text);
            return 0;
        }
    return ENOENT;
}

static bool leads(const char *flow, const char *queue)
{
    return mode_flow_leads_to(
        &(struct mode_flow){.source = flow, .queue = queue, .resolve = resolve});
}

static void a_flow_must_lead_to_the_queue(void **state)
{
    static const char flow[] = "{\"nodes\":{\"a\":{\"kind\":\"say\"},\"q\":{\"kind\":"
                               "\"queue\",\"queue\":\"sales\"}}}";
    static const char sub[] =
        "{\"nodes\":{\"s\":{\"kind\":\"subflow\",\"flow\":\"agents\"},\"r\":{"
        "\"kind\":\"subflow\",\"flow\":\"round\"}}}";

    (void)state;
    assert_true(leads(flow, "sales"));
    assert_false(leads(flow, "help"));
    assert_false(leads("{\"nodes\":{}}", "sales"));
    assert_true(leads(sub, "sales"));
    assert_false(leads(sub, "help"));
}

#define QUEUE(full, failed)                                                              \
    "\"q\":{\"kind\":\"queue\",\"queue\":\"sales\",\"exits\":{\"served\":\"end\","       \
    "\"full\":"                                                                          \
    "\"" full "\",\"failed\":\"" failed "\"}}"

#define SORRY "\"sorry\":{\"kind\":\"hangup\",\"prompt\":\"p\"}"

#define SUB(flow, then)                                                                  \
    "\"sub\":{\"kind\":\"subflow\",\"flow\":\"" flow "\",\"exits\":{\"done\":\"" then    \
    "\",\"failed\":\"sorry\"}}"

static void who_is_abandoned_hears_something_on_every_way(void **state)
{
    static const struct {
        const char *nodes, *exit; /* NULL: something is heard */
    } flows[] = {
        {QUEUE("sorry", "sorry") "," SORRY, NULL},
        {QUEUE("end", "sorry") "," SORRY, "full"},
        {QUEUE("sorry", "end") "," SORRY, "failed"},
        /* By a branch: one of its ways says nothing. */
        {QUEUE("b", "sorry") "," SORRY
                             ",\"b\":{\"kind\":\"branch\",\"exits\":{\"x\":\"sorry\","
                             "\"default\":\"bye\"}},\"bye\":{\"kind\":\"hangup\"}",
         "full"},
        {QUEUE("b", "sorry") "," SORRY
                             ",\"b\":{\"kind\":\"branch\",\"exits\":{\"x\":\"sorry\","
                             "\"default\":\"s\"}},\"s\":{\"kind\":\"set\",\"exits\":{"
                             "\"done\":\"sorry\"}}",
         NULL},
        /* Back to the agents who are not there, or for ever round and round. */
        {QUEUE("q", "sorry") "," SORRY, "full"},
        /* By what a sub-flow says, or does not. */
        {QUEUE("sub", "sorry") "," SORRY "," SUB("speaks", "end"), NULL},
        {QUEUE("sub", "sorry") "," SORRY "," SUB("quiet", "sorry"), NULL},
        {QUEUE("sub", "sorry") "," SORRY "," SUB("quiet", "end"), "full"},
        {QUEUE("sub", "sorry") "," SORRY "," SUB("drops", "sorry"), "full"},
        {QUEUE("sub", "sorry") "," SORRY "," SUB("unpublished", "sorry"), "full"},
        {QUEUE("sub", "sorry") "," SORRY "," SUB("round", "sorry"), "full"},
        /* The queue is in one, and its caller goes on. */
        {SORRY "," SUB("agents", "sorry"), NULL},
        {SORRY "," SUB("agents", "end"), "full"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
        struct mode_silence silence = {0};
        char flow[1100];

        snprintf(flow, sizeof(flow), "{\"nodes\":{%s}}", flows[i].nodes);
        struct mode_flow f = {.source = flow, .queue = "other", .resolve = resolve};
        assert_false(mode_flow_is_silent(&f, &silence));
        f.queue = "sales";
        bool silent = mode_flow_is_silent(&f, &silence);
        if (silent != (flows[i].exit != NULL))
            fail_msg("%s", flow);
        if (silent) {
            assert_string_equal(silence.node, "q");
            assert_string_equal(silence.exit, flows[i].exit);
            assert_string_equal(silence.flow, strstr(flow, "agents") ? "agents" : "");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_abandoned_hears_something_on_every_way),
        cmocka_unit_test(credit_is_the_integer_form_of_the_law),
        cmocka_unit_test(the_margin_counts_as_abandoned_already),
        cmocka_unit_test(no_schedule_of_an_adversary_breaks_the_limit),
        cmocka_unit_test(a_campaign_begins_one_to_one),
        cmocka_unit_test(progressive_never_calls_without_an_agent),
        cmocka_unit_test(a_ratio_is_calls_in_flight_to_free_agents),
        cmocka_unit_test(predictive_calls_for_one_answer_an_agent),
        cmocka_unit_test(the_strictest_period_holds_and_none_is_used_at_its_end),
        cmocka_unit_test(periods_are_anchored),
        cmocka_unit_test(orders_act_after_the_call_that_is_an_agents),
        cmocka_unit_test(a_document_says_its_mode),
        cmocka_unit_test(a_flow_must_lead_to_the_queue),
        cmocka_unit_test(a_mode_that_cannot_work_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
