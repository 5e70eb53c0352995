/*
 * Open lines of agents: a channel fw<installation>-<line>-b1 to the agent's phone, which
 * stays up between calls in a holding bridge with music. The next call is bridged with it
 * at once (ari_leg.c); when that is over it goes back. Which lines are wanted stands in
 * the database (campaigns/agent_store_line.h) and is told here once a second: one that is
 * missing is rung, one that is not wanted any more is hung up. An agent who hangs up is
 * logged out by it.
 *
 * A dialer that starts again rings with the name of before: Asterisk says 409 when that
 * line is still up, and it goes on.
 */
#include "dialer/ari_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_line.h"
#include "dialer/db.h"

enum {
    LINE_RING_S = 30,
    LINE_LATE_MS = 40000, /* rung, and no word since */
};

struct ari_line {
    struct ari_line *next;
    struct agent_line agent;
    enum { LINE_RINGING, LINE_HELD, LINE_TALKING } state;
    struct uuid call; /* TALKING */
    /* HELD: on its way to the bridge; Asterisk has answered; it is looked for and was
     * seen there. The way and the end of the bridge that it comes from are requests on
     * two connections. */
    enum { HOLD_ASKED, HOLD_ANSWERED, HOLD_LOOKED_FOR, HOLD_SEEN } hold;
    bool wanted, dropped;
    int64_t rung_ms; /* monotonic */
};

/* ---- names ---- */

void ari_line_channel(const struct ari *a, const struct uuid *line,
                      char out[ARI_CHANNEL_MAX])
{
    char text[UUID_TEXT_MAX];

    snprintf(out, ARI_CHANNEL_MAX, "fw%s-%s-b1", a->dialer->installation,
             uuid_text(line, text));
}

static void bridge_name(const struct ari *a, char out[ARI_CHANNEL_MAX])
{
    snprintf(out, ARI_CHANNEL_MAX, "fw%s-held-%d", a->dialer->installation,
             a->dialer->slot);
}

static struct ari_line *find(const struct ari *a, const struct uuid *id)
{
    struct ari_line *l = a->lines;

    while (l && memcmp(&l->agent.line, id, sizeof(*id)) != 0)
        l = l->next;
    return l;
}

bool ari_line_is_known(const struct ari *a, const struct uuid *line)
{
    return find(a, line) != NULL;
}

static void forget(struct ari *a, struct ari_line *line)
{
    struct ari_line **at = &a->lines;

    while (*at != line)
        at = &(*at)->next;
    *at = line->next;
    free(line);
}

/* ---- what the database is told ---- */

struct news {
    int tenant_id;
    struct uuid line;
    enum { NEWS_RINGS, NEWS_UP, NEWS_LOST } what;
    const char *why; /* LOST */
};

static int run_news(struct pg *pg, void *arg)
{
    const struct news *n = arg;
    int64_t now_ms = clock_now_ms();

    switch (n->what) {
    case NEWS_RINGS:
        return agent_line_rings(pg, n->tenant_id, &n->line, now_ms);
    case NEWS_UP:
        return agent_line_up(pg, n->tenant_id, &n->line, now_ms);
    case NEWS_LOST:
        break;
    }
    return agent_line_lost(pg, n->tenant_id, &n->line, n->why, now_ms);
}

static void on_told(int err, void *arg)
{
    struct news *n = arg;
    char id[UUID_TEXT_MAX];

    if (err)
        log_error("ari", "line=%s err=%d what became of it is not recorded",
                  uuid_text(&n->line, id), err);
    free(n);
}

static void tell(struct ari *a, const struct ari_line *line, int what, const char *why)
{
    static const char *const words[] = {"line-rings", "line-open", "line-lost"};
    struct news *n = xcalloc(1, sizeof(*n));

    *n = (struct news){.tenant_id = line->agent.tenant_id,
                       .line = line->agent.line,
                       .what = what,
                       .why = why};
    log_info("ari", "agent=%s state=%s %s", LOG_ESC(line->agent.name), words[what],
             why ? why : "");
    if (!a->dialer->db ||
        db_submit(a->dialer->db, DB_KEEP, db_key(&n->line), run_news, on_told, n))
        on_told(ECANCELED, n);
}

/* ---- up and down ---- */

static void on_held(struct dialer *d, const struct web_resp *resp,
                    const struct ari_ask *ask)
{
    struct ari_line *line = d->ari ? find(d->ari, &ask->call) : NULL;

    if (!line || line->state != LINE_HELD)
        return;
    line->hold = HOLD_ANSWERED;
    if (!ari_is_ok(resp))
        log_info("ari", "agent=%s the line is not held yet: status=%ld err=%d",
                 LOG_ESC(line->agent.name), resp->status, resp->err);
}

static void hold(struct ari *a, struct ari_line *line)
{
    char channel[ARI_CHANNEL_MAX], bridge[ARI_CHANNEL_MAX];

    line->state = LINE_HELD;
    line->hold = HOLD_ASKED;
    ari_line_channel(a, &line->agent.line, channel);
    bridge_name(a, bridge);
    ari_sendf(a->dialer, "POST", on_held, &(struct ari_ask){.call = line->agent.line},
              "/bridges/%s/addChannel?channel=%s", bridge, channel);
}

static void went_up(struct ari *a, struct ari_line *line)
{
    if (line->state != LINE_RINGING)
        return;
    hold(a, line);
    tell(a, line, NEWS_UP, NULL);
}

static void hang_up(struct ari *a, struct ari_line *line)
{
    char channel[ARI_CHANNEL_MAX];

    line->dropped = true;
    ari_line_channel(a, &line->agent.line, channel);
    ari_sendf(a->dialer, "DELETE", NULL, NULL, "/channels/%s?reason=normal", channel);
}

static void went_down(struct ari *a, struct ari_line *line, int cause)
{
    bool rang = line->state == LINE_RINGING;

    if (line->state == LINE_TALKING) {
        struct ari_call *c = ari_call_find(a, &line->call);
        if (c)
            ari_leg_line_gone(a, c, cause);
    }
    if (!line->dropped)
        tell(a, line, NEWS_LOST, rang ? AGENT_LINE_UNANSWERED : AGENT_LINE_HUNG_UP);
    forget(a, line);
}

/* ---- ringing ---- */

static void on_asked(struct dialer *d, const struct web_resp *resp,
                     const struct ari_ask *ask)
{
    struct ari_line *line = d->ari ? find(d->ari, &ask->call) : NULL;

    if (!line)
        return;
    if (ari_is_absent(resp)) {
        /* Its end was missed, or it never was: it is rung again while it is wanted. */
        line->dropped = true;
        went_down(d->ari, line, 0);
    } else if (ari_is_ok(resp)) {
        json_auto_t *json = json_loadb(resp->body, resp->len, 0, NULL);
        if (str_is(json_string_value(json_object_get(json, "state")), "Up"))
            went_up(d->ari, line);
    }
}

static void ask(struct ari *a, const struct ari_line *line)
{
    char channel[ARI_CHANNEL_MAX];

    ari_line_channel(a, &line->agent.line, channel);
    ari_sendf(a->dialer, "GET", on_asked, &(struct ari_ask){.call = line->agent.line},
              "/channels/%s", channel);
}

static void on_rung(struct dialer *d, const struct web_resp *resp,
                    const struct ari_ask *asked)
{
    struct ari_line *line = d->ari ? find(d->ari, &asked->call) : NULL;

    if (!line || ari_is_ok(resp))
        return;
    if (resp->err || resp->status == 409) {
        ask(d->ari, line);
        return;
    }
    log_warn("ari", "agent=%s the phone could not be rung: status=%ld %s",
             LOG_ESC(line->agent.name), resp->status, LOG_ESC(resp->body));
    went_down(d->ari, line, 0);
}

static void ring(struct ari *a, const struct agent_line *agent)
{
    char channel[ARI_CHANNEL_MAX], bridge[ARI_CHANNEL_MAX], endpoint[256];
    char path[2 * ARI_CHANNEL_MAX];
    struct ari_line *line = xcalloc(1, sizeof(*line));

    line->agent = *agent;
    line->wanted = true;
    line->rung_ms = mono_ms();
    line->next = a->lines;
    a->lines = line;
    tell(a, line, NEWS_RINGS, NULL);
    bridge_name(a, bridge);
    if (!ari_extension_endpoint(a->dialer, agent->extension, endpoint,
                                sizeof(endpoint))) {
        log_warn("ari", "agent=%s cannot be rung: set ari_extension_endpoint",
                 LOG_ESC(agent->name));
        went_down(a, line, 0);
        return;
    }
    a->lines_bridge = true;
    ari_sendf(a->dialer, "POST", NULL, NULL, "/bridges/%s?type=holding", bridge);
    ari_line_channel(a, &agent->line, channel);
    snprintf(path, sizeof(path), "/channels/%s", channel);
    json_auto_t *json = json_pack("{s:s,s:s,s:i}", "endpoint", endpoint, "app",
                                  a->own_app, "timeout", LINE_RING_S);
    CLEANUP(free_cleanup) char *body = json_dumps(json, JSON_COMPACT);
    ari_send(
        a->dialer,
        &(struct ari_request){.method = "POST", .path = path, .body = body, .once = true},
        on_rung, &(struct ari_ask){.call = agent->line});
}

/* ---- are those that are held in the bridge? ---- */

static bool has_channel(const json_t *bridge, const char *channel)
{
    const json_t *channels = json_object_get(bridge, "channels"), *name = NULL;
    size_t i = 0;

    json_array_foreach(channels, i,
                       name) if (str_is(json_string_value(name), channel)) return true;
    return false;
}

static void on_bridge(struct dialer *d, const struct web_resp *resp,
                      const struct ari_ask *ask)
{
    struct ari_line *line = d->ari ? find(d->ari, &ask->call) : NULL;
    char channel[ARI_CHANNEL_MAX], bridge[ARI_CHANNEL_MAX];

    if (!line || line->state != LINE_HELD || line->hold != HOLD_LOOKED_FOR)
        return;
    if (line->dropped || (!ari_is_ok(resp) && !ari_is_absent(resp))) {
        line->hold = HOLD_ANSWERED; /* looked for again */
        return;
    }
    json_auto_t *json = json_loadb(resp->body, resp->len, 0, NULL);
    ari_line_channel(d->ari, &line->agent.line, channel);
    if (ari_is_ok(resp) && has_channel(json, channel)) {
        line->hold = HOLD_SEEN;
        return;
    }
    bridge_name(d->ari, bridge);
    if (ari_is_absent(resp))
        ari_sendf(d, "POST", NULL, NULL, "/bridges/%s?type=holding", bridge);
    hold(d->ari, line);
}

static void look(struct ari *a, struct ari_line *line)
{
    char bridge[ARI_CHANNEL_MAX];

    line->hold = HOLD_LOOKED_FOR;
    bridge_name(a, bridge);
    ari_sendf(a->dialer, "GET", on_bridge, &(struct ari_ask){.call = line->agent.line},
              "/bridges/%s", bridge);
}

/* ---- once a second ---- */

void ari_lines_want(struct ari *a, const struct agent_line *all, size_t n)
{
    struct ari_line *next = NULL;

    if (!ari_is_ready(a))
        return;
    for (struct ari_line *l = a->lines; l; l = l->next)
        l->wanted = false;
    for (size_t i = 0; i < n; i++) {
        struct ari_line *l = find(a, &all[i].line);
        if (l)
            l->wanted = true;
        else
            ring(a, &all[i]);
    }
    for (struct ari_line *l = a->lines; l; l = next) {
        next = l->next;
        if (!l->wanted && !l->dropped && l->state != LINE_TALKING)
            hang_up(a, l);
        else if (l->state == LINE_RINGING && mono_ms() - l->rung_ms > LINE_LATE_MS)
            ask(a, l);
        else if (l->state == LINE_HELD && l->hold == HOLD_ANSWERED && !l->dropped)
            look(a, l);
    }
}

void ari_lines_resync(struct ari *a)
{
    for (struct ari_line *l = a->lines; l; l = l->next)
        ask(a, l);
}

static void on_bridge_gone(struct dialer *d, const struct web_resp *resp,
                           const struct ari_ask *ask)
{
    (void)resp;
    (void)ask;
    if (d->ari)
        d->ari->lines_bridge = false;
}

void ari_lines_end(struct ari *a)
{
    char bridge[ARI_CHANNEL_MAX];

    if (!a || !a->lines_bridge || !ari_socket_is_up(a->own))
        return;
    for (struct ari_line *l = a->lines; l; l = l->next)
        if (l->state != LINE_TALKING && !l->dropped)
            hang_up(a, l);
    bridge_name(a, bridge);
    ari_sendf(a->dialer, "DELETE", on_bridge_gone, NULL, "/bridges/%s", bridge);
}

bool ari_lines_are_over(const struct ari *a)
{
    return !a || !ari_socket_is_up(a->own) || (!a->lines && !a->lines_bridge);
}

void ari_lines_free(struct ari *a)
{
    while (a->lines)
        forget(a, a->lines);
}

/* ---- events and calls ---- */

bool ari_line_event(struct ari *a, const struct uuid *id, const struct ari_event *ev)
{
    struct ari_line *line = find(a, id);
    struct ari_call *c = NULL;

    if (!line)
        return false;
    if (line->state == LINE_TALKING)
        c = ari_call_find(a, &line->call);
    if (ev->kind == ARI_STASIS_START)
        went_up(a, line);
    else if (ev->kind == ARI_DESTROYED)
        went_down(a, line, ev->cause);
    else if (ev->kind == ARI_KEY && c)
        ari_leg_line_key(a, c, ev->key);
    return true;
}

bool ari_line_take(struct ari *a, const char *extension, const struct uuid *call,
                   struct uuid *out)
{
    for (struct ari_line *l = a->lines; l; l = l->next)
        if (l->state == LINE_HELD && !l->dropped &&
            str_is(l->agent.extension, extension)) {
            l->state = LINE_TALKING;
            l->call = *call;
            *out = l->agent.line;
            return true;
        }
    return false;
}

void ari_line_give_back(struct ari *a, const struct uuid *id)
{
    struct ari_line *line = find(a, id);

    if (!line || line->state != LINE_TALKING)
        return;
    hold(a, line);
    if (a->dialer->stopping)
        hang_up(a, line);
}
