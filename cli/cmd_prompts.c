/* furrow prompts - recorded prompts in the content store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sndfile.h>

#include "base/content.h"
#include "base/files.h"
#include "base/xalloc.h"
#include "cli/content_copy.h"
#include "cli/groups.h"

static bool is_sound(const char *path)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);

    if (file)
        sf_close(file);
    return file && info.frames > 0;
}

/* The store takes what it is given over: so it gets a copy. */
static int add_copy(const struct cli *cli, const struct content *content,
                    const char *file, char id[SHA256_TEXT_MAX], struct errtext *e)
{
    CLEANUP(free_cleanup)
    char *copy = xasprintf("%s/media/part-%d", cli->config.common.data_dir, getpid());
    int64_t bytes = 0;

    int err = files_mkdirs_for(copy);
    err = err ? errtext_set(e, err, 0, 0, "%s: %s", copy, strerror(err))
              : content_copy_file(file, copy, e);
    if (!err)
        err = content_put(content, NULL, CONTENT_PROMPTS, copy, id, &bytes, e);
    unlink(copy);
    return err;
}

static int add(struct cli *cli, int argc, char **argv)
{
    struct content content;
    struct errtext e = {0};
    char id[SHA256_TEXT_MAX];

    if (argc != 2)
        return cli_usage("one sound file, e.g. greeting.wav");
    if (access(argv[1], R_OK))
        return cli_fail("%s: %s", argv[1], strerror(errno));
    if (!is_sound(argv[1]))
        return cli_fail("%s is no sound file that libsndfile reads (WAV, FLAC, Ogg, MP3)",
                        argv[1]);
    int err = content_init(&content, &cli->config.common, &e);
    if (!err)
        err = add_copy(cli, &content, argv[1], id, &e);
    if (err)
        return cli_fail("%s", e.text);
    puts(id);
    return CLI_OK;
}

static int get(struct cli *cli, int argc, char **argv)
{
    if (argc != 3)
        return cli_usage("a content id and a file to write");
    return content_save(cli, CONTENT_PROMPTS, argv[1], argv[2]);
}

static const struct cli_verb verbs[] = {
    {"add", "FILE",
     "Puts a recorded prompt into the content store and prints its content id, which a\n"
     "flow names: {\"en\": {\"audio\": \"<id>\"}}. The same file has the same id. A WAV "
     "of 8 or\n"
     "16 kHz, mono, is played by every phone.",
     "furrow prompts add greeting.wav", add},
    {"get", "ID FILE", "Writes a recorded prompt to a file.",
     "furrow prompts get "
     "1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014 greeting.wav",
     get},
};

const struct cli_group cmd_prompts = {"prompts", "recorded prompts of flows", verbs,
                                      ARRAY_LEN(verbs)};
