/* server/http_server: long bodies, keys, and requests that wait for their answer. */
#include "unit/cm.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "base/xalloc.h"
#include "server/contract.h"
#include "server/http_spool.h"

enum { LONG = 3 << 20, LIMIT = 4 << 20, PATIENCE_MS = 30000 };

static char dir[] = "/tmp/furrow-http-XXXXXX";
static struct http_server *server;
static atomic_int judged, ready, calls, files_seen;

static int files_in_dir(void)
{
    DIR *d = opendir(dir);
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void on_body(const struct request *req, struct response *resp)
{
    uint8_t hash[SHA256_BYTES];
    char text[SHA256_TEXT_MAX];

    sha256_of(req->body ? req->body : "", req->body_len, hash);
    respond_text(resp, 200, sha256_text(hash, text));
    atomic_store(&files_seen, files_in_dir());
}

/* Its memo counts; it answers once the world is ready. */
static void on_later(const struct request *req, struct response *resp)
{
    atomic_fetch_add(&calls, 1);
    req->memo[0]++;
    respond_text(resp, atomic_load(&ready) ? 200 : 503, "");
    buf_printf(&resp->body, "%s %d", req->key_name, req->memo[0]);
    if (!atomic_load(&ready))
        resp->again_ms = 100;
}

/* Half of it aside: there it takes a while, and then it waits for the world. */
static void on_slow(const struct request *req, struct response *resp)
{
    if (!req->aside && req->memo[0] == 0) {
        resp->aside = true;
        return;
    }
    if (req->aside) {
        req->memo[0] = 1;
        while (!atomic_load(&ready))
            poll(NULL, 0, 5);
        resp->again_ms = 10;
    }
    respond_text(resp, 200, req->aside ? "" : req->body);
}

static void on_now(const struct request *req, struct response *resp)
{
    (void)req;
    respond_text(resp, 200, "now");
}

static int authorise(struct request *req, const char *key, const char *scope, int *wait_s)
{
    atomic_fetch_add(&judged, 1);
    assert_string_equal(scope, "voice");
    memcpy(req->key_name, "app", 4);
    req->tenant_id = 7;
    *wait_s = 9;
    return strcmp(key, "good") == 0 ? 0 : strcmp(key, "eager") == 0 ? EBUSY : ENOENT;
}

/* Together: those that are plain, once the world is ready. */
static void on_many(const struct request *reqs, struct response *const *resps, bool *done,
                    size_t n)
{
    atomic_fetch_add(&calls, 1);
    while (!atomic_load(&ready))
        poll(NULL, 0, 5);
    for (size_t i = 0; i < n; i++) {
        done[i] = strcmp(reqs[i].params[0], "plain") == 0;
        respond_text(resps[i], 200, "");
        buf_printf(&resps[i]->body, "%zu together", n);
    }
}

static void on_alone(const struct request *req, struct response *resp)
{
    respond_text(resp, 200, req->params[0]);
}

static const struct route routes[] = {
    {"GET", "/many/{kind}", SCOPE_OPEN, 0, on_alone, NULL, HTTP_VOICE, NULL, on_many},
    {"POST", "/body", SCOPE_API, LIMIT, on_body, "voice"},
    {"GET", "/later", SCOPE_API, 0, on_later, "voice"},
    {"POST", "/slow", SCOPE_API, LIMIT, on_slow, "voice"},
    {"GET", "/now", SCOPE_OPEN, 0, on_now, NULL},
};
static const struct contract contract = {.name = "test",
                                         .errors = ERRORS_DETAIL,
                                         .routes = routes,
                                         .route_count = ARRAY_LEN(routes)};
static const struct mount mount = {
    .contract = &contract, .base = "", .public_url = "", .token = ""};

static int begin(void **state)
{
    struct errtext e = {0};
    const struct http_server_options o = {.address = "127.0.0.1",
                                          .threads = 1,
                                          .limits = {.of = {{1, 1000, 60000},
                                                            {1, 1000, 60000},
                                                            {1, 1000, 60000},
                                                            {1, 1000, 60000}}},
                                          .authorise = authorise,
                                          .spool_dir = dir,
                                          .mounts = &mount,
                                          .mount_count = 1};

    (void)state;
    atomic_store(&judged, 0);
    atomic_store(&ready, 0);
    atomic_store(&calls, 0);
    assert_int_equal(http_server_start(&server, &o, &e), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    http_server_stop(server);
    server = NULL;
    return 0;
}

/* --- a client of bare sockets ----------------------------------------------------------
 */

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)http_server_port(server, 0))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void say(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

static int get(const char *path)
{
    int fd = dial();
    char *text = xasprintf("GET %s HTTP/1.1\r\nHost: x\r\nX-API-Key: good\r\n"
                           "Connection: close\r\n\r\n",
                           path);

    say(fd, text, strlen(text));
    free(text);
    return fd;
}

static char answer[4096];

/* The whole answer, until the server closes; its status. */
static int hear(int fd)
{
    size_t len = 0;
    ssize_t n = 0;

    for (;;) {
        assert_int_equal(
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PATIENCE_MS), 1);
        n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    answer[len] = '\0';
    close(fd);
    return len > 12 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static const char *content(void)
{
    return strstr(answer, "\r\n\r\n") + 4;
}

static int post(const char *key, const char *body, size_t len, bool chunked)
{
    int fd = dial();
    char *head =
        chunked
            ? xasprintf("POST /body HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nConnection: "
                        "close\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
                        key, len)
            : xasprintf("POST /body HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nConnection: "
                        "close\r\nContent-Length: %zu\r\n\r\n",
                        key, len);

    say(fd, head, strlen(head));
    say(fd, body, len);
    if (chunked)
        say(fd, "\r\n0\r\n\r\n", 7);
    free(head);
    return hear(fd);
}

/* --- bodies
 * ------------------------------------------------------------------------------- */

static char *noise(size_t len)
{
    char *out = xmalloc(len);
    uint32_t seed = 3;

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        out[i] = (char)(seed >> 24);
    }
    return out;
}

static void bodies_of_any_length_arrive_whole(void **state)
{
    static const size_t lengths[] = {1, 128 * 1024, 128 * 1024 + 1, 200000, LONG, LIMIT};
    CLEANUP(free_cleanup) char *body = noise(LIMIT);
    uint8_t hash[SHA256_BYTES];
    char text[SHA256_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(lengths); i++) {
        size_t len = lengths[i / 2];
        sha256_of(body, len, hash);
        assert_int_equal(post("good", body, len, i % 2), 200);
        assert_string_equal(content(), sha256_text(hash, text));
        assert_int_equal(atomic_load(&files_seen), 0); /* the file has no name */
    }
    assert_int_equal(atomic_load(&judged), 2 * ARRAY_LEN(lengths));
}

static void what_is_refused_is_not_kept(void **state)
{
    CLEANUP(free_cleanup) char *body = noise(LIMIT + 1);

    (void)state;
    assert_int_equal(post("good", body, LIMIT + 1, false), 413);
    assert_int_equal(post("good", body, LIMIT + 1, true), 413);
    assert_int_equal(post("bad", body, LONG, false), 401);
    assert_non_null(strstr(content(), "Invalid API key"));
    assert_int_equal(post("bad", body, LONG, true), 401);
    assert_int_equal(post("eager", body, LONG, false), 429);
    assert_non_null(strstr(answer, "Retry-After: 9\r\n"));
    assert_int_equal(post("good", body, 10, false), 200);
}

static void long_bodies_have_a_limit_together(void **state)
{
    struct spool spools[SPOOLS_MAX];
    CLEANUP(free_cleanup) char *body = noise(LONG);

    (void)state;
    for (int i = 0; i < SPOOLS_MAX; i++) {
        spool_init(&spools[i]);
        assert_int_equal(spool_open(&spools[i], dir), 0);
    }
    assert_false(spool_is_short());
    assert_int_equal(post("good", body, LONG, false), 503);
    assert_non_null(strstr(answer, "Retry-After: "));
    assert_true(spool_is_short());
    assert_int_equal(post("good", body, 10, false), 200);
    for (int i = 0; i < SPOOLS_MAX; i++)
        spool_free(&spools[i]);
    assert_int_equal(post("good", body, LONG, false), 200);
}

/* --- where a request ends
 * -------------------------------------------------------------------- */

#define POST(headers) "POST /body HTTP/1.1\r\nHost: x\r\nX-API-Key: good\r\n" headers
#define NEXT          "GET /now HTTP/1.1\r\nHost: x\r\n\r\n"

/* How many 200s came before the server closed; *status is the first answer's. */
static int served_of(const char *text, int *status)
{
    int n = 0, fd = dial();

    say(fd, text, strlen(text));
    *status = hear(fd);
    for (const char *at = answer; (at = strstr(at, "HTTP/1.1 200 ")); at++)
        n++;
    return n;
}

/* Of the first answer the connection is closed: the rest is nobody's request. */
static void a_request_of_two_lengths_is_refused_and_the_connection_closed(void **state)
{
    static const char *const bad[] = {
        POST("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") NEXT,
        POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n") NEXT,
        POST("Content-Length: 2\r\nContent-Length: 0\r\n\r\nhi") NEXT,
        POST("Content-Length: 0\r\ncontent-length: 2\r\n\r\nhi") NEXT,
        POST("Content-Length: 2, 0\r\n\r\nhi") NEXT,
        POST("Content-Length: +2\r\n\r\nhi") NEXT,
        POST("Content-Length: -2\r\n\r\nhi") NEXT,
        POST("Content-Length: 0x2\r\n\r\nhi") NEXT,
        POST("Content-Length:\r\n\r\n") NEXT,
        POST("Content-Length : 2\r\n\r\nhi") NEXT,
        POST("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n") NEXT,
        POST("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n") NEXT,
        POST("Transfer-Encoding: identity\r\n\r\n") NEXT,
        POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: "
             "identity\r\n\r\n0\r\n\r\n") NEXT,
        "POST /body HTTP/1.0\r\nX-API-Key: good\r\nConnection: "
        "keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
        "GET /now HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" NEXT,
        "GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n" NEXT,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int status = 0, n = served_of(bad[i], &status);
        if (n != 0 || status != 400)
            fail_msg("%d served, status %d, to %s: %s", n, status, bad[i], answer);
    }
    int status = 0;
    assert_int_equal(
        served_of(POST("Content-Length: 99999999999999999999\r\n\r\nhi") NEXT, &status),
        0);
    assert_int_equal(status, 413);
    assert_int_equal(atomic_load(&judged), 0);
}

static void a_request_of_one_length_is_served_and_the_next_one_too(void **state)
{
    static const char *const good[] = {
        POST("Content-Length: 2\r\n\r\nhi"),
        POST("Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
        POST("Transfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        POST("Content-Length: 0\r\n\r\n"),
        POST("\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(free_cleanup)
        char *two = xasprintf("%sGET /now HTTP/1.1\r\nHost: x\r\nConnection: "
                              "close\r\n\r\n",
                              good[i]);
        int status = 0, n = served_of(two, &status);
        if (n != 2 || status != 200)
            fail_msg("%d served, status %d, to %s", n, status, good[i]);
    }
}

/* --- waiting
 * --------------------------------------------------------------------------------- */

static void waiting_requests_hold_no_thread(void **state)
{
    int fds[HTTP_WAITING_MAX];

    (void)state;
    for (int i = 0; i < HTTP_WAITING_MAX; i++)
        fds[i] = get("/later");
    while (atomic_load(&calls) < 2 * HTTP_WAITING_MAX) /* all of them wait */
        poll(NULL, 0, 5);
    assert_int_equal(hear(get("/now")), 200);   /* the one thread is free */
    assert_int_equal(hear(get("/later")), 503); /* one too many is told at once */
    atomic_store(&ready, 1);
    for (int i = 0; i < HTTP_WAITING_MAX; i++) {
        assert_int_equal(hear(fds[i]), 200);
        assert_int_equal(strncmp(content(), "app ", 4), 0);
        assert_true(strtol(content() + 4, NULL, 10) >= 2); /* it was the same request */
    }
    assert_int_equal(atomic_load(&judged), HTTP_WAITING_MAX + 1); /* each once */
}

static void what_takes_long_is_done_aside(void **state)
{
    enum { SLOW = 10 };
    int fds[SLOW];

    (void)state;
    for (int i = 0; i < SLOW; i++) {
        char *text = xasprintf("POST /slow HTTP/1.1\r\nHost: x\r\nX-API-Key: good\r\n"
                               "Connection: close\r\nContent-Length: 2\r\n\r\n%02d",
                               i);
        fds[i] = dial();
        say(fds[i], text, strlen(text));
        free(text);
    }
    assert_int_equal(hear(get("/now")), 200); /* the one thread is free */
    atomic_store(&ready, 1);
    for (int i = 0; i < SLOW; i++) {
        assert_int_equal(hear(fds[i]), 200);
        assert_int_equal(strtol(content(), NULL, 10), i);
    }
    assert_int_equal(atomic_load(&judged), SLOW);
}

static bool wait_in_line(int n)
{
    struct http_load load;
    int64_t until = mono_ms() + PATIENCE_MS;

    do {
        poll(NULL, 0, 5);
        http_server_load(server, &load);
    } while (load.of[HTTP_VOICE].waiting != n && mono_ms() < until);
    return load.of[HTTP_VOICE].waiting == n;
}

static void those_that_may_are_served_together(void **state)
{
    int first = get("/many/plain"), fds[5];

    (void)state;
    while (atomic_load(&calls) == 0)
        poll(NULL, 0, 5);
    for (int i = 0; i < 5; i++)
        fds[i] = get(i == 2 ? "/many/odd" : "/many/plain");
    assert_true(wait_in_line(5));
    atomic_store(&ready, 1);
    assert_int_equal(hear(first), 200);
    assert_string_equal(content(), "1 together");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hear(fds[i]), 200);
        assert_string_equal(content(), i == 2 ? "odd" : "5 together");
    }
    assert_int_equal(atomic_load(&calls), 2);
}

static void a_server_that_stops_leaves_nobody_waiting(void **state)
{
    int fds[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = get("/later");
    while (atomic_load(&calls) < 16)
        poll(NULL, 0, 5);
    int64_t before = mono_ms();
    http_server_stop(server);
    server = NULL;
    assert_true(mono_ms() - before < 10000);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        int status = hear(fds[i]); /* answered, or hung up on */
        assert_true(status == 503 || status == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bodies_of_any_length_arrive_whole, begin, end),
        cmocka_unit_test_setup_teardown(what_is_refused_is_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(long_bodies_have_a_limit_together, begin, end),
        cmocka_unit_test_setup_teardown(
            a_request_of_two_lengths_is_refused_and_the_connection_closed, begin, end),
        cmocka_unit_test_setup_teardown(
            a_request_of_one_length_is_served_and_the_next_one_too, begin, end),
        cmocka_unit_test_setup_teardown(waiting_requests_hold_no_thread, begin, end),
        cmocka_unit_test_setup_teardown(what_takes_long_is_done_aside, begin, end),
        cmocka_unit_test_setup_teardown(those_that_may_are_served_together, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_stops_leaves_nobody_waiting, begin,
                                        end),
    };

    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
