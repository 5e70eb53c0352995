#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "campaigns/voice_upload_store.h"
#include "server/voice_upload.h"

enum { SPARED_S = 3600 };

/* "<tenant>-<id>", as voice_upload_location writes it. */
static bool read_name(const char *name, int *tenant_id, struct uuid *id)
{
    char *end = NULL;
    long n = strtol(name, &end, 10);

    *tenant_id = (int)n;
    return end != name && *end == '-' && n > 0 && n < 1000000000 &&
           !uuid_parse(end + 1, id);
}

static void look_at(struct server *s, int dir, const char *name)
{
    struct uuid id;
    struct stat st;
    int tenant_id = 0;
    bool wanted = true;

    if (!read_name(name, &tenant_id, &id) ||
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) ||
        clock_real_ms() / 1000 - st.st_mtime < SPARED_S)
        return;
    struct pg *pg = pg_pool_take(s->pool);
    int err = voice_upload_is_wanted(pg, tenant_id, &id, &wanted);
    pg_pool_give(s->pool, pg);
    if (err || wanted)
        return;
    log_warn("voice", "upload=%s is nobody's: removed", name);
    if (unlinkat(dir, name, 0) && errno != ENOENT)
        log_warn("voice", "upload=%s: %s", name, strerror(errno));
}

void voice_uploads_sweep(struct server *s)
{
    char path[700];
    const struct dirent *entry = NULL;

    snprintf(path, sizeof(path), "%s/uploads", s->config.common.data_dir);
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        look_at(s, dirfd(dir), entry->d_name);
    if (dir)
        closedir(dir);
}
