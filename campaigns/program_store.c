/* One mutex guards the list and the counts; compiling happens outside of it. */
#include "campaigns/program_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/subflow_store.h"

enum { KEPT_MAX = 64 };

struct program {
    struct program *next; /* in the list, guarded by its lock */
    char sha256[SHA256_TEXT_MAX];
    int64_t revision_id; /* with sub-flows, which that holds; 0: the text is all */
    struct ivr_arena *arena;
    struct ivr_prog *prog;
    atomic_int holders; /* the list is one of them */
};

struct programs {
    pthread_mutex_t lock;
    struct program *kept; /* guarded by lock, the newest first */
    size_t n;             /* guarded by lock */
};

struct programs *programs_new(void)
{
    struct programs *ps = xcalloc(1, sizeof(*ps));

    pthread_mutex_init(&ps->lock, NULL);
    return ps;
}

void programs_free(struct programs *ps)
{
    if (!ps)
        return;
    while (ps->kept) {
        struct program *p = ps->kept;
        ps->kept = p->next;
        program_release(p);
    }
    pthread_mutex_destroy(&ps->lock);
    free(ps);
}

const struct ivr_prog *program_of(const struct program *p)
{
    return p->prog;
}

void program_release(struct program *p)
{
    if (!p || atomic_fetch_sub(&p->holders, 1) > 1)
        return;
    ivr_arena_free(p->arena);
    free(p);
}

static bool is_of(const struct program *p, const char *sha256, int64_t revision_id)
{
    return strcmp(p->sha256, sha256) == 0 &&
           (p->revision_id == 0 || p->revision_id == revision_id);
}

struct program *programs_find(struct programs *ps, const char *sha256,
                              int64_t revision_id)
{
    pthread_mutex_lock(&ps->lock);
    struct program *p = ps->kept;
    while (p && !is_of(p, sha256, revision_id))
        p = p->next;
    if (p)
        atomic_fetch_add(&p->holders, 1);
    pthread_mutex_unlock(&ps->lock);
    return p;
}

static void keep(struct programs *ps, struct program *p)
{
    struct program *dropped = NULL;

    atomic_fetch_add(&p->holders, 1);
    pthread_mutex_lock(&ps->lock);
    p->next = ps->kept;
    ps->kept = p;
    if (++ps->n > KEPT_MAX) {
        struct program **at = &ps->kept;
        while ((*at)->next)
            at = &(*at)->next;
        dropped = *at;
        *at = NULL;
        ps->n--;
    }
    pthread_mutex_unlock(&ps->lock);
    program_release(dropped);
}

struct held {
    struct flow_texts texts;
    int64_t revision_id;
    bool asked;
};

static void log_issues(const char *sha256, const struct ivr_issues *issues)
{
    for (size_t i = 0; i < issues->n; i++)
        if (!issues->list[i].warning)
            log_error("flow", "flow=%.12s at=%s line=%d error=%s", sha256,
                      LOG_ESC(issues->list[i].pointer), issues->list[i].line,
                      LOG_ESC(issues->list[i].text));
}

/* Its sub-flows are asked for only where there are some. */
static int resolve(const char *name, const char *sha256, const char **text, size_t *len,
                   void *arg)
{
    struct held *h = arg;

    if (!h->asked) {
        h->asked = true;
        h->texts.err = flow_texts_hold(&h->texts, h->revision_id);
    }
    return h->texts.err ? ENOENT : flow_resolve(name, sha256, text, len, &h->texts);
}

int programs_get(struct programs *ps, struct pg *pg, int tenant_id,
                 const struct program_source *source, struct program **out)
{
    struct held held = {.texts = {.pg = pg, .tenant_id = tenant_id},
                        .revision_id = source->revision_id};
    const struct ivr_compile_options options = {
        .sha256 = sha256_of, .resolve = resolve, .arg = &held};
    struct ivr_issues issues = {0};
    struct program *p = programs_find(ps, source->sha256, source->revision_id);

    if (p) {
        *out = p;
        return 0;
    }
    p = xcalloc(1, sizeof(*p));
    atomic_init(&p->holders, 1);
    str_cut(p->sha256, sizeof(p->sha256), source->sha256);
    int err = ivr_arena_new(&p->arena, NULL);
    if (!err)
        err = ivr_compile(&p->prog, source->text, strlen(source->text), &options,
                          p->arena, &issues);
    if (held.texts.err)
        err = held.texts.err;
    else if (err)
        log_issues(source->sha256, &issues);
    p->revision_id = held.asked ? source->revision_id : 0;
    if (!err && !held.texts.newest)
        keep(ps, p);
    flow_texts_free(&held.texts);
    if (err)
        program_release(p);
    else
        *out = p;
    return err;
}
