#include "cli/flow_source.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "speech/speech.h"

static int read_stdin(char **out, size_t *len)
{
    struct buf b = {0};
    char chunk[8192];

    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), stdin)) > 0;) {
        buf_add(&b, chunk, n);
        if (b.len > IVR_SOURCE_MAX) {
            buf_free(&b);
            return EMSGSIZE;
        }
    }
    *len = b.len;
    *out = buf_take(&b);
    return 0;
}

static int keep(struct flow_source *f, char *text, const char **out, size_t *len)
{
    if (f->text_count == ARRAY_LEN(f->texts)) {
        free(text);
        return EMSGSIZE;
    }
    f->texts[f->text_count++] = text;
    *out = text;
    *len = strlen(text);
    return 0;
}

/* A name becomes a file name only when it cannot leave the folder. */
static bool beside(const struct flow_source *f, const char *name, char **out)
{
    CLEANUP(free_cleanup) char *copy = xstrdup(f->path);
    char path[PATH_MAX];
    size_t len = 0;

    if (strchr(name, '/') || name[0] == '.')
        return false;
    int n = snprintf(path, sizeof(path), "%s/%s.json", dirname(copy), name);
    return n < (int)sizeof(path) && !files_read(path, IVR_SOURCE_MAX, out, &len);
}

static int resolve(const char *name, const char *sha256, const char **text, size_t *len,
                   void *arg)
{
    struct flow_source *f = arg;
    struct flow_row row;
    char *found = NULL;

    /* An author works on the newest of everything; what is published holds what is. */
    if (!f->published && beside(f, name, &found))
        return keep(f, found, text, len);
    if (!f->cli->config.common.database_url[0] || cli_open_pg(f->cli))
        return ENOENT;
    int err =
        f->published && sha256[0]
            ? flow_load_by_hash(f->cli->pg, f->cli->tenant_id, name, sha256, &row, &found)
            : flow_load_by_name(f->cli->pg, f->cli->tenant_id, name, &row, &found);
    return err ? err : keep(f, found, text, len);
}

static void free_voices(char ***voices)
{
    speech_voices_free(*voices);
}

/* What furrow-server can say at providers that have no voice, as far as this machine
 * tells. NULL: nothing, or nobody asks. */
static char **own_voices(const char *const *backends)
{
    char folder[] = "/tmp/furrow-voices-XXXXXX", version[32];
    char **voices = NULL;
    bool asks = false;

    for (const char *const *b = backends; b && *b; b++)
        asks |= strcmp(*b, "twiml") == 0 || strcmp(*b, "plivo") == 0;
    if (!asks || !mkdtemp(folder))
        return NULL;
    int err = speech_engine(folder, version, sizeof(version), &voices);
    rmdir(folder);
    return err ? NULL : voices;
}

int flow_source_open(struct flow_source *f, struct cli *cli, const char *path,
                     bool published, const char *const *backends)
{
    *f = (struct flow_source){.path = path, .cli = cli, .published = published};
    int err = strcmp(path, "-") == 0
                  ? read_stdin(&f->text, &f->len)
                  : files_read(path, IVR_SOURCE_MAX, &f->text, &f->len);
    if (err == EMSGSIZE)
        return cli_fail("%s: a flow may have %d bytes at most", path, IVR_SOURCE_MAX);
    if (err)
        return cli_fail("%s: %s", path, strerror(err));
    CLEANUP(free_voices) char **voices = own_voices(backends);
    const struct ivr_compile_options options = {.sha256 = sha256_of,
                                                .resolve = resolve,
                                                .arg = f,
                                                .backends = backends,
                                                .host_voices =
                                                    (const char *const *)voices};
    err = ivr_arena_new(&f->arena, NULL);
    if (!err)
        err = ivr_compile(&f->prog, f->text, f->len, &options, f->arena, &f->issues);
    if (err && err != EBADMSG)
        return cli_fail("%s: %s", path, strerror(err));
    return CLI_OK;
}

void flow_source_close(struct flow_source *f)
{
    ivr_arena_free(f->arena);
    for (size_t i = 0; i < f->text_count; i++)
        free(f->texts[i]);
    free(f->text);
    *f = (struct flow_source){0};
}

void flow_source_say(const struct flow_source *f)
{
    for (size_t i = 0; i < f->issues.n; i++) {
        const struct ivr_issue *s = &f->issues.list[i];
        fprintf(stderr, "%s%s%s:%d:%d: %s: %s", f->path, *s->flow ? ": " : "", s->flow,
                s->line, s->column, s->warning ? "warning" : "error", s->text);
        fprintf(stderr, *s->pointer ? " (at %s)\n" : "\n", s->pointer);
        if (*s->hint)
            fprintf(stderr, "    %s\n", s->hint);
    }
}

json_t *flow_source_issues_json(const struct flow_source *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->issues.n; i++) {
        const struct ivr_issue *s = &f->issues.list[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:s}", "level",
                                        s->warning ? "warning" : "error", "flow", s->flow,
                                        "pointer", s->pointer, "line", s->line, "column",
                                        s->column, "text", s->text, "hint", s->hint));
    }
    return list;
}
