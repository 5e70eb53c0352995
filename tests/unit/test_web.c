/* The HTTP client of the dialer's loop before a server that hangs up when it was told
 * something: is what must be sent once sent once? */
#include "dialer/web.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Answers the first request of each connection and hangs up on the second, unanswered. */
struct server {
    int fd, port;
    pthread_t thread;
    atomic_int connections, requests;
};

/* Reads one request, its body by the length it says. False: the connection is over. */
static bool read_request(int fd)
{
    char buf[4096];
    size_t len = 0, wanted = 0;

    for (;;) {
        ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        buf[len] = '\0';
        const char *end = strstr(buf, "\r\n\r\n");
        const char *said = strcasestr(buf, "content-length:");
        if (said)
            wanted = (size_t)strtol(said + strlen("content-length:"), NULL, 10);
        if (end && len >= (size_t)(end + 4 - buf) + wanted)
            return true;
    }
}

static void *serve(void *arg)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";
    struct server *s = arg;
    int fd = -1;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        atomic_fetch_add(&s->connections, 1);
        if (read_request(fd)) {
            atomic_fetch_add(&s->requests, 1);
            assert_int_equal(write(fd, answer, sizeof(answer) - 1), sizeof(answer) - 1);
            if (read_request(fd))
                atomic_fetch_add(&s->requests, 1);
        }
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

struct answer {
    int err, count;
    long status;
};

static void on_answer(const struct web_resp *resp, void *arg)
{
    struct answer *a = arg;

    a->err = resp->err;
    a->status = resp->status;
    a->count++;
}

static struct answer ask(uv_loop_t *loop, struct web *w, const struct server *s,
                         bool once)
{
    static const char body[] = "{\"endpoint\":\"PJSIP/1@trunk\"}";
    struct answer a = {0};
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/channels", s->port);
    assert_int_equal(web_send(w,
                              &(struct web_req){.method = "POST",
                                                .url = url,
                                                .body = body,
                                                .body_len = sizeof(body) - 1,
                                                .once = once,
                                                .direct = true},
                              on_answer, &a),
                     0);
    while (a.count == 0)
        uv_run(loop, UV_RUN_ONCE);
    return a;
}

static void run(bool once, struct answer *second, struct server *s)
{
    struct web *w = NULL;
    uv_loop_t loop;

    server_start(s);
    uv_loop_init(&loop);
    assert_int_equal(web_new(&w, &loop, 4), 0);
    struct answer first = ask(&loop, w, s, once);
    assert_int_equal(first.err, 0);
    assert_int_equal(first.status, 200);
    *second = ask(&loop, w, s, once);
    assert_int_equal(second->count, 1);
    web_close(w);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    server_stop(s);
}

static void what_is_sent_once_is_not_repeated_on_a_dead_connection(void **state)
{
    struct server s = {0};
    struct answer second = {0};

    (void)state;
    run(true, &second, &s);
    assert_int_equal(second.err, ECONNRESET); /* the peer may have acted */
    assert_int_equal(s.requests, 2); /* whole ones: it may try, but has no body */
}

/* So the test above would see it. */
static void anything_else_is_repeated_by_libcurl(void **state)
{
    struct server s = {0};
    struct answer second = {0};

    (void)state;
    run(false, &second, &s);
    assert_int_equal(second.err, 0);
    assert_int_equal(s.requests, 3);
    assert_int_equal(s.connections, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_once_is_not_repeated_on_a_dead_connection),
        cmocka_unit_test(anything_else_is_repeated_by_libcurl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
