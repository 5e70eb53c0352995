/*
 * Each database thread has a queue of its own, and a key leads to the same thread for as
 * long as work of it waits: that is the whole of the ordering. A KEEP work that meets a
 * lost connection is tried again in place, so nothing overtakes it; TRY work behind it
 * waits and then fails or not on its own. Works of one tenant that wait behind one
 * another share a transaction: while one commits the next ones gather. Patient ones, when
 * nobody else is in the queue, wait for more of them: a commit is paid for once by all.
 * So that many meet, those that may share go to one thread of their tenant until it is
 * behind; the rest goes where the least waits.
 *
 * One mutex guards the queues and the list of finished work. It is never held while
 * work runs or while a callback is called.
 */
#include "dialer/db.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "dialer/id_table.h"

enum { AGAIN_MIN_MS = 10, AWAY_MIN_MS = 100, RETRY_MAX_MS = 2000, TOGETHER_MAX = 64 };

struct route { /* of a key, while work of it waits */
    struct uuid id;
    struct db_thread *thread;
    size_t works;
};

struct work {
    struct work *next;
    struct db_order o;
    struct route *route;
    int err;
};

struct work_list {
    struct work *head, **tail;
};

struct db_thread {
    struct db *db;
    pthread_t id;
    pthread_cond_t wake;
    struct work_list queue; /* guarded by db->lock */
    size_t queued, load;    /* guarded by db->lock: works in it, works not finished */
    int64_t ripe_at_ms;     /* guarded by db->lock; monotonic: until then all may wait */
    struct pg *pg;          /* the thread's own */
};

struct db {
    uv_async_t async; /* data: the db, which is freed when it has closed */
    pthread_mutex_t lock;
    struct work_list finished; /* guarded by lock */
    bool closing;              /* guarded by lock */
    int64_t give_up_at_ms;     /* guarded by lock; monotonic, once closing */
    atomic_bool up;
    size_t waiting, queue_max; /* the loop's */
    struct id_table routes;    /* the loop's */
    bool refuses;              /* the loop's: db_close has begun */
    int thread_count;
    struct db_thread threads[];
};

static void list_init(struct work_list *l)
{
    l->head = NULL;
    l->tail = &l->head;
}

static void list_add(struct work_list *l, struct work *w)
{
    w->next = NULL;
    *l->tail = w;
    l->tail = &w->next;
}

static struct work *list_take(struct work_list *l)
{
    struct work *w = l->head;

    if (w && !(l->head = w->next))
        l->tail = &l->head;
    return w;
}

/* ---- on the threads ---- */

static struct timespec at_ms(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
}

/* Waits for the bell or for ms; the lock is held. False: the time for retries is over. */
static bool wait_retry(struct db_thread *t, int ms)
{
    struct db *db = t->db;
    int64_t until = mono_ms() + ms;

    for (;;) {
        int64_t now = mono_ms();
        if (db->closing && now >= db->give_up_at_ms)
            return false;
        if (now >= until)
            return true;
        int64_t end =
            db->closing && db->give_up_at_ms < until ? db->give_up_at_ms : until;
        const struct timespec at = at_ms(end);
        pthread_cond_timedwait(&t->wake, &db->lock, &at);
    }
}

static void note_whether_up(struct db_thread *t, bool up)
{
    if (atomic_exchange(&t->db->up, up) != up) {
        if (up)
            log_info("db", "state=up the database answers again");
        else
            log_warn("db", "state=away err=%s", LOG_ESC(pg_error(t->pg)));
    }
}

static int run_once(struct db_thread *t, const struct work *w)
{
    int err = w->o.work(t->pg, w->o.arg);

    if (err)
        pg_rollback(t->pg);
    note_whether_up(t, err != ECONNRESET);
    return err;
}

static void run(struct db_thread *t, struct work *w)
{
    struct db *db = t->db;
    int delay_ms = 0;

    for (;;) {
        w->err = run_once(t, w);
        if (w->o.mode == DB_TRY || (w->err != ECONNRESET && w->err != EAGAIN))
            return;
        if (delay_ms == 0)
            delay_ms = w->err == EAGAIN ? AGAIN_MIN_MS : AWAY_MIN_MS;
        pthread_mutex_lock(&db->lock);
        bool more = wait_retry(t, delay_ms);
        pthread_mutex_unlock(&db->lock);
        if (!more) {
            w->err = ECANCELED;
            return;
        }
        delay_ms = delay_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : delay_ms * 2;
    }
}

/* Brings to the front those that may be run with the first by its `together`: how many.
 * None overtakes another of its key. */
static size_t gather_alike(struct work **w, size_t n)
{
    size_t many = 1;

    for (size_t i = 1; w[0]->o.together && i < n; i++) {
        struct work *one = w[i];
        bool may = one->o.together == w[0]->o.together;
        for (size_t k = 0; may && k < i; k++)
            may = w[k]->o.key != one->o.key;
        if (!may)
            continue;
        memmove(&w[many + 1], &w[many], (i - many) * sizeof(*w));
        w[many++] = one;
    }
    return many;
}

static int run_alike(struct db_thread *t, struct work *const *w, size_t n)
{
    void *args[TOGETHER_MAX];
    int errs[TOGETHER_MAX] = {0};

    if (n == 1)
        return w[0]->err = w[0]->o.work(t->pg, w[0]->o.arg);
    for (size_t i = 0; i < n; i++)
        args[i] = w[i]->o.arg;
    int err = w[0]->o.together(t->pg, args, n, errs);
    for (size_t i = 0; i < n; i++)
        w[i]->err = errs[i];
    return err;
}

/* Several works in one transaction, once. Not 0: nothing is done. */
static int run_group(struct db_thread *t, struct work **w, size_t n)
{
    size_t done = gather_alike(w, n);

    if (done == n) /* a transaction of its own making */
        return run_alike(t, w, n);
    int err = pg_group_begin(t->pg, w[0]->o.tenant_id);
    if (err)
        return err;
    for (size_t at = 0; !err && at < n; at += done) {
        done = gather_alike(w + at, n - at);
        err = run_alike(t, w + at, done);
    }
    if (err)
        pg_rollback(t->pg);
    int ended = pg_group_end(t->pg);
    return err ? err : ended;
}

static void run_all(struct db_thread *t, struct work *const *w, size_t n)
{
    if (n > 1) {
        struct work *order[TOGETHER_MAX];
        memcpy(order, w, n * sizeof(*w));
        int err = run_group(t, order, n);
        if (!err) {
            note_whether_up(t, true);
            return;
        }
        pg_rollback(t->pg);
    }
    for (size_t i = 0; i < n; i++)
        run(t, w[i]);
}

static bool may_join(const struct work *first, const struct work *w)
{
    return w && w->o.tenant_id > 0 && w->o.mode == DB_KEEP && first->o.mode == DB_KEEP &&
           w->o.tenant_id == first->o.tenant_id;
}

static struct work *take(struct db_thread *t)
{
    struct work *w = list_take(&t->queue);

    if (w)
        t->queued--;
    return w;
}

static bool may_gather(const struct db_thread *t)
{
    return !t->db->closing && t->queued < TOGETHER_MAX && mono_ms() < t->ripe_at_ms;
}

/* Until there is something to do; the lock is held. */
static void wait_for_work(struct db_thread *t)
{
    struct db *db = t->db;

    while (!t->queue.head && !db->closing)
        pthread_cond_wait(&t->wake, &db->lock);
    while (t->queue.head && may_gather(t)) {
        const struct timespec ripe = at_ms(t->ripe_at_ms);
        pthread_cond_timedwait(&t->wake, &db->lock, &ripe);
    }
}

/* The next works, 0 of them when closing and nothing is left. */
static size_t next_works(struct db_thread *t, struct work **list, bool *cancel)
{
    struct db *db = t->db;
    size_t n = 0;

    pthread_mutex_lock(&db->lock);
    wait_for_work(t);
    if ((list[0] = take(t)))
        n = 1;
    while (n > 0 && n < TOGETHER_MAX && may_join(list[0], t->queue.head))
        list[n++] = take(t);
    *cancel = db->closing && n > 0 &&
              (list[0]->o.mode == DB_TRY || mono_ms() >= db->give_up_at_ms);
    pthread_mutex_unlock(&db->lock);
    return n;
}

static void *thread_main(void *arg)
{
    struct work *list[TOGETHER_MAX];
    struct db_thread *t = arg;
    struct db *db = t->db;
    bool cancel = false;
    size_t n;

    while ((n = next_works(t, list, &cancel)) > 0) {
        if (!cancel)
            run_all(t, list, n);
        pthread_mutex_lock(&db->lock);
        for (size_t i = 0; i < n; i++) {
            if (cancel)
                list[i]->err = ECANCELED;
            list_add(&db->finished, list[i]);
        }
        t->load -= n;
        pthread_mutex_unlock(&db->lock);
        uv_async_send(&db->async);
    }
    return NULL;
}

/* ---- on the loop ---- */

static void leave_route(struct db *db, struct route *r)
{
    if (--r->works > 0)
        return;
    id_table_remove(&db->routes, &r->id);
    free(r);
}

static void deliver(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    struct work *w = db->finished.head;
    list_init(&db->finished);
    pthread_mutex_unlock(&db->lock);
    while (w) {
        struct work *next = w->next;
        db->waiting--;
        leave_route(db, w->route);
        w->o.done(w->err, w->o.arg);
        free(w);
        w = next;
    }
}

static void on_async(uv_async_t *async)
{
    deliver(async->data);
}

/* The lock is held. */
static struct db_thread *choose_thread(struct db *db, const struct db_order *order)
{
    struct db_thread *home = &db->threads[order->tenant_id % db->thread_count];
    struct db_thread *least = &db->threads[0];

    if (order->mode == DB_KEEP && order->tenant_id > 0 && home->load < TOGETHER_MAX)
        return home;
    for (int i = 1; i < db->thread_count; i++)
        if (db->threads[i].load < least->load)
            least = &db->threads[i];
    return least;
}

/* The lock is held. */
static struct route *take_route(struct db *db, const struct db_order *order)
{
    struct uuid id = {0};

    memcpy(id.bytes + sizeof(id.bytes) - sizeof(order->key), &order->key,
           sizeof(order->key));
    struct route *r = id_table_find(&db->routes, &id);
    if (!r) {
        r = xcalloc(1, sizeof(*r));
        r->id = id;
        r->thread = choose_thread(db, order);
        if (!id_table_add(&db->routes, &id, r))
            abort(); /* it was looked for */
    }
    r->works++;
    return r;
}

int db_submit_order(struct db *db, const struct db_order *order)
{
    if (db->refuses)
        return ECANCELED;
    if (order->mode == DB_TRY && db->waiting >= db->queue_max)
        return EAGAIN;
    struct work *w = xcalloc(1, sizeof(*w));
    w->o = *order;
    const int64_t ripe_at_ms = mono_ms() + order->patience_ms;
    db->waiting++;
    pthread_mutex_lock(&db->lock);
    w->route = take_route(db, order);
    struct db_thread *t = w->route->thread;
    list_add(&t->queue, w);
    t->queued++;
    t->load++;
    const bool sooner = t->queued == 1 || ripe_at_ms < t->ripe_at_ms;
    if (sooner)
        t->ripe_at_ms = ripe_at_ms;
    /* Who gathers need not be woken for one more. */
    if (sooner || t->queued >= TOGETHER_MAX)
        pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&db->lock);
    return 0;
}

int db_submit(struct db *db, enum db_mode mode, uint64_t key, db_work_fn *work,
              db_done_fn *done, void *arg)
{
    return db_submit_order(
        db, &(struct db_order){
                .mode = mode, .key = key, .work = work, .done = done, .arg = arg});
}

bool db_is_up(const struct db *db)
{
    return atomic_load(&db->up);
}

size_t db_waiting(const struct db *db)
{
    return db->waiting;
}

static void on_closed(uv_handle_t *h)
{
    struct db *db = h->data;

    pthread_mutex_destroy(&db->lock);
    id_table_free(&db->routes);
    free(db);
}

void db_close(struct db *db, int grace_ms)
{
    if (!db)
        return;
    db->refuses = true;
    pthread_mutex_lock(&db->lock);
    db->closing = true;
    db->give_up_at_ms = mono_ms() + grace_ms;
    for (int i = 0; i < db->thread_count; i++)
        pthread_cond_signal(&db->threads[i].wake);
    pthread_mutex_unlock(&db->lock);
    for (int i = 0; i < db->thread_count; i++) {
        pthread_join(db->threads[i].id, NULL);
        pthread_cond_destroy(&db->threads[i].wake);
        pg_close(db->threads[i].pg);
    }
    deliver(db);
    uv_close((uv_handle_t *)&db->async, on_closed);
}

static int start_thread(struct db *db, struct db_thread *t,
                        const struct pg_options *options, struct errtext *e)
{
    pthread_condattr_t attr;

    int err = pg_open(&t->pg, options, e);
    if (err)
        return err;
    t->db = db;
    list_init(&t->queue);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    err = pthread_create(&t->id, NULL, thread_main, t);
    if (err) {
        pthread_cond_destroy(&t->wake);
        pg_close(t->pg);
        return errtext_set(e, err, 0, 0, "a database thread could not be started");
    }
    return 0;
}

int db_new(struct db **out, uv_loop_t *loop, const struct pg_options *options,
           int threads, int queue_max, struct errtext *e)
{
    struct db *db = xcalloc(1, sizeof(*db) + sizeof(db->threads[0]) * (size_t)threads);

    pthread_mutex_init(&db->lock, NULL);
    list_init(&db->finished);
    atomic_init(&db->up, true);
    db->queue_max = (size_t)queue_max;
    if (uv_async_init(loop, &db->async, on_async)) {
        pthread_mutex_destroy(&db->lock);
        free(db);
        return errtext_set(e, ENOMEM, 0, 0,
                           "the event loop has no room for the database");
    }
    db->async.data = db;
    for (int i = 0; i < threads; i++) {
        int err = start_thread(db, &db->threads[i], options, e);
        if (err) {
            db_close(db, 0);
            return err;
        }
        db->thread_count = i + 1;
    }
    *out = db;
    return 0;
}
