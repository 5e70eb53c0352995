#include "campaigns/budget.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t micros_per_unit = 1000000;

static int64_t round_up(int64_t n, int64_t part)
{
    return part > 0 ? (n + part - 1) / part * part : n;
}

void budget_add(const struct budget *b, struct budget_spent *s, int64_t talk_ms)
{
    int64_t seconds = talk_ms > 0 ? round_up((talk_ms + 999) / 1000, b->increment_s) : 0;

    s->calls++;
    s->seconds += seconds;
    s->micros += b->call_micros + (b->minute_micros * seconds + 59) / 60;
}

void budget_set_aside(const struct budget *b, struct budget_spent *s, int64_t talked_ms)
{
    int64_t least_ms = (int64_t)b->call_s * 1000;

    budget_add(b, s, talked_ms > least_ms ? talked_ms : least_ms);
}

static void narrow(int64_t *room, int64_t limit, int64_t spent, int64_t each)
{
    int64_t n = 0;

    if (limit <= 0 || each <= 0)
        return;
    if (limit > spent)
        n = (limit - spent) / each;
    *room = n < *room ? n : *room;
}

int64_t budget_room(const struct budget *b, const struct budget_spent *s)
{
    struct budget_spent one = {0};
    int64_t room = INT64_MAX;

    if (!b->stated)
        return room;
    budget_set_aside(b, &one, 0);
    narrow(&room, b->calls, s->calls, one.calls);
    narrow(&room, b->seconds, s->seconds, one.seconds);
    narrow(&room, b->micros, s->micros, one.micros);
    return room;
}

bool budget_is_equal(const struct budget *a, const struct budget *b)
{
    return a->stated == b->stated && a->calls == b->calls && a->seconds == b->seconds &&
           a->micros == b->micros && a->call_micros == b->call_micros &&
           a->minute_micros == b->minute_micros && a->increment_s == b->increment_s &&
           a->call_s == b->call_s && strcmp(a->currency, b->currency) == 0;
}

/* Appends a part, with a comma when it is not the first. */
static void add_part(char out[BUDGET_TEXT_MAX], const char *part)
{
    size_t len = strlen(out);

    snprintf(out + len, BUDGET_TEXT_MAX - len, "%s%s", len ? ", " : "", part);
}

const char *budget_text(const struct budget *b, const struct budget_spent *s,
                        char out[BUDGET_TEXT_MAX])
{
    char part[96];

    out[0] = '\0';
    if (b->calls) {
        snprintf(part, sizeof(part), "%" PRId64 " of %" PRId64 " calls", s->calls,
                 b->calls);
        add_part(out, part);
    }
    if (b->seconds) {
        snprintf(part, sizeof(part), "%.1f of %.1f minutes", (double)s->seconds / 60,
                 (double)b->seconds / 60);
        add_part(out, part);
    }
    if (b->micros) {
        snprintf(part, sizeof(part), "%s%s%.2f of %.2f", b->currency,
                 b->currency[0] ? " " : "", (double)s->micros / (double)micros_per_unit,
                 (double)b->micros / (double)micros_per_unit);
        add_part(out, part);
    }
    return out;
}
