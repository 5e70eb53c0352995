/*
 * import - the three stages and the ring between them.
 *
 *   reader thread    fills block k of the ring once the writer has emptied it
 *   parser threads   take filled blocks in order, several at once
 *   caller's thread  writes parsed blocks, strictly in order
 *
 * Block seq lies at ring[seq % size]. The mutex guards the five counters and the
 * states; a block itself belongs to the stage its state names. Each stage that
 * leaves early raises `over`, and all others leave too.
 */
#include "contacts/import.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "contacts/import_parse.h"

enum { THREADS_MAX = 32 };

enum block_state { BLOCK_EMPTY, BLOCK_FILLED, BLOCK_PARSING, BLOCK_PARSED };

struct slot {
    enum block_state state;
    struct import_block *block;
};

struct import {
    const struct import_options *options;
    struct text_source *text;
    struct csv_reader *reader;
    struct columns *columns;
    struct csv_record first;
    bool first_is_row;
    int threads;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    size_t ring_size;
    struct slot *ring;
    uint64_t filled, parsing, written; /* blocks so far */
    bool read_all, over;
    int read_err;
    struct errtext read_e;
};

static int open_reader(struct import *im, csv_read_fn *read, void *arg, struct errtext *e)
{
    const struct import_options *o = im->options;
    int err = text_source_new(&im->text, read, arg, o->encoding, e);

    if (err)
        return err;
    const struct csv_options csv = {.windows_1252 = text_source_encoding(im->text) ==
                                                    TEXT_WINDOWS_1252,
                                    .delimiter = o->delimiter,
                                    .lines = o->json_lines};
    err = csv_reader_new(&im->reader, text_source_read, im->text, &csv, e);
    if (!err)
        err = csv_reader_next(im->reader, &im->first, e);
    return err == ENODATA && im->reader
               ? errtext_set(e, ENODATA, 0, 0, "the file has no rows")
               : err;
}

int import_open(struct import **out, csv_read_fn *read, void *arg,
                const struct import_options *options, struct errtext *e)
{
    struct import *im = xcalloc(1, sizeof(*im));

    im->options = options;
    pthread_mutex_init(&im->lock, NULL);
    pthread_cond_init(&im->changed, NULL);
    int err = open_reader(im, read, arg, e);
    if (!err && options->json_lines)
        err = json_columns_new(&im->columns, &im->first, options->region, options->maps,
                               options->map_count, e);
    else if (!err)
        err = columns_new(&im->columns, &im->first, options->region, options->maps,
                          options->map_count, e);
    if (err) {
        import_free(im);
        return err;
    }
    im->first_is_row = options->json_lines || !im->columns->has_header;
    *out = im;
    return 0;
}

struct import_form import_form(const struct import *im)
{
    return (struct import_form){
        .encoding = text_source_encoding(im->text),
        .encoding_is_guess = text_source_is_guess(im->text),
        .delimiter = im->options->json_lines ? 0 : csv_reader_delimiter(im->reader)};
}

void import_free(struct import *im)
{
    if (!im)
        return;
    for (size_t i = 0; i < im->ring_size; i++)
        block_free(im->ring[i].block);
    free(im->ring);
    columns_free(im->columns);
    csv_reader_free(im->reader);
    text_source_free(im->text);
    pthread_cond_destroy(&im->changed);
    pthread_mutex_destroy(&im->lock);
    free(im);
}

const struct columns *import_columns(const struct import *im)
{
    return im->columns;
}

int import_skip_to(struct import *im, const struct record_position *to, struct errtext *e)
{
    im->first_is_row = false;
    return csv_reader_skip_to(im->reader, to, e);
}

/* ---- reader ---- */

static int fill_block(struct import *im, struct import_block *b, struct errtext *e)
{
    int err = 0;

    block_clear(b);
    if (im->first_is_row) {
        im->first_is_row = false;
        block_add(b, &im->first);
    }
    while (!err && !block_is_full(b)) {
        struct csv_record record;

        err = csv_reader_next(im->reader, &record, e);
        if (!err)
            block_add(b, &record);
    }
    b->end = csv_reader_position(im->reader);
    b->bytes = csv_reader_bytes(im->reader);
    return err;
}

/* The block to fill next, once the writer has left it; NULL when it is over. */
static struct import_block *wait_empty(struct import *im)
{
    struct import_block *b = NULL;

    pthread_mutex_lock(&im->lock);
    while (!im->over && im->ring[im->filled % im->ring_size].state != BLOCK_EMPTY)
        pthread_cond_wait(&im->changed, &im->lock);
    if (!im->over)
        b = im->ring[im->filled % im->ring_size].block;
    pthread_mutex_unlock(&im->lock);
    return b;
}

static void *read_stage(void *arg)
{
    struct import *im = arg;
    struct errtext e = {0};
    int err = 0;

    while (!err) {
        struct import_block *b = wait_empty(im);
        if (!b)
            break;
        err = fill_block(im, b, &e);
        pthread_mutex_lock(&im->lock);
        if (b->n > 0)
            im->ring[im->filled++ % im->ring_size].state = BLOCK_FILLED;
        im->read_all = err != 0;
        im->read_err = err == ENODATA ? 0 : err;
        im->read_e = e;
        pthread_cond_broadcast(&im->changed);
        pthread_mutex_unlock(&im->lock);
    }
    return NULL;
}

/* ---- parsers ---- */

static struct slot *wait_filled(struct import *im)
{
    struct slot *slot = NULL;

    pthread_mutex_lock(&im->lock);
    while (!im->over && im->parsing == im->filled && !im->read_all)
        pthread_cond_wait(&im->changed, &im->lock);
    if (!im->over && im->parsing < im->filled) {
        slot = &im->ring[im->parsing++ % im->ring_size];
        slot->state = BLOCK_PARSING;
    }
    pthread_mutex_unlock(&im->lock);
    return slot;
}

static void *parse_stage(void *arg)
{
    struct import *im = arg;
    struct slot *slot = NULL;

    while ((slot = wait_filled(im)) != NULL) {
        if (im->options->json_lines)
            block_read_json(slot->block, im->columns);
        block_parse(slot->block, im->columns, im->options->region);
        pthread_mutex_lock(&im->lock);
        slot->state = BLOCK_PARSED;
        pthread_cond_broadcast(&im->changed);
        pthread_mutex_unlock(&im->lock);
    }
    return NULL;
}

/* ---- writer ---- */

static struct slot *wait_parsed(struct import *im)
{
    struct slot *slot = &im->ring[im->written % im->ring_size];

    pthread_mutex_lock(&im->lock);
    while (slot->state != BLOCK_PARSED && !(im->read_all && im->written == im->filled))
        pthread_cond_wait(&im->changed, &im->lock);
    if (slot->state != BLOCK_PARSED)
        slot = NULL;
    pthread_mutex_unlock(&im->lock);
    return slot;
}

static int write_block(struct import_block *b, const struct import_sink *sink, void *arg,
                       struct import_counts *counts, struct errtext *e)
{
    int err = b->row_count ? sink->rows(arg, b->rows, b->row_count, e) : 0;

    if (!err && b->reject_count)
        err = sink->rejects(arg, b->rejects, b->reject_count, e);
    if (!err && sink->reached)
        err = sink->reached(arg, &b->end, (int64_t)b->n, e);
    if (err)
        return err;
    counts->rows_read += (int64_t)b->n;
    counts->rejected += (int64_t)b->reject_count;
    counts->imported += (int64_t)b->row_count;
    for (size_t i = 0; i < b->reject_count; i++)
        counts->by_reason[b->rejects[i].reason]++;
    counts->bytes = b->bytes;
    if (sink->progress)
        sink->progress(arg, counts);
    return 0;
}

static int write_stage(struct import *im, const struct import_sink *sink, void *arg,
                       const _Atomic(bool) *stop, struct import_counts *counts,
                       struct errtext *e)
{
    struct slot *slot = NULL;

    while ((slot = wait_parsed(im)) != NULL) {
        int err = stop && atomic_load(stop) ? ECANCELED : 0;
        if (err)
            errtext_set(e, err, 0, 0, "stopped");
        if (!err)
            err = write_block(slot->block, sink, arg, counts, e);
        if (err)
            return err;
        pthread_mutex_lock(&im->lock);
        slot->state = BLOCK_EMPTY;
        im->written++;
        pthread_cond_broadcast(&im->changed);
        pthread_mutex_unlock(&im->lock);
    }
    return im->read_err
               ? errtext_set(e, im->read_err, im->read_e.line, 0, "%s", im->read_e.text)
               : 0;
}

static int start(struct import *im, pthread_t *ids, int *started)
{
    for (; *started <= im->threads; (*started)++) {
        int err = pthread_create(&ids[*started], NULL,
                                 *started == 0 ? read_stage : parse_stage, im);
        if (err)
            return err;
    }
    return 0;
}

static void make_ring(struct import *im)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    im->threads = im->options->threads ? im->options->threads : (int)cpus;
    if (im->threads < 1 || im->threads > THREADS_MAX)
        im->threads = im->threads < 1 ? 1 : THREADS_MAX;
    im->ring_size = (size_t)im->threads * 2 + 2;
    im->ring = xcalloc(im->ring_size, sizeof(*im->ring));
    for (size_t i = 0; i < im->ring_size; i++)
        im->ring[i].block = xcalloc(1, sizeof(struct import_block));
}

int import_run(struct import *im, const struct import_sink *sink, void *arg,
               const _Atomic(bool) *stop, struct import_counts *counts, struct errtext *e)
{
    pthread_t ids[THREADS_MAX + 1];
    int started = 0;

    *counts = (struct import_counts){0};
    make_ring(im);
    int err = start(im, ids, &started);
    if (err)
        errtext_set(e, err, 0, 0, "no threads: %s", strerror(err));
    else
        err = write_stage(im, sink, arg, stop, counts, e);
    pthread_mutex_lock(&im->lock);
    im->over = true;
    pthread_cond_broadcast(&im->changed);
    pthread_mutex_unlock(&im->lock);
    for (int i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    return err;
}
