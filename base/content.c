#include "base/content.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/content_ops.h"
#include "base/http.h"
#include "base/str.h"

enum { BLOCK = 65536, CONTENT_MAX_MIB = 256 };

int content_init(struct content *c, const struct config_common *common, struct errtext *e)
{
    *c = (struct content){.ops = &content_local, .config = common};
    if (common->content_bucket[0])
        return content_s3_init(c, e);
    return str_copy(c->base, sizeof(c->base), common->data_dir)
               ? errtext_set(e, EINVAL, 0, 0, "data_dir is too long")
               : 0;
}

const char *content_place(const struct content *c)
{
    return c->base;
}

static bool is_hash(const char *sha256)
{
    return strlen(sha256) == SHA256_TEXT_MAX - 1 &&
           strspn(sha256, "0123456789abcdef") == SHA256_TEXT_MAX - 1;
}

/* <base>/<shelf>/<2>/<sha256>, the same on the disk and in a bucket. */
static int name_of(const struct content *c, enum content_shelf shelf, const char *sha256,
                   char out[CONTENT_NAME_MAX], struct errtext *e)
{
    if (!is_hash(sha256))
        return errtext_set(e, ENOENT, 0, 0, "'%.80s' is no content id", sha256);
    snprintf(out, CONTENT_NAME_MAX, "%s/%s/%.2s/%s", c->base,
             shelf == CONTENT_PROMPTS ? "prompts" : "media", sha256, sha256);
    return 0;
}

/* A handle of this call's own when the caller has none. */
static int with_http(const struct content *c, struct http **http, struct http **own,
                     struct errtext *e)
{
    *own = NULL;
    if (*http || !c->ops->over_http)
        return 0;
    int err = http_new(own, NULL);
    *http = *own;
    return err ? errtext_set(e, err, 0, 0, "%s", strerror(err)) : 0;
}

static int64_t max_bytes(const struct content *c)
{
    int64_t mib = c->config->content_max_mib;

    return (mib > 0 ? mib : CONTENT_MAX_MIB) << 20;
}

static int too_large(const struct content *c, struct errtext *e)
{
    return errtext_set(e, EMSGSIZE, 0, 0, "it is larger than %lld MiB (content_max_mib)",
                       (long long)(max_bytes(c) >> 20));
}

int content_put(const struct content *c, struct http *http, enum content_shelf shelf,
                const char *path, char sha256[SHA256_TEXT_MAX], int64_t *bytes,
                struct errtext *e)
{
    char name[CONTENT_NAME_MAX];
    uint8_t hash[SHA256_BYTES];
    struct http *own = NULL;

    int err = sha256_file(path, hash, bytes);
    if (err)
        return errtext_set(e, err, 0, 0, "%.200s: %s", path, strerror(err));
    if (*bytes > max_bytes(c))
        return too_large(c, e);
    err = name_of(c, shelf, sha256_text(hash, sha256), name, e);
    if (!err)
        err = with_http(c, &http, &own, e);
    if (!err)
        err = c->ops->put(c, http, name, sha256, path, *bytes, e);
    http_free(own);
    if (!err && unlink(path) && errno != ENOENT)
        err = errtext_set(e, errno, 0, 0, "%.200s: %s", path, strerror(errno));
    return err;
}

/* The hash of all that fd holds; fd is at its beginning afterwards. */
static int hash_fd(int fd, char sha256[SHA256_TEXT_MAX])
{
    static _Thread_local unsigned char block[BLOCK];
    crypto_hash_sha256_state st;
    uint8_t hash[SHA256_BYTES];
    off_t at = 0;
    ssize_t n;

    crypto_hash_sha256_init(&st);
    while ((n = pread(fd, block, sizeof(block), at)) > 0) {
        crypto_hash_sha256_update(&st, block, (size_t)n);
        at += n;
    }
    if (n < 0)
        return errno;
    crypto_hash_sha256_final(&st, hash);
    sha256_text(hash, sha256);
    return lseek(fd, 0, SEEK_SET) < 0 ? errno : 0;
}

static int verify(const struct content *c, const char *sha256, int fd, int64_t *bytes,
                  struct errtext *e)
{
    char is[SHA256_TEXT_MAX];
    struct stat st;

    if (fstat(fd, &st))
        return errtext_set(e, errno, 0, 0, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return errtext_set(e, ENOENT, 0, 0, "it is no file");
    if (st.st_size > max_bytes(c))
        return too_large(c, e);
    int err = hash_fd(fd, is);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", strerror(err));
    if (strcmp(is, sha256) != 0)
        return errtext_set(e, EBADMSG, 0, 0,
                           "content %.16s… at %.150s is damaged: its hash is %.16s…",
                           sha256, content_place(c), is);
    *bytes = st.st_size;
    return 0;
}

/* What was stored before there was a bucket is on the disk still. */
static bool disk_of(const struct content *c, struct content *disk)
{
    *disk = (struct content){.ops = &content_local, .config = c->config};
    return c->ops != &content_local &&
           str_copy(disk->base, sizeof(disk->base), c->config->data_dir) == 0;
}

static int open_on_disk(const struct content *c, enum content_shelf shelf,
                        const char *sha256, int *fd)
{
    char name[CONTENT_NAME_MAX];
    struct content disk;

    if (!disk_of(c, &disk) || name_of(&disk, shelf, sha256, name, NULL))
        return ENOENT;
    return disk.ops->open(&disk, NULL, name, fd, NULL);
}

int content_open(const struct content *c, struct http *http, enum content_shelf shelf,
                 const char *sha256, int *fd, int64_t *bytes, struct errtext *e)
{
    char name[CONTENT_NAME_MAX];
    struct http *own = NULL;
    int open_fd = -1;

    int err = name_of(c, shelf, sha256, name, e);
    if (!err)
        err = with_http(c, &http, &own, e);
    if (!err)
        err = c->ops->open(c, http, name, &open_fd, e);
    http_free(own);
    if (err == ENOENT)
        err = open_on_disk(c, shelf, sha256, &open_fd);
    if (err)
        return err;
    err = verify(c, sha256, open_fd, bytes, e);
    if (err)
        close(open_fd);
    else
        *fd = open_fd;
    return err;
}

int content_has(const struct content *c, struct http *http, enum content_shelf shelf,
                const char *sha256, struct errtext *e)
{
    char name[CONTENT_NAME_MAX];
    struct http *own = NULL;

    int err = name_of(c, shelf, sha256, name, e);
    if (!err)
        err = with_http(c, &http, &own, e);
    if (!err)
        err = c->ops->has(c, http, name, e);
    http_free(own);
    return err;
}

int content_delete(const struct content *c, struct http *http, enum content_shelf shelf,
                   const char *sha256, struct errtext *e)
{
    char name[CONTENT_NAME_MAX];
    struct content disk;
    struct http *own = NULL;

    int err = name_of(c, shelf, sha256, name, e);
    if (!err)
        err = with_http(c, &http, &own, e);
    if (!err)
        err = c->ops->remove(c, http, name, e);
    http_free(own);
    if (err || !disk_of(c, &disk))
        return err;
    err = name_of(&disk, shelf, sha256, name, e);
    return err ? err : disk.ops->remove(&disk, NULL, name, e);
}

int content_check(const struct content *c, struct errtext *e)
{
    struct http *http = NULL, *own = NULL;

    int err = with_http(c, &http, &own, e);
    if (!err)
        err = c->ops->check(c, http, e);
    http_free(own);
    return err;
}

const char *content_fd_path(int fd, char out[CONTENT_FD_PATH_MAX])
{
    snprintf(out, CONTENT_FD_PATH_MAX, "/proc/self/fd/%d", fd);
    return out;
}
