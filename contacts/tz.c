/*
 * tz - the table of zones in use.
 *
 * A fixed table of chained handles, grown only by tz_find under the mutex. A
 * handle's rules are one atomic pointer: readers load it without a lock, and
 * tz_refresh stores a new one. Rules once published are kept (a reader may still
 * be using them) on the handle's list of old ones: a few kilobytes a reload.
 */
#include "contacts/tz.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/tz_file.h"

enum { FILE_LIMIT = 1 << 20, PATH_LIMIT = 512, BUCKETS = 256, DAY_S = 86400 };

/* Rules and where they came from, kept for ever once published. */
struct edition {
    struct tz_rules *rules;
    struct edition *older;
};

/* Which file it was: a package replaces files by renaming new ones over them. */
struct file_id {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec written;
};

struct tz_zone {
    char name[TZ_NAME_MAX];
    _Atomic(struct edition *) edition;
    atomic_int broken;    /* why its newest file cannot be used; 0: it can */
    struct file_id file;  /* guarded by lock */
    struct tz_zone *next; /* in the bucket; written once, before publication */
};

/* Guards adding handles and replacing editions; readers take no lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct tz_zone *) buckets[BUCKETS];
static char version_in_use[TZ_VERSION_MAX]; /* guarded by lock; "" not known */

static const char *directory(void)
{
    const char *dir = getenv("TZDIR");

    return dir && *dir ? dir : "/usr/share/zoneinfo";
}

/* Names come from users: nothing that could leave the directory. */
static bool name_is_sound(const char *name)
{
    if (!isupper((unsigned char)name[0]) || strlen(name) >= TZ_NAME_MAX)
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("/_+-", *p))
            return false;
    return true;
}

static bool path_of(const char *name, char path[PATH_LIMIT])
{
    return snprintf(path, PATH_LIMIT, "%s/%s", directory(), name) < PATH_LIMIT;
}

/* All zero when there is none. */
static struct file_id identify(const char *name)
{
    char path[PATH_LIMIT];
    struct stat st;

    if (!path_of(name, path) || stat(path, &st))
        return (struct file_id){0};
    return (struct file_id){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool is_same(const struct file_id *a, const struct file_id *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->written.tv_sec == b->written.tv_sec &&
           a->written.tv_nsec == b->written.tv_nsec;
}

static int load(const char *name, struct tz_rules **out)
{
    CLEANUP(free_cleanup) char *data = NULL;
    char path[PATH_LIMIT];
    size_t len = 0;

    if (!path_of(name, path))
        return ENOENT;
    if (files_read(path, FILE_LIMIT, &data, &len))
        return ENOENT;
    return tz_rules_parse(out, (const unsigned char *)data, len);
}

static unsigned bucket_of(const char *name)
{
    uint32_t h = 2166136261U;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619U;
    return h % BUCKETS;
}

static struct tz_zone *lookup(unsigned bucket, const char *name)
{
    struct tz_zone *z = atomic_load_explicit(&buckets[bucket], memory_order_acquire);

    while (z && strcmp(z->name, name) != 0)
        z = z->next;
    return z;
}

static void publish(struct tz_zone *z, struct tz_rules *rules)
{
    struct edition *e = xcalloc(1, sizeof(*e));

    e->rules = rules;
    e->older = atomic_load_explicit(&z->edition, memory_order_relaxed);
    atomic_store_explicit(&z->edition, e, memory_order_release);
}

static int add(unsigned bucket, const char *name, struct tz_zone **out)
{
    struct tz_rules *rules = NULL;

    *out = lookup(bucket, name);
    if (*out)
        return 0;
    /* Before it is read: one that is replaced meanwhile is read again. */
    struct file_id file = identify(name);
    int err = load(name, &rules);
    if (err)
        return err;
    struct tz_zone *z = xcalloc(1, sizeof(*z));
    str_cut(z->name, sizeof(z->name), name);
    z->file = file;
    z->next = atomic_load_explicit(&buckets[bucket], memory_order_relaxed);
    publish(z, rules);
    atomic_store_explicit(&buckets[bucket], z, memory_order_release);
    *out = z;
    return 0;
}

int tz_find(const char *name, const struct tz_zone **out)
{
    struct tz_zone *z = NULL;

    if (!name)
        return ENOENT;
    unsigned bucket = bucket_of(name);
    z = lookup(bucket, name);
    if (!z && !name_is_sound(name))
        return ENOENT;
    if (!z) {
        pthread_mutex_lock(&lock);
        int err = add(bucket, name, &z);
        pthread_mutex_unlock(&lock);
        if (err)
            return err;
    }
    int broken = atomic_load_explicit(&z->broken, memory_order_acquire);
    if (!broken)
        *out = z;
    return broken;
}

/* The lock is held. True: its file was replaced. */
static bool refresh(struct tz_zone *z)
{
    struct file_id file = identify(z->name);
    struct tz_rules *rules = NULL;

    if (is_same(&file, &z->file))
        return false;
    int err = load(z->name, &rules);
    z->file = file;
    if (!err)
        publish(z, rules);
    else
        log_error("tz", "zone=%s err=%d its file cannot be read: no calls there", z->name,
                  err);
    atomic_store_explicit(&z->broken, err, memory_order_release);
    return true;
}

int tz_refresh(char version[TZ_VERSION_MAX])
{
    char now[TZ_VERSION_MAX] = "";
    size_t changed = 0;

    pthread_mutex_lock(&lock);
    int err = tz_version(now);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct tz_zone *z = atomic_load_explicit(&buckets[i], memory_order_relaxed);
             z; z = z->next)
            changed += refresh(z);
    if (version_in_use[0] && (changed > 0 || strcmp(now, version_in_use) != 0))
        log_info("tz", "version=%s was=%s zones_read_again=%zu", now, version_in_use,
                 changed);
    str_cut(version_in_use, sizeof(version_in_use), now);
    pthread_mutex_unlock(&lock);
    str_cut(version, TZ_VERSION_MAX, now);
    return err;
}

const char *tz_name(const struct tz_zone *zone)
{
    return zone->name;
}

static const struct tz_rules *rules_of(const struct tz_zone *zone)
{
    return atomic_load_explicit(&zone->edition, memory_order_acquire)->rules;
}

static int64_t to_seconds(int64_t at_ms)
{
    return at_ms / 1000 - (at_ms % 1000 < 0);
}

int32_t tz_offset_s(const struct tz_zone *zone, int64_t at_ms)
{
    return tz_rules_offset_s(rules_of(zone), to_seconds(at_ms));
}

int zone_offset_ms(const char *name, int64_t at_ms, int64_t *offset_ms)
{
    const struct tz_zone *zone = NULL;
    int err = tz_find(name, &zone);

    if (!err)
        *offset_ms = (int64_t)tz_offset_s(zone, at_ms) * 1000;
    return err;
}

/* ---- the calendar ---- */

/* Years are counted from 1 March, so that the leap day is a year's last; 400
 * years are one cycle of 146097 days. */
int64_t tz_day_number(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t cycle = (y >= 0 ? y : y - 399) / 400;
    int64_t in_cycle = y - cycle * 400;
    int64_t march_month = month > 2 ? month - 3 : month + 9;
    int64_t in_year = (153 * march_month + 2) / 5 + day - 1;

    return cycle * 146097 + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + in_year -
           719468;
}

void tz_day_date(int64_t day, int *year, int *month, int *out_day)
{
    int64_t n = day + 719468;
    int64_t cycle = (n >= 0 ? n : n - 146096) / 146097;
    int64_t in_cycle = n - cycle * 146097;
    int64_t y = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
    int64_t in_year = in_cycle - (365 * y + y / 4 - y / 100);
    int64_t march_month = (5 * in_year + 2) / 153;

    *out_day = (int)(in_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int)(y + cycle * 400 + (*month <= 2));
}

int tz_day_weekday(int64_t day)
{
    int64_t since_monday = (day + 3) % 7; /* 1970-01-01 was a Thursday */

    return (int)(since_monday < 0 ? since_monday + 7 : since_monday) + 1;
}

struct tz_local tz_local_at(const struct tz_zone *zone, int64_t at_ms)
{
    struct tz_local l = {.offset_s = tz_offset_s(zone, at_ms)};
    int64_t wall_s = to_seconds(at_ms) + l.offset_s;
    int64_t day = wall_s / DAY_S - (wall_s % DAY_S < 0);
    int in_day = (int)(wall_s - day * DAY_S);

    tz_day_date(day, &l.year, &l.month, &l.day);
    l.weekday = tz_day_weekday(day);
    l.hour = in_day / 3600;
    l.minute = in_day / 60 % 60;
    l.second = in_day % 60;
    return l;
}

int tz_next_change(const struct tz_zone *zone, int64_t at_ms, int64_t *out_ms)
{
    const struct tz_rules *r = rules_of(zone);
    int64_t at_s = to_seconds(at_ms);
    int32_t before_s = tz_rules_offset_s(r, at_s);

    /* Transitions that only rename or relabel the time are skipped. */
    for (size_t i = 0; i <= r->count + 4; i++) {
        int err = tz_rules_next(r, at_s, &at_s);
        if (err)
            return err;
        if (tz_rules_offset_s(r, at_s) != before_s) {
            *out_ms = at_s * 1000;
            return 0;
        }
    }
    return ENODATA;
}

static size_t add_instant(const struct tz_rules *r, int64_t wall_s, int32_t offset_s,
                          int64_t *out_ms, size_t n)
{
    int64_t at_ms = (wall_s - offset_s) * 1000;

    if (n == TZ_INSTANTS_MAX || tz_rules_offset_s(r, wall_s - offset_s) != offset_s)
        return n;
    size_t i = n;
    for (size_t k = 0; k < n; k++)
        if (out_ms[k] == at_ms)
            return n;
    for (; i > 0 && out_ms[i - 1] > at_ms; i--)
        out_ms[i] = out_ms[i - 1];
    out_ms[i] = at_ms;
    return n + 1;
}

/* Every offset in force within 30 h of the wall clock read as UTC is tried: no
 * zone is farther from UTC, nor jumps farther, than that. */
size_t tz_instants(const struct tz_zone *zone, const struct tz_local *local,
                   int64_t out_ms[TZ_INSTANTS_MAX])
{
    enum { AROUND_S = 30 * 3600 };
    const struct tz_rules *r = rules_of(zone);
    int64_t wall_s = tz_day_number(local->year, local->month, local->day) * DAY_S +
                     (int64_t)local->hour * 3600 + (int64_t)local->minute * 60 +
                     local->second;
    int64_t at_s = wall_s - AROUND_S;
    size_t n = add_instant(r, wall_s, tz_rules_offset_s(r, at_s), out_ms, 0);

    while (tz_rules_next(r, at_s, &at_s) == 0 && at_s <= wall_s + AROUND_S)
        n = add_instant(r, wall_s, tz_rules_offset_s(r, at_s), out_ms, n);
    return n;
}

int tz_version(char out[TZ_VERSION_MAX])
{
    static const char mark[] = "# version ";
    char path[PATH_LIMIT], line[64] = "";
    const char *version = NULL;

    for (int i = 0; i < 2 && !version; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory(), i ? "+VERSION" : "tzdata.zi");
        FILE *f = fopen(path, "re");
        if (f && fgets(line, sizeof(line), f)) {
            line[strcspn(line, "\r\n")] = '\0';
            if (i)
                version = line;
            else if (strncmp(line, mark, sizeof(mark) - 1) == 0)
                version = line + sizeof(mark) - 1;
        }
        if (f)
            fclose(f);
    }
    return version && *version && !str_copy(out, TZ_VERSION_MAX, version) ? 0 : ENOENT;
}
