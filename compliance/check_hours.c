/* Zones, emergency blocks, holidays, weekdays, hours and the guard before their end. */
#include <string.h>

#include "compliance/look.h"

enum { COMMON_WINDOW_DAYS = 7, CLOSE_LOOK_DAYS = 8 };

static void answer_state(struct look *l, const char *rule, const struct pack *pack,
                         const struct pack_row *row, unsigned state)
{
    static const struct {
        unsigned bit;
        enum reason reason;
    } reasons[] = {{WINDOWS_HOLIDAY, REASON_HOLIDAY},
                   {WINDOWS_DAY, REASON_DAY_FORBIDDEN},
                   {WINDOWS_HOUR, REASON_OUTSIDE_WINDOW},
                   {WINDOWS_BLACKOUT, REASON_TENANT_BLACKOUT}};

    if (state == WINDOWS_OPEN)
        look_answer(l, rule, pack, row, REASON_ALLOW);
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (state & reasons[i].bit)
            look_answer(l, rule, pack, row, reasons[i].reason);
}

static bool names_region(const struct look *l, const char *region)
{
    const char *names[] = {l->f->region, l->f->state, l->f->address_region};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (*names[i] && (strcmp(names[i], region) == 0 ||
                          (strlen(region) == 2 && strncmp(names[i], region, 2) == 0)))
            return true;
    return false;
}

static void look_at_blocks(struct look *l)
{
    for (size_t i = 0; i < l->f->block_count; i++) {
        const struct compliance_block *b = &l->f->blocks[i];
        if (names_region(l, b->region))
            look_answer(l, "emergency", NULL, NULL,
                        l->now_ms >= b->from_ms &&
                                (b->until_ms == 0 || l->now_ms < b->until_ms)
                            ? REASON_EMERGENCY_BLOCK
                            : REASON_ALLOW);
    }
}

static bool look_at_rows(struct look *l)
{
    bool open = true;

    for (size_t i = 0; i < l->windows.pack_count; i++) {
        const struct pack *pack = l->windows.packs[i].pack;
        const struct pack_row *row = l->windows.packs[i].row;
        unsigned state = windows_row_state(&l->windows, i, l->now_ms);
        if (look_row_holds(l, row))
            answer_state(l, "hours", pack, row, state);
        open &= state == WINDOWS_OPEN;
        if (windows_last_day(&l->windows, l->now_ms) > pack->holidays_until_day)
            look_answer(l, "holidays", pack, row, REASON_HOLIDAY_CALENDAR_MISSING);
    }
    return open;
}

void look_at_hours(struct look *l)
{
    const struct windows *w = &l->windows;
    int64_t guard_ms = l->p->close_guard_s * SECOND_MS;

    look_at_blocks(l);
    if (!l->zoned) {
        /* What is no number lies nowhere anyway. */
        if (l->f->valid || l->f->zone_count > 0)
            look_answer(l, "zones", NULL, NULL, REASON_TZ_UNKNOWN);
        return;
    }
    unsigned own = windows_own_state(w, l->now_ms);
    answer_state(l, "hours", NULL, NULL, own);
    bool open = look_at_rows(l) && own == WINDOWS_OPEN;
    if (!open) {
        l->opens_ms = windows_next_open(w, l->now_ms, guard_ms, COMMON_WINDOW_DAYS);
        if (l->opens_ms == 0)
            look_answer(l, "common", NULL, NULL, REASON_TZ_NO_COMMON_WINDOW);
        return;
    }
    int64_t close_ms = windows_next_change(w, l->now_ms, CLOSE_LOOK_DAYS);
    look_answer(l, "guard", NULL, NULL,
                close_ms > 0 && close_ms - l->now_ms <= guard_ms ? REASON_WINDOW_CLOSING
                                                                 : REASON_ALLOW);
    l->v->open_until_ms = close_ms > 0 ? close_ms - guard_ms : 0;
}
