#include "compliance/pack.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errors.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

enum { FILES_MAX = 1024 };

static const char *const kinds[PACK_KINDS] = {
    "windows", "frequency",    "cooldown", "consent", "mobile", "dnc",
    "wash",    "registration", "ring",     "abandon", "voice"};

const char *pack_kind_name(enum pack_kind k)
{
    return kinds[k];
}

bool pack_row_in_force(const struct pack_row *r, int64_t day)
{
    return day >= r->from_day && day < r->until_day;
}

bool pack_is_holiday(const struct pack *p, int64_t day)
{
    size_t low = 0, high = p->holiday_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->holidays[middle] < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->holiday_count && p->holidays[low] == day;
}

void pack_free(struct pack *p)
{
    for (size_t i = 0; i < p->row_count; i++) {
        free(p->rows[i].cite);
        free(p->rows[i].note);
    }
    free(p->rows);
    free(p->holidays);
    free(p->title);
    json_decref(p->json);
    *p = (struct pack){0};
}

void packs_free(struct packs *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        pack_free(&p->at[i]);
    free(p->at);
    free(p);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pack *)a)->name, ((const struct pack *)b)->name);
}

const struct pack *packs_find(const struct packs *p, const char *name)
{
    size_t low = 0, high = p ? p->n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(p->at[middle].name, name);
        if (order == 0)
            return &p->at[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int add(struct packs *p, const char *name, json_t *json, struct errtext *e)
{
    p->at = xrealloc(p->at, (p->n + 1) * sizeof(*p->at));
    int err = pack_read(&p->at[p->n], name, json, e);
    if (!err)
        p->n++;
    return err;
}

static void sort(struct packs *p)
{
    if (p->n > 0)
        qsort(p->at, p->n, sizeof(*p->at), by_name);
}

int packs_read(json_t *object, struct packs **out, struct errtext *e)
{
    struct packs *p = xcalloc(1, sizeof(*p));
    const char *name = NULL;
    json_t *json = NULL;
    int err = json_is_object(object)
                  ? 0
                  : errtext_set(e, EINVAL, 0, 0, "packs must be an object");

    json_object_foreach(object, name, json)
    {
        if (!err)
            err = add(p, name, json, e);
    }
    sort(p);
    if (err)
        packs_free(p);
    else
        *out = p;
    return err;
}

static int add_file(struct packs *p, const char *dir, const char *file, struct errtext *e)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/%s", dir, file);
    CLEANUP(free_cleanup) char *name = xstrdup(file);
    json_error_t at;

    name[strlen(name) - strlen(".json")] = '\0';
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    if (!json)
        return errtext_set(e, EINVAL, at.line, at.column, "%s: %s", path, at.text);
    int err = add(p, name, json, e);
    json_decref(json);
    if (err) {
        const struct errtext inner = *e;
        *e = (struct errtext){0};
        errtext_set(e, err, 0, 0, "%s: %s", path, inner.text);
    }
    return err;
}

int packs_load(const char *dir, struct packs **out, struct errtext *e)
{
    struct packs *p = xcalloc(1, sizeof(*p));
    struct dirent **names = NULL;
    int err = 0;
    int n = scandir(dir, &names, NULL, alphasort);

    if (n < 0)
        err = errtext_set(e, errno, 0, 0, "%s: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *dot = strrchr(names[i]->d_name, '.');
        if (!err && dot && dot != names[i]->d_name && strcmp(dot, ".json") == 0 &&
            p->n < FILES_MAX)
            err = add_file(p, dir, names[i]->d_name, e);
        free(names[i]);
    }
    free(names);
    if (!err && p->n == 0)
        err = errtext_set(e, ENOENT, 0, 0, "%s holds no rule pack (*.json)", dir);
    sort(p);
    if (err)
        packs_free(p);
    else
        *out = p;
    return err;
}

const char *packs_dir(void)
{
    const char *dir = getenv("FURROW_PACKS_DIR");

    return dir && *dir ? dir : FURROW_PACKS;
}

static struct packs *process_packs;

static void load_process_packs(void)
{
    struct errtext e = {0};

    if (packs_load(packs_dir(), &process_packs, &e))
        log_error("packs", "state=unreadable detail=%s", LOG_ESC(e.text));
}

const struct packs *packs_of_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_process_packs);
    return process_packs;
}
