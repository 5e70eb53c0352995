/* furrow dnc import --list, furrow dnc lists - registries' lists of national size. They
 * belong to the installation: files of its data folder that every process of the machine
 * maps. */
#include "cli/cmd_dnc_lists.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/errors.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/dnc_build.h"

enum { READ_BYTES = 1 << 20, LISTS_MAX = 64 };
#define DAY_MS ((int64_t)86400 * 1000)

char *cli_dnc_dir(const struct cli *cli)
{
    return xasprintf("%s/dnc", cli->config.common.data_dir);
}

struct import {
    struct dnc_build_options options;
    int valid_days;
    bool json;
    uint64_t bytes;
};

static int parse(struct import *im, int argc, char **argv)
{
    static const struct option options[] = {{"list", required_argument, NULL, 'l'},
                                            {"obtained", required_argument, NULL, 'o'},
                                            {"valid-days", required_argument, NULL, 'v'},
                                            {"changes", no_argument, NULL, 'c'},
                                            {"force", no_argument, NULL, 'f'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};

    im->options.obtained_at_ms = clock_now_ms();
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'l')
            im->options.name = optarg;
        if (o == 'o' && clock_parse(optarg, &im->options.obtained_at_ms))
            return cli_usage(
                "--obtained wants an instant like 2026-11-24T08:00:00Z, got '%s'",
                optarg);
        if (o == 'v')
            im->valid_days = (int)strtol(optarg, NULL, 10);
        im->options.changes |= o == 'c';
        im->options.force |= o == 'f';
        im->json |= o == 'j';
    }
    if (optind == argc)
        return cli_usage("which FILE? (- reads standard input)");
    if (im->valid_days > 0)
        im->options.valid_until_ms = im->options.obtained_at_ms + im->valid_days * DAY_MS;
    return CLI_OK;
}

static int feed_file(struct dnc_build *b, const char *path, struct progress *progress,
                     struct import *im)
{
    CLEANUP(free_cleanup) char *buffer = xmalloc(READ_BYTES);
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct errtext e = {0};
    ssize_t n = 0;
    int err = 0;

    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    while (!err && (n = read(fd, buffer, READ_BYTES)) > 0) {
        err = dnc_build_feed(b, buffer, (size_t)n, &e);
        im->bytes += (uint64_t)n;
        progress_show(progress, (int64_t)(im->bytes >> 20), 0);
        if (!err && atomic_load(program_stop_flag()))
            err = errtext_set(&e, EINTR, 0, 0, "stopped; nothing was published");
    }
    if (!err && n < 0)
        err = errtext_set(&e, errno, 0, 0, "%s", strerror(errno));
    if (!err)
        err = dnc_build_end_file(b, &e);
    if (!standard)
        close(fd);
    return err ? cli_fail("%s: %s", path, e.text) : CLI_OK;
}

static void show_rejects(const struct dnc_build_report *r)
{
    for (uint64_t i = 0; i < r->rejected && i < DNC_REJECTS_KEPT; i++)
        fprintf(stderr, "line %" PRIu64 ": '%s' is no number\n", r->rejects[i].line,
                r->rejects[i].text);
    if (r->rejected > DNC_REJECTS_KEPT)
        fprintf(stderr, "… and %" PRIu64 " more\n", r->rejected - DNC_REJECTS_KEPT);
}

static int publish(struct dnc_build *b, const struct import *im)
{
    struct dnc_build_report r;
    struct errtext e = {0};

    int err = dnc_build_publish(b, &r, &e);
    show_rejects(&r);
    if (err)
        return cli_fail("%s: %s", im->options.name, e.text);
    if (im->json)
        return cli_print_json(
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "list",
                      im->options.name, "generation", (json_int_t)r.generation, "lines",
                      (json_int_t)r.lines, "added", (json_int_t)r.added, "deleted",
                      (json_int_t)r.deleted, "rejected", (json_int_t)r.rejected, "count",
                      (json_int_t)r.count, "before", (json_int_t)r.before));
    printf("%s: generation %" PRIu64 " holds %" PRIu64 " numbers (before: %" PRIu64
           "); %" PRIu64 " lines read, %" PRIu64 " rejected\n",
           im->options.name, r.generation, r.count, r.before, r.lines, r.rejected);
    return CLI_OK;
}

int cmd_dnc_import_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) char *dir = cli_dnc_dir(cli);
    struct progress progress = {.label = "dnc import", .unit = "MB"};
    struct import im = {.options.dir = dir};
    struct dnc_build *b = NULL;
    struct errtext e = {0};

    int code = parse(&im, argc, argv);
    if (code != CLI_OK)
        return code;
    im.options.source = argv[optind];
    program_watch_signals();
    if (dnc_build_new(&b, &im.options, &e))
        return cli_fail("%s", e.text);
    for (int i = optind; code == CLI_OK && i < argc; i++)
        code = feed_file(b, argv[i], &progress, &im);
    progress_end(&progress, (int64_t)(im.bytes >> 20));
    if (code == CLI_OK)
        code = publish(b, &im);
    dnc_build_free(b);
    return code;
}

bool cmd_dnc_names_list(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--list") == 0 || strncmp(argv[i], "--list=", 7) == 0)
            return true;
    return false;
}

/* ---- lists ---- */

static json_t *list_json(struct dnc_list *l, bool verify)
{
    const struct dnc_head *h = dnc_list_head(l);
    char obtained[CLOCK_TEXT_MAX], sum[2 * DNC_SUM_BYTES + 1];

    if (!h)
        return json_pack("{s:s, s:s}", "list", dnc_list_name(l), "state", "damaged");
    for (int i = 0; i < DNC_SUM_BYTES; i++)
        snprintf(sum + (size_t)2 * i, 3, "%02x", h->head_sum[i]);
    const char *state = verify ? "sound" : "published"; /* only its head was read */
    if (verify && !dnc_list_verify(l))
        state = "damaged";
    else if (h->valid_until_ms > 0 && h->valid_until_ms <= clock_now_ms())
        state = "past its date";
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:s, s:s}", "list", dnc_list_name(l),
                     "state", state, "generation", (json_int_t)h->generation, "count",
                     (json_int_t)h->count, "obtained_at",
                     clock_text(h->obtained_at_ms, obtained), "age_days",
                     (json_int_t)((clock_now_ms() - h->obtained_at_ms) / DAY_MS),
                     "checksum", sum, "source", h->source);
}

int cmd_dnc_lists(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"verify", no_argument, NULL, 'v'}, {0}};
    CLEANUP(free_cleanup) char *dir = cli_dnc_dir(cli);
    struct dnc_list *pinned[LISTS_MAX];
    bool json = false, verify = false, damaged = false;
    size_t n = 0;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        json |= o == 'j';
        verify |= o == 'v';
    }
    struct dnc_lists *lists = dnc_lists_new(dir);
    json_t *all = json_array();
    dnc_lists_pin_all(lists, mono_ms(), pinned, LISTS_MAX, &n);
    for (size_t i = 0; i < n; i++) {
        json_t *l = list_json(pinned[i], verify);
        damaged |= strcmp(cli_text(l, "state"), "damaged") == 0;
        if (!json)
            printf("%-20s %-13s generation %-4" JSON_INTEGER_FORMAT
                   " %12" JSON_INTEGER_FORMAT
                   " numbers  obtained %s (%" JSON_INTEGER_FORMAT " days)  %s\n",
                   cli_text(l, "list"), cli_text(l, "state"),
                   json_integer_value(json_object_get(l, "generation")),
                   json_integer_value(json_object_get(l, "count")),
                   cli_text(l, "obtained_at"),
                   json_integer_value(json_object_get(l, "age_days")),
                   cli_text(l, "checksum"));
        json_array_append_new(all, l);
        dnc_lists_unpin(lists, pinned[i]);
    }
    dnc_lists_free(lists);
    if (json)
        cli_print_json(all);
    else
        json_decref(all);
    if (!json && n == 0)
        printf("no lists in %s; 'furrow dnc import --list us.ftc FILE' makes one\n", dir);
    return damaged ? CLI_FAILED : CLI_OK;
}

/* Names of the lists that hold the number; a new array. */
json_t *cli_dnc_lists_of(const struct cli *cli, int64_t phone)
{
    CLEANUP(free_cleanup) char *dir = cli_dnc_dir(cli);
    struct dnc_lists *lists = dnc_lists_new(dir);
    struct dnc_list *pinned[LISTS_MAX];
    json_t *names = json_array();
    size_t n = 0;

    dnc_lists_pin_all(lists, mono_ms(), pinned, LISTS_MAX, &n);
    for (size_t i = 0; i < n; i++) {
        enum list_state state = dnc_list_look(pinned[i], phone);
        if (state != LIST_CLEAR)
            json_array_append_new(
                names, json_sprintf("%s%s", dnc_list_name(pinned[i]),
                                    state == LIST_CORRUPT ? " (damaged)" : ""));
        dnc_lists_unpin(lists, pinned[i]);
    }
    dnc_lists_free(lists);
    return names;
}
