/*
 * Calls at a provider, as Twilio's webhooks: each is answered, then a key is pressed,
 * both signed. One thread over epoll, a fixed number of connections that are kept open.
 *
 *   webhook_load --port N --path PATH --token TOKEN --seconds S [--connections 64]
 *     [--rate WEBHOOKS_A_SECOND] [--warm-up S] [--repeat EACH_NTH] [--first N]
 *     [--answered FILE] [--finished FILE] [--name NAME]
 *
 * Without --rate each connection asks again as soon as it is answered; with it webhooks
 * are due at even times, and how long one took counts from then. --repeat: each n-th is
 * sent again, and must be answered with the same bytes. The files get a line for each
 * call whose first document, or whose last one, has arrived. Says what it saw as a JSON
 * line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/hmac.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/latency.h"
#include "base/str.h"
#include "base/xalloc.h"

#define HOST "https://voice.example.test"

enum { CONNECTIONS_MAX = 1024, REQUEST_MAX = 4096, ANSWER_MAX = 16384, PATH_MAX_ = 512 };

enum stage { IDLE, ANSWER, KEY };

struct connection {
    int fd;
    enum stage stage;
    int64_t call, due_us;
    bool again;   /* the same request once more */
    bool put_off; /* until due_us */
    char request[REQUEST_MAX], path[PATH_MAX_];
    size_t request_len, sent;
    char answer[ANSWER_MAX], before[ANSWER_MAX];
    size_t len;
};

static struct {
    const char *name, *path, *token;
    int64_t port, seconds, warm_up, connections, rate, repeat, first;
    FILE *answered, *finished;
} o = {.name = "webhooks", .connections = 64, .warm_up = 0};

static struct {
    int64_t webhooks, calls, finished, sorry, shed, failed, broken, repeated, different;
} seen;
static struct latency took;
static struct connection *all;
static int epoll_fd;
static int64_t next_call, next_due_us, sent_count, measure_us, end_us;

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "webhook_load: %s: %s\n", why, strerror(errno));
    exit(1);
}

/* ---- requests ---- */

static void escape(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (strchr("+&=% ", *text))
            buf_printf(out, "%%%02X", (unsigned char)*text);
        else
            buf_add(out, text, 1);
}

static void write_request(struct connection *c, const char *path, const char *digits)
{
    CLEANUP(buf_free) struct buf body = {0}, text = {0};
    char sid[40], from[24], mac64[64];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;

    snprintf(sid, sizeof(sid), "CA%032" PRIx64, (uint64_t)c->call);
    snprintf(from, sizeof(from), "+2519%08" PRId64, c->call % 100000000);
    const char *const pairs[][2] = {{"CallSid", sid},
                                    {"CallStatus", digits ? "in-progress" : "ringing"},
                                    {"Digits", digits},
                                    {"From", from},
                                    {"To", "+15550100"}};
    buf_printf(&text, HOST "%s", path);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        if (!pairs[i][1])
            continue;
        buf_puts(&text, pairs[i][0]);
        buf_puts(&text, pairs[i][1]);
        buf_printf(&body, "%s%s=", body.len ? "&" : "", pairs[i][0]);
        escape(&body, pairs[i][1]);
    }
    HMAC(EVP_sha1(), o.token, (int)strlen(o.token), (const unsigned char *)text.data,
         text.len, mac, &mac_len);
    sodium_bin2base64(mac64, sizeof(mac64), mac, mac_len, sodium_base64_VARIANT_ORIGINAL);
    int n = snprintf(c->request, sizeof(c->request),
                     "POST %s HTTP/1.1\r\nHost: voice.example.test\r\nContent-Type: "
                     "application/x-www-form-urlencoded\r\nX-Twilio-Signature: %s\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     path, mac64, body.len, body.data);
    if (n < 0 || (size_t)n >= sizeof(c->request))
        die("a request is too long");
    c->request_len = (size_t)n;
}

/* ---- connections ---- */

static void watch(struct connection *c, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};

    if (epoll_ctl(epoll_fd, op, c->fd, &ev))
        die("epoll_ctl");
}

static void dial(struct connection *c)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)o.port)};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof(at)))
        die("cannot connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void push(struct connection *c)
{
    while (c->sent < c->request_len) {
        ssize_t n =
            send(c->fd, c->request + c->sent, c->request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0)
            return; /* the other side has closed: told when it is read */
        c->sent += (size_t)n;
    }
}

static void send_request(struct connection *c)
{
    c->sent = 0;
    c->len = 0;
    push(c);
}

static int64_t due(void)
{
    int64_t now = mono_us();

    if (!o.rate)
        return now;
    next_due_us += 1000000 / o.rate;
    return next_due_us;
}

static void begin_call(struct connection *c)
{
    c->call = next_call++;
    c->stage = ANSWER;
    c->again = false;
    c->due_us = due();
    write_request(c, o.path, NULL);
    send_request(c);
}

/* ---- answers ---- */

/* The length of the whole answer; 0: more is to come. */
static size_t whole(const struct connection *c)
{
    const char *end = memmem(c->answer, c->len, "\r\n\r\n", 4);
    const char *length = end ? strcasestr(c->answer, "\r\nContent-Length:") : NULL;

    if (!end || !length)
        return 0;
    size_t n = (size_t)(end + 4 - c->answer) + strtoul(length + 17, NULL, 10);
    return c->len >= n ? n : 0;
}

static const char *body_of(const char *answer)
{
    return strstr(answer, "\r\n\r\n") + 4;
}

static void tell(FILE *f, int64_t call)
{
    if (f)
        fprintf(f, "CA%032" PRIx64 "\n", (uint64_t)call);
}

/* Where the pressed key goes. */
static bool next_path(struct connection *c)
{
    const char *action = strstr(c->answer, "action=\"" HOST);
    size_t skip = strlen("action=\"" HOST);
    size_t len = action ? strcspn(action + skip, "\"") : 0;

    if (!action || len >= sizeof(c->path))
        return false;
    memcpy(c->path, action + skip, len);
    c->path[len] = '\0';
    return true;
}

static void over(struct connection *c)
{
    c->stage = IDLE;
    c->put_off = false;
    if (!o.rate && mono_us() < end_us)
        begin_call(c);
}

static void count(struct connection *c)
{
    int64_t now = mono_us();

    if (now >= measure_us && now < end_us) {
        seen.webhooks++;
        latency_add(&took, now - c->due_us);
    }
}

static void on_answer(struct connection *c)
{
    const int status = (int)strtol(c->answer + 9, NULL, 10);
    const char *body = body_of(c->answer);
    bool good =
        status == 200 && strstr(body, c->stage == ANSWER ? "Press one" : "Well pressed");

    if (c->again) {
        c->again = false;
        seen.repeated++;
        seen.different += strcmp(body_of(c->before), body) != 0;
    } else {
        count(c);
        sent_count++;
        if (good && o.repeat && sent_count % o.repeat == 0) {
            memcpy(c->before, c->answer, c->len + 1);
            c->again = true;
            send_request(c);
            return;
        }
    }
    if (!good) {
        seen.sorry += status == 200;
        seen.shed += status == 503;
        seen.failed += status != 200 && status != 503;
        over(c);
        return;
    }
    if (c->stage == KEY) {
        seen.finished++;
        tell(o.finished, c->call);
        over(c);
        return;
    }
    seen.calls++;
    tell(o.answered, c->call);
    if (!next_path(c)) {
        seen.failed++;
        over(c);
        return;
    }
    c->stage = KEY;
    c->due_us = due();
    c->put_off = o.rate && c->due_us > mono_us();
    if (c->put_off)
        return; /* sent by the clock */
    write_request(c, c->path, "1");
    send_request(c);
}

static void on_closed(struct connection *c)
{
    close(c->fd);
    if (c->stage != IDLE)
        seen.broken++;
    dial(c);
    over(c);
}

static void on_readable(struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->len, sizeof(c->answer) - 1 - c->len, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        on_closed(c);
        return;
    }
    c->len += (size_t)n;
    c->answer[c->len] = '\0';
    if (whole(c)) {
        on_answer(c);
    }
}

/* ---- by the clock ---- */

static void send_due(void)
{
    int64_t now = mono_us();

    for (int64_t i = 0; i < o.connections; i++) {
        struct connection *c = &all[i];
        if (c->put_off && c->due_us <= now) {
            c->put_off = false;
            write_request(c, c->path, "1");
            send_request(c);
        } else if (c->stage == IDLE && now < end_us &&
                   next_due_us + 1000000 / o.rate <= now) {
            begin_call(c);
        }
    }
}

static bool is_busy(void)
{
    for (int64_t i = 0; i < o.connections; i++)
        if (all[i].stage != IDLE)
            return true;
    return false;
}

static void run(void)
{
    struct epoll_event events[256];

    for (int64_t i = 0; i < o.connections; i++) {
        all[i].fd = -1;
        dial(&all[i]);
    }
    int64_t begin_us = mono_us();
    measure_us = begin_us + o.warm_up * 1000000;
    end_us = measure_us + o.seconds * 1000000;
    next_due_us = begin_us;
    for (int64_t i = 0; !o.rate && i < o.connections; i++)
        begin_call(&all[i]);
    while (mono_us() < end_us || (is_busy() && mono_us() < end_us + 60000000)) {
        int n = epoll_wait(epoll_fd, events, ARRAY_LEN(events), o.rate ? 1 : 100);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                watch(c, EPOLL_CTL_MOD, EPOLLIN);
                push(c);
            }
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                on_readable(c);
        }
        if (o.rate)
            send_due();
    }
}

static FILE *file_of(const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f)
        die(path);
    return f;
}

static void read_options(int argc, char **argv)
{
    const struct {
        const char *name;
        int64_t *number;
        const char **text;
        FILE **file;
    } known[] = {{"--port", &o.port, NULL, NULL},
                 {"--seconds", &o.seconds, NULL, NULL},
                 {"--warm-up", &o.warm_up, NULL, NULL},
                 {"--connections", &o.connections, NULL, NULL},
                 {"--rate", &o.rate, NULL, NULL},
                 {"--repeat", &o.repeat, NULL, NULL},
                 {"--first", &o.first, NULL, NULL},
                 {"--path", NULL, &o.path, NULL},
                 {"--token", NULL, &o.token, NULL},
                 {"--name", NULL, &o.name, NULL},
                 {"--answered", NULL, NULL, &o.answered},
                 {"--finished", NULL, NULL, &o.finished}};
    bool good = argc % 2 == 1;

    for (int i = 1; good && i + 1 < argc; i += 2) {
        good = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++) {
            if (strcmp(argv[i], known[k].name) != 0)
                continue;
            good = known[k].number ? str_to_i64(argv[i + 1], known[k].number) : true;
            if (known[k].text)
                *known[k].text = argv[i + 1];
            if (known[k].file)
                *known[k].file = file_of(argv[i + 1]);
        }
    }
    if (!good || !o.port || !o.path || !o.token || o.seconds < 1 || o.connections < 1 ||
        o.connections > CONNECTIONS_MAX) {
        fprintf(stderr,
                "usage: webhook_load --port N --path PATH --token TOKEN --seconds "
                "S (see its source)\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    all = xcalloc((size_t)o.connections, sizeof(*all));
    next_call = o.first;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sodium_init() < 0 || epoll_fd < 0)
        die("cannot begin");
    run();
    bool waits = is_busy();
    printf("{\"bench\":\"webhooks\",\"of\":\"%s\",\"connections\":%" PRId64
           ",\"seconds\":%" PRId64 ",\"per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
           "\"max_ms\":%.2f,\"webhooks\":%" PRId64 ",\"calls\":%" PRId64
           ",\"finished\":%" PRId64 ",\"sorry\":%" PRId64 ",\"shed\":%" PRId64
           ",\"failed\":%" PRId64 ",\"broken\":%" PRId64 ",\"repeated\":%" PRId64
           ",\"different\":%" PRId64 "}\n",
           o.name, o.connections, o.seconds, (double)seen.webhooks / (double)o.seconds,
           (double)latency_at(&took, 0.5) / 1000, (double)latency_at(&took, 0.99) / 1000,
           (double)took.most_us / 1000, seen.webhooks, seen.calls, seen.finished,
           seen.sorry, seen.shed, seen.failed, seen.broken, seen.repeated,
           seen.different);
    if (o.answered)
        fclose(o.answered);
    if (o.finished)
        fclose(o.finished);
    free(all);
    return waits || seen.failed || seen.broken || seen.different ? 1 : 0;
}
