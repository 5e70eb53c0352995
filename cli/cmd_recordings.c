/*
 * furrow recordings: list, show, audio, transcribe, retry.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/uuid.h"
#include "cli/content_copy.h"
#include "cli/groups.h"
#include "workers/job_admin.h"
#include "workers/retention.h"

enum { TEXT_MAX = 4000 };

struct recordings_args {
    const char *state, *text, *language;
    int64_t limit;
    bool json, dry;
};

static const struct option long_options[] = {
    {"state", required_argument, NULL, 's'},
    {"text", required_argument, NULL, 't'},
    {"language", required_argument, NULL, 'l'},
    {"limit", required_argument, NULL, 'n'},
    {"json", no_argument, NULL, 'j'},
    {"dry-run", no_argument, NULL, 'd'},
    {0},
};

static int parse(struct recordings_args *a, int argc, char **argv)
{
    static const char *const states[] = {"live",         "finished", "stored",
                                         "transcribed",  "done",     "empty",
                                         "needs_person", "failed",   "lost_media"};
    bool known = false;

    *a = (struct recordings_args){.limit = 50, .language = "en"};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 's')
            a->state = optarg;
        if (c == 't')
            a->text = optarg;
        if (c == 'l')
            a->language = optarg;
        a->json |= c == 'j';
        a->dry |= c == 'd';
        if (c == 'n' && (!str_to_i64(optarg, &a->limit) || a->limit < 1))
            return cli_usage("--limit is a number of 1 or more, not '%s'", optarg);
        if (c == '?')
            return CLI_USAGE;
    }
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        known |= str_is(a->state, states[i]);
    return !a->state || known
               ? CLI_OK
               : cli_usage("no state '%s'; there are live, finished, stored, "
                           "transcribed, done, empty, needs_person, failed, lost_media",
                           a->state);
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct recordings_args a;
    json_t *rows = NULL, *row;
    size_t i;

    if (parse(&a, argc, argv))
        return CLI_USAGE;
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    if (cli_open_pg(cli))
        return CLI_FAILED;
    if (recording_admin_list(cli->pg, cli->tenant_id, a.state, a.limit, &rows))
        return cli_fail("recordings: %s", pg_error(cli->pg));
    if (a.json)
        return cli_print_rows(rows);
    printf("%-36s  %-12s  %-4s  %-16s  %7s  %s\n", "id", "state", "lang", "phone",
           "seconds", "text, or what is wrong");
    json_array_foreach(rows, i, row)
    {
        char phone[PHONE_TEXT_MAX] = "withheld";
        json_int_t number = json_integer_value(json_object_get(row, "phone"));
        if (number)
            phone_text(number, phone);
        printf("%-36s  %-12s  %-4s  %-16s  %7.1f  %s\n", cli_text(row, "id"),
               cli_text(row, "state"), cli_text(row, "language"), phone,
               json_number_value(json_object_get(row, "duration_ms")) / 1000,
               *cli_text(row, "error") ? cli_text(row, "error") : cli_text(row, "text"));
    }
    if (json_array_size(rows) == (size_t)a.limit)
        fprintf(stderr, "the newest %" PRId64 " are shown; --limit N shows more\n",
                a.limit);
    json_decref(rows);
    return CLI_OK;
}

/* The one argument that is left; opens the database too. */
static int take_id(struct cli *cli, int argc, char **argv, struct uuid *id)
{
    if (optind != argc - 1)
        return cli_usage("say which recording");
    if (uuid_parse(argv[optind], id))
        return cli_usage("'%s' is no id; 'furrow recordings list' shows them",
                         argv[optind]);
    return cli_open_pg(cli);
}

static int complain(struct cli *cli, int err, const char *id, const struct errtext *e)
{
    if (err == ENOENT)
        return cli_fail("there is no recording %s", id);
    return cli_fail("recordings: %s", e && e->text[0] ? e->text : pg_error(cli->pg));
}

static int show(struct cli *cli, int argc, char **argv)
{
    struct recordings_args a;
    json_t *row = NULL;
    struct uuid id;

    int code = parse(&a, argc, argv);
    if (!code)
        code = take_id(cli, argc, argv, &id);
    if (code)
        return code;
    int err = recording_admin_show(cli->pg, cli->tenant_id, &id, &row);
    return err ? complain(cli, err, argv[optind], NULL) : cli_print_rows(row);
}

/* What a person hears before writing it down. */
static int audio(struct cli *cli, int argc, char **argv)
{
    struct recordings_args a;
    json_t *row = NULL;
    struct uuid id;

    int code = parse(&a, argc, argv);
    if (code)
        return code;
    if (optind != argc - 2)
        return cli_usage("say which recording, and a file to write");
    code = take_id(cli, argc - 1, argv, &id);
    if (code)
        return code;
    int err = recording_admin_show(cli->pg, cli->tenant_id, &id, &row);
    if (err)
        return complain(cli, err, argv[optind], NULL);
    const char *sha256 = cli_text(row, "sha256");
    const char *gone = cli_text(row, "media_deleted_at");
    if (*gone)
        code = cli_fail("its audio was deleted at %s, as the tenant keeps it no longer",
                        gone);
    else if (*sha256)
        code = content_save(cli, CONTENT_MEDIA, sha256, argv[optind + 1]);
    else
        code = cli_fail("the recording is '%s' and has no audio here",
                        cli_text(row, "state"));
    json_decref(row);
    return code;
}

static int transcribe(struct cli *cli, int argc, char **argv)
{
    struct recordings_args a;
    struct errtext e = {0};
    struct uuid id;

    int code = parse(&a, argc, argv);
    if (code)
        return code;
    if (!a.text || !a.text[strspn(a.text, " \t\n")])
        return cli_usage("say what was heard with --text \"…\"");
    if (strlen(a.text) > TEXT_MAX || !str_is_utf8(a.text, strlen(a.text)))
        return cli_usage("--text is UTF-8 of at most %d bytes", TEXT_MAX);
    if (strlen(a.language) != 2)
        return cli_usage("--language is two letters, e.g. en; not '%s'", a.language);
    code = take_id(cli, argc, argv, &id);
    if (code)
        return code;
    int err = recording_admin_transcribe(cli->pg, cli->tenant_id, &id, a.text, a.language,
                                         clock_now_ms(), &e);
    if (err)
        return complain(cli, err, argv[optind], &e);
    puts("written down; the workers go on from here");
    return CLI_OK;
}

static int retry(struct cli *cli, int argc, char **argv)
{
    struct recordings_args a;
    struct errtext e = {0};
    const char *kind = "";
    struct uuid id;

    int code = parse(&a, argc, argv);
    if (!code)
        code = take_id(cli, argc, argv, &id);
    if (code)
        return code;
    int err =
        recording_admin_retry(cli->pg, cli->tenant_id, &id, clock_now_ms(), &kind, &e);
    if (err)
        return complain(cli, err, argv[optind], &e);
    printf("tried again from '%s' on\n", kind);
    return CLI_OK;
}

static int show_expired(const struct retention_counts *n, bool dry, bool json)
{
    if (json)
        return cli_print_json(
            json_pack("{s:b, s:I, s:I, s:I, s:I}", "dry_run", dry, "expired",
                      (json_int_t)n->expired, "deleted", (json_int_t)n->deleted, "bytes",
                      (json_int_t)n->bytes, "waiting", (json_int_t)n->waiting));
    printf("%" PRId64 " recordings %s their audio, %" PRId64 " files of %" PRId64
           " bytes %s\n",
           n->expired, dry ? "would lose" : "lost", n->deleted, n->bytes,
           dry ? "would be deleted" : "were deleted");
    if (n->waiting > 0)
        printf("%" PRId64 " older ones are kept: they are not processed yet ('furrow "
               "recordings list --state needs_person', '--state failed')\n",
               n->waiting);
    return CLI_OK;
}

static int expire(struct cli *cli, int argc, char **argv)
{
    struct retention_counts n = {0};
    struct recordings_args a;
    struct content content;
    struct errtext e = {0};
    int days = 0;

    if (parse(&a, argc, argv))
        return CLI_USAGE;
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    if (cli_open_pg(cli))
        return CLI_FAILED;
    if (retention_load(cli->pg, cli->tenant_id, &days))
        return complain(cli, EIO, "", NULL);
    if (days == 0)
        return cli_fail("the tenant keeps its recordings for ever; 'furrow tenant keep "
                        "--recordings 90d' says something else");
    int err = content_init(&content, &cli->config.common, &e);
    const struct retention_run run = {.content = &content, .dry = a.dry};
    if (!err)
        err = retention_expire(cli->pg, cli->tenant_id, &run, clock_now_ms(), &n, &e);
    if (err)
        return complain(cli, err == ENOENT ? EIO : err, "", &e);
    return show_expired(&n, a.dry, a.json);
}

static const struct cli_verb verbs[] = {
    {.name = "list",
     .arguments = "[--state STATE] [--limit N] [--json]",
     .about = "The newest recordings.\n"
              "needs_person: no speech service took it; failed: see what is wrong;\n"
              "lost_media: the switch lost it.",
     .example = "furrow recordings list --state needs_person",
     .run = list},
    {.name = "show",
     .arguments = "ID",
     .about = "A recording with its transcript, batch, messages and jobs, as JSON.",
     .example = "furrow recordings show 01932d3e-7c1a-7000-8000-000000000001",
     .run = show},
    {.name = "audio",
     .arguments = "ID FILE",
     .about = "Writes what was recorded to a file, from the disk or the bucket.",
     .example = "furrow recordings audio 01932d3e-7c1a-7000-8000-000000000001 said.wav",
     .run = audio},
    {.name = "transcribe",
     .arguments = "ID --text \"…\" [--language en]",
     .about = "Write down what was said; understanding, batch and receipt follow.",
     .example = "furrow recordings transcribe 01932d3e-7c1a-7000-8000-000000000001 "
                "--text \"record commission for two bags of sidamo from abebe\"",
     .run = transcribe},
    {.name = "expire",
     .arguments = "[--dry-run] [--json]",
     .about = "Deletes the audio that the tenant keeps no longer, as workers do every "
              "hour.\nWhat is not processed yet stays, and audio that another recording "
              "has too.",
     .example = "furrow recordings expire --dry-run",
     .run = expire},
    {.name = "retry",
     .arguments = "ID",
     .about = "Try a failed recording again, from the first step without a result.",
     .example = "furrow recordings retry 01932d3e-7c1a-7000-8000-000000000001",
     .run = retry},
};

const struct cli_group cmd_recordings = {.name = "recordings",
                                         .about =
                                             "recordings, and those a person must finish",
                                         .verbs = verbs,
                                         .verb_count = ARRAY_LEN(verbs)};
