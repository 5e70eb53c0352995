#include "dialer/listening.h"

#include <stdlib.h>

#include <uv.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "dialer/dialer.h"

struct listening {
    struct dialer *dialer;
    struct uuid attempt;
    struct machine_rule rule;
    struct machine_ear ear;
    enum machine_verdict verdict;
    bool over;
    int64_t heard_ms; /* business time of the latest news: the clock may be behind it */
    listening_fn *told;
    uv_timer_t timer;
};

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void listening_free(struct listening *l)
{
    if (!l || uv_is_closing((uv_handle_t *)&l->timer))
        return;
    l->over = true;
    uv_close((uv_handle_t *)&l->timer, on_closed);
}

static void on_timer(uv_timer_t *timer);

static void ask_at(struct listening *l, int64_t at_ms, int64_t now_ms)
{
    int64_t left = at_ms > now_ms ? clock_real_delay_ms(at_ms - now_ms) : 0;

    uv_timer_start(&l->timer, on_timer, (uint64_t)left, 0);
}

static void look(struct listening *l, int64_t now_ms)
{
    int64_t again_ms = now_ms;

    if (l->verdict == MACHINE_OPEN) {
        l->verdict = machine_judge(&l->ear, &l->rule, now_ms, &again_ms);
        if (l->verdict == MACHINE_OPEN) {
            ask_at(l, again_ms, now_ms);
            return;
        }
        uv_timer_stop(&l->timer);
        l->told(l->dialer, &l->attempt, l->verdict, false);
    }
    /* Freed meanwhile: its memory lives until the loop has closed the timer. */
    if (l->over || l->verdict != MACHINE_MACHINE || l->rule.action != MACHINE_MESSAGE)
        return;
    if (!machine_records(&l->ear, &l->rule, now_ms, &again_ms)) {
        ask_at(l, again_ms, now_ms);
        return;
    }
    uv_timer_stop(&l->timer);
    l->told(l->dialer, &l->attempt, l->verdict, true);
}

static int64_t now_of(const struct listening *l)
{
    int64_t now_ms = clock_now_ms();

    return now_ms > l->heard_ms ? now_ms : l->heard_ms;
}

static void on_timer(uv_timer_t *timer)
{
    struct listening *l = timer->data;

    look(l, now_of(l));
}

struct listening *listening_new(struct dialer *d, const struct uuid *attempt,
                                const struct machine_rule *rule, listening_fn *told)
{
    struct listening *l = xcalloc(1, sizeof(*l));
    int64_t again_ms = 0;

    l->dialer = d;
    l->attempt = *attempt;
    l->rule = *rule;
    l->told = told;
    l->heard_ms = clock_now_ms();
    machine_answered(&l->ear, l->heard_ms);
    uv_timer_init(d->loop, &l->timer);
    l->timer.data = l;
    (void)machine_judge(&l->ear, &l->rule, l->heard_ms, &again_ms);
    ask_at(l, again_ms, l->heard_ms);
    return l;
}

/* News are judged at their own time: what a late loop adds says nothing of who spoke. */
static void heard(struct listening *l, int64_t at_ms)
{
    if (l->over)
        return;
    if (at_ms > l->heard_ms)
        l->heard_ms = at_ms;
    look(l, l->heard_ms);
}

void listening_talk(struct listening *l, bool talking, int64_t at_ms)
{
    machine_talk(&l->ear, talking, at_ms);
    heard(l, at_ms);
}

void listening_beep(struct listening *l, int64_t at_ms)
{
    machine_beep(&l->ear, at_ms);
    heard(l, at_ms);
}
