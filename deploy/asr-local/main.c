/*
 * furrow-asr-local - a speech service for one machine without a cloud: OpenAI's
 * transcription endpoint over Debian's pocketsphinx, for a grammar of commands.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"

#include "deploy/asr-local/recognizer.h"
#include "deploy/asr-local/request_log.h"
#include "deploy/asr-local/service.h"

struct options {
    const char *address, *port_file, *request_log, *model_dir, *grammar, *words;
    int64_t port, decoders, max_mb, max_s;
};

static void usage(FILE *to)
{
    fputs("usage: furrow-asr-local [options]\n\n"
          "A small speech service: POST /v1/audio/transcriptions, GET /healthz.\n\n"
          "  --address IP        to bind (127.0.0.1)\n"
          "  --port N            0 takes a free one; the port is printed (8178)\n"
          "  --port-file FILE    the port is also written here\n"
          "  --request-log FILE  one JSON line per transcription request\n"
          "  --decoders N        recordings listened to at once (the number of cores)\n"
          "  --grammar FILE      JSGF grammar\n"
          "  --words FILE        pronunciations of words the model lacks\n"
          "  --model DIR         (/usr/share/pocketsphinx/model/en-us)\n"
          "  --max-mb N          largest request (25)\n"
          "  --max-seconds N     longest recording (180)\n\n"
          "example: furrow-asr-local --port 8178 --request-log var/asr.jsonl\n",
          to);
}

static bool number(const char *text, int64_t min, int64_t max, int64_t *out)
{
    return str_to_i64(text, out) && *out >= min && *out <= max;
}

/* false: wrong usage, already said. */
static bool read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"address", 1, NULL, 'a'},   {"port", 1, NULL, 'p'},
        {"port-file", 1, NULL, 'f'}, {"request-log", 1, NULL, 'l'},
        {"decoders", 1, NULL, 'd'},  {"grammar", 1, NULL, 'g'},
        {"words", 1, NULL, 'w'},     {"model", 1, NULL, 'm'},
        {"max-mb", 1, NULL, 'b'},    {"max-seconds", 1, NULL, 's'},
        {"help", 0, NULL, 'h'},      {NULL, 0, NULL, 0},
    };
    bool ok = true;

    for (int c; ok && (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        switch (c) {
        case 'a':
            o->address = optarg;
            break;
        case 'p':
            ok = number(optarg, 0, 65535, &o->port);
            break;
        case 'f':
            o->port_file = optarg;
            break;
        case 'l':
            o->request_log = optarg;
            break;
        case 'd':
            ok = number(optarg, 1, 64, &o->decoders);
            break;
        case 'g':
            o->grammar = optarg;
            break;
        case 'w':
            o->words = optarg;
            break;
        case 'm':
            o->model_dir = optarg;
            break;
        case 'b':
            ok = number(optarg, 1, 1024, &o->max_mb);
            break;
        case 's':
            ok = number(optarg, 1, 3600, &o->max_s);
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            ok = false;
            break;
        }
    }
    ok = ok && optind == argc;
    if (!ok)
        usage(stderr);
    return ok;
}

static int announce(const struct options *o, int port)
{
    CLEANUP(free_cleanup) char *line = xasprintf("%d\n", port);

    printf("%s", line);
    fflush(stdout);
    log_info("asr", "listening address=%s port=%d decoders=%d", o->address, port,
             (int)o->decoders);
    return *o->port_file ? files_write_atomic(o->port_file, line, strlen(line)) : 0;
}

static void wait_for_stop(void)
{
    struct pollfd stop = {.fd = program_stop_fd(), .events = POLLIN};

    while (poll(&stop, 1, -1) < 0 && errno == EINTR)
        continue;
}

static int serve(const struct options *o, const struct request_log *log,
                 struct recognizer *r, struct errtext *e)
{
    struct service_options so = {
        .address = o->address,
        .port = (int)o->port,
        .max_bytes = (size_t)o->max_mb << 20,
        .max_s = (double)o->max_s,
        .recognizer = r,
        .log = log,
    };
    struct service *s = NULL;
    int err = service_start(&s, &so, e);

    if (err)
        return err;
    err = announce(o, service_port(s));
    if (err)
        errtext_set(e, err, 0, 0, "cannot write %s: %s", o->port_file, strerror(err));
    else
        wait_for_stop();
    service_stop(s);
    return err;
}

int main(int argc, char **argv)
{
    struct options o = {
        .address = "127.0.0.1",
        .port_file = "",
        .request_log = "",
        .model_dir = "/usr/share/pocketsphinx/model/en-us",
        .grammar = ASR_LOCAL_DIR "/grammar.gram",
        .words = ASR_LOCAL_DIR "/words.dict",
        .port = 8178,
        .decoders = sysconf(_SC_NPROCESSORS_ONLN),
        .max_mb = 25,
        .max_s = 180,
    };
    struct request_log log = {.fd = -1};
    struct recognizer *r = NULL;
    struct errtext e = {0};

    log_set_program("furrow-asr-local");
    if (!read_options(argc, argv, &o))
        return 2;
    program_watch_signals();
    int err = request_log_open(&log, o.request_log);
    if (err)
        errtext_set(&e, err, 0, 0, "cannot open %s: %s", o.request_log, strerror(err));
    struct recognizer_options ro = {.model_dir = o.model_dir,
                                    .grammar_path = o.grammar,
                                    .words_path = o.words,
                                    .decoders = (int)o.decoders};
    if (!err)
        err = recognizer_new(&r, &ro, &e);
    if (!err)
        err = serve(&o, &log, r, &e);
    recognizer_free(r);
    request_log_close(&log);
    if (err)
        log_error("asr", "stopped why=%s", LOG_ESC(e.text));
    return err ? 1 : 0;
}
