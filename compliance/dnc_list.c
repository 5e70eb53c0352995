#include "compliance/dnc_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"

enum { LISTS_MAX = 64, LOOK_EVERY_MS = 1000, SLOTS_MAX = 800, PIECE = 64 };

enum part { UNKNOWN, SOUND, DAMAGED };

struct dnc_list {
    char name[LIST_NAME_MAX];
    const struct dnc_head *head; /* NULL: damaged */
    void *map;
    size_t size;
    struct stat file; /* to see a new one */
    _Atomic unsigned char slots[SLOTS_MAX], others;
    int pins; /* with the lock */
    bool current;
};

struct dnc_lists {
    char *dir;
    pthread_mutex_t lock;
    struct dnc_list *at[LISTS_MAX];
    size_t n;
    int64_t looked_at_ms;
    bool looked;
};

_Static_assert(LIST_CLEAR == 0 && LIST_HIT == 1, "a bit is the answer");

/* ---- sums ---- */

void dnc_sum(const void *data, size_t len, uint8_t out[DNC_SUM_BYTES])
{
    uint8_t hash[SHA256_BYTES];

    sha256_of(data, len, hash);
    memcpy(out, hash, DNC_SUM_BYTES);
}

void dnc_head_sum(const struct dnc_head *head, uint8_t out[DNC_SUM_BYTES])
{
    struct dnc_head *copy = xmalloc(sizeof(*copy));

    memcpy(copy, head, sizeof(*copy));
    memset(copy->head_sum, 0, sizeof(copy->head_sum));
    dnc_sum(copy, sizeof(*copy), out);
    free(copy);
}

/* ---- one file ---- */

static bool head_is_sound(const struct dnc_list *l)
{
    const struct dnc_head *h = l->map;
    uint8_t sum[DNC_SUM_BYTES];

    if (l->size < sizeof(*h) || memcmp(h->magic, "FURDNC1", 8) != 0 ||
        h->head_bytes != sizeof(*h) || h->slot_count > SLOTS_MAX ||
        h->other_count > (uint64_t)1 << 40 ||
        strnlen(h->name, sizeof(h->name)) >= sizeof(h->name))
        return false;
    if (l->size != sizeof(*h) + (size_t)h->slot_count * DNC_SLOT_BYTES +
                       h->other_count * sizeof(uint64_t))
        return false;
    for (int code = 0; code < DNC_CODES; code++)
        if (h->slot_of[code] > h->slot_count)
            return false;
    dnc_head_sum(h, sum);
    return memcmp(sum, h->head_sum, sizeof(sum)) == 0 && strcmp(h->name, l->name) == 0;
}

static struct dnc_list *open_list(int dir, const char *file, const char *name)
{
    struct dnc_list *l = xcalloc(1, sizeof(*l));
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);

    str_cut(l->name, sizeof(l->name), name);
    if (fd >= 0 && !fstat(fd, &l->file) && S_ISREG(l->file.st_mode) &&
        l->file.st_size > 0) {
        l->size = (size_t)l->file.st_size;
        l->map = mmap(NULL, l->size, PROT_READ, MAP_SHARED, fd, 0);
        if (l->map == MAP_FAILED)
            l->map = NULL;
    }
    if (fd >= 0)
        close(fd);
    if (l->map && head_is_sound(l))
        l->head = l->map;
    return l;
}

static void close_list(struct dnc_list *l)
{
    if (l->map)
        munmap(l->map, l->size);
    free(l);
}

static const uint8_t *slot_at(const struct dnc_list *l, uint32_t slot)
{
    return (const uint8_t *)l->map + sizeof(*l->head) + (size_t)slot * DNC_SLOT_BYTES;
}

static const uint64_t *others_of(const struct dnc_list *l)
{
    return (const void *)slot_at(l, l->head->slot_count);
}

/* Checked when first asked; two threads may both do it. */
static bool part_is_sound(_Atomic unsigned char *state, const void *data, size_t len,
                          const uint8_t sum[DNC_SUM_BYTES])
{
    unsigned char known = atomic_load_explicit(state, memory_order_acquire);
    uint8_t is[DNC_SUM_BYTES];

    if (known == UNKNOWN) {
        dnc_sum(data, len, is);
        known = memcmp(is, sum, sizeof(is)) == 0 ? SOUND : DAMAGED;
        atomic_store_explicit(state, known, memory_order_release);
    }
    return known == SOUND;
}

static enum list_state look_in_slot(struct dnc_list *l, int64_t national)
{
    uint16_t slot = l->head->slot_of[national / DNC_SLOT_BITS];
    int64_t bit = national % DNC_SLOT_BITS;

    if (slot == 0)
        return LIST_CLEAR;
    const uint8_t *bits = slot_at(l, (uint32_t)slot - 1);
    if (!part_is_sound(&l->slots[slot - 1], bits, DNC_SLOT_BYTES,
                       l->head->slot_sums[slot - 1]))
        return LIST_CORRUPT;
    /* Without a branch on what memory has yet to bring: lookups of a batch overlap. */
    return (enum list_state)(bits[bit / 8] >> (bit % 8) & 1);
}

static enum list_state look_in_others(struct dnc_list *l, uint64_t number)
{
    const uint64_t *at = others_of(l);
    size_t low = 0, high = l->head->other_count;

    if (!part_is_sound(&l->others, at, high * sizeof(*at), l->head->other_sum))
        return LIST_CORRUPT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (at[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->head->other_count && at[low] == number ? LIST_HIT : LIST_CLEAR;
}

enum list_state dnc_list_look(struct dnc_list *l, int64_t e164)
{
    static const int64_t one = INT64_C(10000000000); /* +1 and ten digits */

    if (!l->head)
        return LIST_CORRUPT;
    if (e164 / one == 1)
        return look_in_slot(l, e164 % one);
    return look_in_others(l, (uint64_t)e164);
}

/* In pieces: the first pass asks for the memory of all of them, the second reads it when
 * it is there. */
static void look_piece(struct dnc_list *l, const int64_t *e164, size_t n,
                       enum list_state *out)
{
    static const int64_t one = INT64_C(10000000000);
    const uint8_t *bytes[PIECE];

    for (size_t i = 0; i < n; i++) {
        uint64_t national = (uint64_t)e164[i] - (uint64_t)one;
        bytes[i] = NULL;
        if (national >= (uint64_t)one)
            continue;
        uint16_t slot = l->head->slot_of[national / DNC_SLOT_BITS];
        if (slot == 0 ||
            atomic_load_explicit(&l->slots[slot - 1], memory_order_acquire) != SOUND)
            continue;
        bytes[i] = slot_at(l, (uint32_t)slot - 1) + national % DNC_SLOT_BITS / 8;
        __builtin_prefetch(bytes[i]);
    }
    for (size_t i = 0; i < n; i++)
        out[i] = bytes[i]
                     ? (enum list_state)(*bytes[i] >> (e164[i] % DNC_SLOT_BITS % 8) & 1)
                     : dnc_list_look(l, e164[i]);
}

void dnc_list_look_many(struct dnc_list *l, const int64_t *e164, size_t n,
                        enum list_state *out)
{
    for (size_t i = 0; i < n && !l->head; i++)
        out[i] = LIST_CORRUPT;
    for (size_t i = 0; i < n && l->head; i += PIECE)
        look_piece(l, e164 + i, n - i < PIECE ? n - i : PIECE, out + i);
}

bool dnc_list_verify(struct dnc_list *l)
{
    uint64_t count = 0;

    if (!l->head)
        return false;
    for (uint32_t i = 0; i < l->head->slot_count; i++) {
        const uint8_t *bits = slot_at(l, i);
        if (!part_is_sound(&l->slots[i], bits, DNC_SLOT_BYTES, l->head->slot_sums[i]))
            return false;
        for (size_t k = 0; k < DNC_SLOT_BYTES; k++)
            count += (uint64_t)__builtin_popcount(bits[k]);
    }
    return part_is_sound(&l->others, others_of(l),
                         l->head->other_count * sizeof(uint64_t), l->head->other_sum) &&
           count + l->head->other_count == l->head->count;
}

const struct dnc_head *dnc_list_head(const struct dnc_list *l)
{
    return l->head;
}

const char *dnc_list_name(const struct dnc_list *l)
{
    return l->name;
}

/* ---- a folder ---- */

struct dnc_lists *dnc_lists_new(const char *dir)
{
    struct dnc_lists *lists = xcalloc(1, sizeof(*lists));

    lists->dir = xstrdup(dir);
    pthread_mutex_init(&lists->lock, NULL);
    return lists;
}

static void drop(struct dnc_lists *lists, size_t i)
{
    struct dnc_list *l = lists->at[i];

    lists->at[i] = lists->at[--lists->n];
    l->current = false;
    if (l->pins == 0)
        close_list(l);
}

void dnc_lists_free(struct dnc_lists *lists)
{
    if (!lists)
        return;
    while (lists->n > 0)
        drop(lists, 0);
    pthread_mutex_destroy(&lists->lock);
    free(lists->dir);
    free(lists);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static size_t find(const struct dnc_lists *lists, const char *name)
{
    size_t i = 0;

    while (i < lists->n && strcmp(lists->at[i]->name, name) != 0)
        i++;
    return i;
}

static void look_at_file(struct dnc_lists *lists, int dir, const char *file)
{
    char name[LIST_NAME_MAX];
    size_t len = strlen(file);
    struct stat st;

    if (len <= 4 || len - 4 >= sizeof(name) || strcmp(file + len - 4, ".dnc") != 0 ||
        file[0] == '.' || fstatat(dir, file, &st, 0))
        return;
    memcpy(name, file, len - 4);
    name[len - 4] = '\0';
    size_t i = find(lists, name);
    if (i < lists->n && is_same_file(&lists->at[i]->file, &st))
        return;
    if (i < lists->n)
        drop(lists, i);
    else if (lists->n == LISTS_MAX)
        return;
    lists->at[lists->n] = open_list(dir, file, name);
    lists->at[lists->n++]->current = true;
}

/* With the lock: files that came, changed and went. */
static void look(struct dnc_lists *lists, int64_t now_ms)
{
    if (lists->looked && now_ms - lists->looked_at_ms < LOOK_EVERY_MS)
        return;
    lists->looked = true;
    lists->looked_at_ms = now_ms;
    DIR *dir = opendir(lists->dir);
    for (size_t i = lists->n; i-- > 0;) {
        char file[LIST_NAME_MAX + 8];
        struct stat st;
        snprintf(file, sizeof(file), "%s.dnc", lists->at[i]->name);
        if (!dir || fstatat(dirfd(dir), file, &st, 0))
            drop(lists, i);
    }
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        look_at_file(lists, dirfd(dir), entry->d_name);
    if (dir)
        closedir(dir);
}

struct dnc_list *dnc_lists_pin(struct dnc_lists *lists, const char *name, int64_t now_ms)
{
    struct dnc_list *found = NULL;

    pthread_mutex_lock(&lists->lock);
    look(lists, now_ms);
    size_t i = find(lists, name);
    if (i < lists->n) {
        found = lists->at[i];
        found->pins++;
    }
    pthread_mutex_unlock(&lists->lock);
    return found;
}

void dnc_lists_pin_all(struct dnc_lists *lists, int64_t now_ms, struct dnc_list **out,
                       size_t max, size_t *n)
{
    pthread_mutex_lock(&lists->lock);
    look(lists, now_ms);
    for (*n = 0; *n < lists->n && *n < max; ++*n) {
        out[*n] = lists->at[*n];
        out[*n]->pins++;
    }
    pthread_mutex_unlock(&lists->lock);
}

void dnc_lists_unpin(struct dnc_lists *lists, struct dnc_list *list)
{
    if (!list)
        return;
    pthread_mutex_lock(&lists->lock);
    if (--list->pins == 0 && !list->current)
        close_list(list);
    pthread_mutex_unlock(&lists->lock);
}

/* ---- of this process ---- */

static struct dnc_lists *process_lists;

void dnc_lists_use(const char *dir)
{
    if (!process_lists)
        process_lists = dnc_lists_new(dir);
}

struct dnc_lists *dnc_lists_of_process(void)
{
    return process_lists;
}
