#include "server/voice_upload.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/audio_probe.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/multipart.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "batches/caller_store.h"
#include "campaigns/slot_store.h"
#include "campaigns/voice_upload_store.h"
#include "contacts/phone.h"

enum { PATH_SIZE = 700, EXTENSION_MAX = 8, LANGUAGE_MAX = 8 };

static const struct {
    const char *name, *pipeline;
} endpoints[] = {
    [VOICE_TRANSCRIBE] = {"transcribe", "transcribe"},
    [VOICE_COMMAND] = {"process-command", "command"},
    [VOICE_ASR_NLU] = {"asr-nlu", "understand"},
    [VOICE_ASYNC] = {"upload-async", "command"},
};

struct incoming {
    struct multipart form;
    const struct multipart_part *file;
    struct voice_upload row;
    char language[LANGUAGE_MAX];
    bool language_said;
};

/* --- what is refused ---------------------------------------------------------------- */

static void refuse_field(const struct request *req, struct response *resp,
                         const char *field, const char *text, const char *type)
{
    const struct fault f = {.field = field, .text = text, .type = type};

    request_refuse_fields(req, resp, &f, 1);
}

static void refuse_size(const struct request *req, bool async, struct response *resp)
{
    if (async)
        request_refuse(req, resp, 400, "Audio file too large (max 25MB)");
    else
        request_refuse(
            req, resp, 413,
            "Audio file too large (max 25MB): send a shorter recording, or one "
            "in a format that is compressed, such as .mp3");
}

void voice_upload_too_large(const struct request *req, struct response *resp)
{
    const char *path = req->path;

    if (strncmp(path, "/voice/", 7) == 0 || strcmp(path, "/asr-nlu") == 0)
        refuse_size(req, strstr(path, "upload-async") != NULL, resp);
    else
        request_refuse(req, resp, 413, "the body is over this path's limit");
}

/* The end of a client's file name, if it looks like one: ".txt". */
static void extension_of(const char *name, char out[EXTENSION_MAX])
{
    const char *dot = strrchr(name, '.');
    size_t n = 1;

    out[0] = '\0';
    while (dot && isalnum((unsigned char)dot[n]))
        n++;
    if (!dot || n < 2 || dot[n] || n >= EXTENSION_MAX)
        return;
    for (size_t i = 0; i <= n; i++)
        out[i] = (char)tolower((unsigned char)dot[i]);
}

static void refuse_kind(const struct request *req, bool async, const char *file_name,
                        struct response *resp)
{
    static const char supported[] = ".wav, .mp3, .m4a, .aac, .flac, .ogg, .wma";
    char extension[EXTENSION_MAX], text[300];

    if (async) {
        request_refuse(req, resp, 400,
                       "Invalid audio format. Supported: .wav, .mp3, .m4a, .ogg, .aiff");
        return;
    }
    extension_of(file_name, extension);
    bool sounds = extension[0] && strstr(supported, extension);
    snprintf(
        text, sizeof(text),
        "Audio validation failed: Unsupported audio format: %s%s. Supported formats: "
        "%s",
        extension[0] ? extension : "unknown",
        sounds ? " by its name, but its content is no sound file" : "", supported);
    request_refuse(req, resp, 400, text);
}

/* A body of another type. What programs send that forget the file lacks a field. */
static void refuse_type(const struct request *req, const char *type,
                        struct response *resp)
{
    static const char *const forgetful[] = {"application/json", "text/",
                                            "application/x-www-form-urlencoded"};
    bool missing = !type || req->body_len == 0;

    for (size_t i = 0; i < ARRAY_LEN(forgetful); i++)
        missing |= type && strncasecmp(type, forgetful[i], strlen(forgetful[i])) == 0;
    if (missing)
        refuse_field(req, resp, "file", "Field required", "missing");
    else
        request_refuse(req, resp, 415,
                       "Unsupported media type: send multipart/form-data with the sound "
                       "file in the field 'file', e.g. curl -F file=@recording.wav");
}

/* --- reading --------------------------------------------------------------------------
 */

static bool read_form(const struct request *req, struct incoming *in,
                      struct response *resp)
{
    const char *type = request_header(req, "Content-Type");
    char boundary[MULTIPART_BOUNDARY_MAX], text[400];
    struct errtext e = {0};

    int err = type && req->body_len ? multipart_boundary(type, boundary) : EINVAL;
    if (err == EINVAL) {
        refuse_type(req, type, resp);
        return false;
    }
    if (err)
        errtext_set(&e, err, 0, 0, "Content-Type names no boundary");
    else
        err = multipart_read(&in->form, boundary, req->body, req->body_len, &e);
    if (err) {
        snprintf(text, sizeof(text), "There was an error parsing the body: %s", e.text);
        request_refuse(req, resp, 400, text);
        return false;
    }
    in->file = multipart_find(&in->form, "file");
    if (!in->file)
        refuse_field(req, resp, "file", "Field required", "missing");
    else if (!in->file->is_file)
        refuse_field(req, resp, "file", "Input should be a file", "value_error");
    return in->file && in->file->is_file;
}

/* "en" when nothing is said; "auto" lets the speech service find out. */
static bool read_language(const struct request *req, struct incoming *in,
                          struct response *resp)
{
    const struct multipart_part *part = multipart_find(&in->form, "language");
    size_t n = part ? part->len : 0;

    memcpy(in->language, "en", 3);
    in->language_said = n > 0;
    if (n == 0)
        return true;
    bool good = !part->is_file && n >= 2 && n < LANGUAGE_MAX;
    for (size_t i = 0; good && i < n; i++)
        good = isalpha((unsigned char)part->data[i]) || (i >= 2 && part->data[i] == '-');
    if (!good) {
        refuse_field(req, resp, "language",
                     "Input should be a language, such as en, am or om, or auto",
                     "value_error");
        return false;
    }
    memcpy(in->language, part->data, n);
    in->language[n] = '\0';
    if (strcmp(in->language, "auto") == 0)
        in->language[0] = '\0';
    return true;
}

/* Whose recording it is: the batch will be theirs, and the answer by SMS goes to them. */
static bool read_phone(const struct request *req, struct incoming *in,
                       struct response *resp)
{
    const struct multipart_part *part = multipart_find(&in->form, "phone_number");
    struct phone phone = {0};

    if (!part || part->len == 0)
        return true;
    enum phone_error error = part->is_file
                                 ? PHONE_NOT_A_NUMBER
                                 : phone_parse(part->data, part->len, NULL, &phone);
    if (error != PHONE_VALID && error != PHONE_INVALID) {
        refuse_field(req, resp, "phone_number",
                     "Input should be a phone number with its country code, such as "
                     "+251911234567",
                     "value_error");
        return false;
    }
    in->row.phone = phone.e164;
    return true;
}

static bool read_key(const struct request *req, struct incoming *in,
                     struct response *resp)
{
    const char *key = request_header(req, "Idempotency-Key");
    size_t n = key ? strlen(key) : 0;

    if (!key)
        return true;
    if (n == 0 || n >= VOICE_KEY_MAX || !str_is_utf8(key, n)) {
        request_refuse(req, resp, 400, "Idempotency-Key is 1 to 199 letters and digits");
        return false;
    }
    in->row.idempotency_key = key;
    return true;
}

/* False: it is refused, and the answer is in resp. */
static bool read_request(const struct request *req, enum voice_endpoint endpoint,
                         struct incoming *in, struct response *resp)
{
    bool async = endpoint == VOICE_ASYNC;
    uint8_t hash[SHA256_BYTES];

    if (!read_form(req, in, resp) || !read_language(req, in, resp) ||
        !read_phone(req, in, resp) || !read_key(req, in, resp))
        return false;
    if (in->file->len > VOICE_FILE_MAX) {
        refuse_size(req, async, resp);
        return false;
    }
    enum audio_kind kind = audio_probe(in->file->data, in->file->len);
    if (kind == AUDIO_NONE) {
        refuse_kind(req, async, in->file->filename, resp);
        return false;
    }
    sha256_of(in->file->data, in->file->len, hash);
    sha256_text(hash, in->row.file_sha256);
    in->row.id = uuid_v7(clock_now_ms());
    in->row.endpoint = endpoints[endpoint].name;
    in->row.pipeline = endpoints[endpoint].pipeline;
    in->row.language = in->language;
    in->row.key_name = req->key_name;
    in->row.file_name = str_is_utf8(in->file->filename, strlen(in->file->filename))
                            ? in->file->filename
                            : "";
    in->row.format = audio_kind_name(kind);
    in->row.bytes = (int64_t)in->file->len;
    return true;
}

/* --- keeping --------------------------------------------------------------------------
 */

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Nobody but us may enter the folder; in it, a confined reader may read. */
static int lay_down(const char *path, const struct multipart_part *file)
{
    char dir[PATH_SIZE];

    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    int err = files_mkdirs(dir);
    if (!err && chmod(dir, 0700))
        err = errno;
    if (err)
        return err;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    err = write_all(fd, file->data, file->len);
    if (!err && (fchmod(fd, 0644) || fsync(fd)))
        err = errno;
    if (close(fd) && !err)
        err = errno;
    if (err)
        unlink(path);
    return err;
}

/* Who says no language is taken to speak their own, where it is known. */
static int choose_language(const struct request *req, struct incoming *in)
{
    const struct server *s = req->app;
    struct caller caller;

    if (in->language_said || !in->row.phone)
        return 0;
    struct pg *pg = pg_pool_take(s->pool);
    int err = caller_find(pg, req->tenant_id, in->row.phone, &caller);
    pg_pool_give(s->pool, pg);
    if (!err && caller.registered && *caller.language)
        str_cut(in->language, sizeof(in->language), caller.language);
    return err;
}

/* 0: it was sent before, and *id is that one; ENOENT: it was not. */
static int find_before(const struct request *req, const struct incoming *in,
                       struct uuid *id)
{
    const struct server *s = req->app;

    if (!in->row.idempotency_key)
        return ENOENT;
    struct pg *pg = pg_pool_take(s->pool);
    int err = voice_upload_find(pg, req->tenant_id, &in->row, id);
    pg_pool_give(s->pool, pg);
    return err;
}

static int add_row(const struct request *req, const struct incoming *in)
{
    const struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    int err = voice_upload_add(pg, req->tenant_id, &in->row, clock_now_ms());

    pg_pool_give(s->pool, pg);
    return err;
}

static int keep(const struct request *req, const struct incoming *in, struct uuid *id)
{
    const struct server *s = req->app;
    char path[PATH_SIZE], location[VOICE_LOCATION_MAX];

    snprintf(path, sizeof(path), "%s/%s", s->config.common.data_dir,
             voice_upload_location(req->tenant_id, &in->row.id, location));
    int err = lay_down(path, in->file); /* and no connection is held meanwhile */
    if (err) {
        log_error("voice", "%s: %s", path, strerror(err));
        return err;
    }
    err = add_row(req, in);
    if (err)
        unlink(path);
    if (err == EEXIST) /* the same at the same time */
        return find_before(req, in, id);
    *id = in->row.id;
    return err;
}

/* ENXIO: nobody would do it. */
static int find_worker(const struct request *req)
{
    const struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    int workers = 0, err = slot_count_live(pg, "worker", &workers);

    pg_pool_give(s->pool, pg);
    return err || workers > 0 ? err : ENXIO;
}

static void refuse_error(const struct request *req, int err, struct response *resp)
{
    if (err == EXDEV) {
        request_refuse(
            req, resp, 422,
            "This Idempotency-Key came before with another file, language, phone "
            "number or path: send a new key with each new recording");
        return;
    }
    respond_header(resp, "Retry-After", "10");
    request_refuse(req, resp, 503,
                   err == ENXIO ? "No worker is running: nothing was kept; send it again "
                                  "later, or to /voice/upload-async"
                                : "It cannot be kept now: send it again later");
}

bool voice_upload_take(const struct request *req, enum voice_endpoint endpoint,
                       struct uuid *id, struct response *resp)
{
    if (!req->aside && req->body_len > 0) {
        resp->aside = true;
        return false;
    }
    struct incoming *in = xcalloc(1, sizeof(*in));
    if (!read_request(req, endpoint, in, resp)) {
        free(in);
        return false;
    }
    int err = choose_language(req, in);
    if (!err)
        err = find_before(req, in, id);
    bool is_new = err == ENOENT;
    if (is_new)
        err = endpoint == VOICE_ASYNC ? 0 : find_worker(req);
    if (is_new && !err)
        err = keep(req, in, id);
    if (err)
        refuse_error(req, err, resp);
    free(in);
    return err == 0;
}
