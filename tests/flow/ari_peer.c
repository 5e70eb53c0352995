#include "flow/ari_peer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <libwebsockets.h>

#include "base/str.h"
#include "base/xalloc.h"

struct line { /* one connection */
    uv_tcp_t tcp;
    struct ari_peer *peer;
    struct line *next;
    struct buf in;
    bool websocket, replaced;
    char app[96]; /* whose events it is told */
};

struct ari_peer {
    uv_tcp_t listener;
    ari_peer_fn *answer;
    struct line *lines;
    int handshakes, pings, connections, spoken;
    bool deaf, speaks;
    enum ari_peer_door door;
};

struct sending {
    uv_write_t write;
    char *bytes;
};

static void on_line_closed(uv_handle_t *h)
{
    struct line *l = h->data;

    buf_free(&l->in);
    free(l);
}

static void close_line(struct line *l)
{
    struct line **at = &l->peer->lines;

    if (uv_is_closing((uv_handle_t *)&l->tcp))
        return;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    uv_close((uv_handle_t *)&l->tcp, on_line_closed);
}

static void on_sent(uv_write_t *write, int status)
{
    struct sending *s = write->data;

    (void)status;
    free(s->bytes);
    free(s);
}

/* Takes bytes over. */
static void send_bytes(struct line *l, char *bytes, size_t len)
{
    struct sending *s = xcalloc(1, sizeof(*s));
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);

    s->bytes = bytes;
    s->write.data = s;
    uv_write(&s->write, (uv_stream_t *)&l->tcp, &buf, 1, on_sent);
}

static void send_frame(struct line *l, unsigned opcode, const char *data, size_t len)
{
    struct buf frame = {0};
    unsigned char head[4] = {(unsigned char)(0x80U | opcode), (unsigned char)len, 0, 0};
    size_t n = 2;

    if (len > 125) {
        head[1] = 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        n = 4;
    }
    buf_add(&frame, head, n);
    buf_add(&frame, data, len);
    n = frame.len;
    send_bytes(l, buf_take(&frame), n);
}

static void drop(struct line *l, size_t n)
{
    memmove(l->in.data, l->in.data + n, l->in.len - n + 1);
    l->in.len -= n;
}

static void answer_spoken(struct line *l, const char *id, const struct ari_peer_reply *r)
{
    json_auto_t *json = json_pack("{s:s,s:s,s:i,s:s,s:s*}", "type", "RESTResponse",
                                  "request_id", id, "status_code", r->status,
                                  "reason_phrase", "X", "message_body", r->body);
    char *text = json_dumps(json, JSON_COMPACT);

    send_frame(l, 1, text, strlen(text));
    free(text);
}

/* A request as Asterisk has it: the path without its beginning. */
static void read_spoken(struct line *l, const char *text)
{
    json_auto_t *json = json_loads(text, 0, NULL);
    const char *method = json_string_value(json_object_get(json, "method"));
    const char *uri = json_string_value(json_object_get(json, "uri"));
    const char *id = json_string_value(json_object_get(json, "request_id"));
    const char *body = json_string_value(json_object_get(json, "message_body"));

    if (!l->peer->speaks || !method || !uri || !id)
        return;
    l->peer->spoken++;
    char *path = xasprintf("/ari/%s", uri);
    const struct ari_peer_reply r =
        l->peer->answer(l->peer, method, path, body ? body : "");
    free(path);
    if (r.how == PEER_CUTS)
        close_line(l);
    else if (r.how == PEER_ANSWERS)
        answer_spoken(l, id, &r);
}

/* Masked frames of at most 64 KiB are all that a client of ours sends. */
static bool read_frame(struct line *l)
{
    const unsigned char *b = (const unsigned char *)l->in.data;
    size_t head = 2 + 4, len = l->in.len > 1 ? b[1] & 0x7fU : 0;

    if (len == 126 && l->in.len >= 4) {
        len = (size_t)b[2] << 8 | b[3];
        head += 2;
    }
    if (l->in.len < head + len)
        return false;
    struct buf data = {0};
    for (size_t i = 0; i < len; i++)
        buf_add(&data, &(char){(char)(b[head + i] ^ b[head - 4 + i % 4])}, 1);
    unsigned opcode = b[0] & 0xfU;
    drop(l, head + len);
    if (opcode == 9) {
        l->peer->pings++;
        if (!l->peer->deaf)
            send_frame(l, 10, data.data ? data.data : "", len);
    } else if (opcode == 1 && data.data) {
        read_spoken(l, data.data);
    } else if (opcode == 8) {
        close_line(l);
    }
    buf_free(&data);
    return !uv_is_closing((uv_handle_t *)&l->tcp);
}

static const char *header(const char *request, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);

    for (const char *p = strstr(request, "\r\n"); p; p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, n) != 0 || p[2 + n] != ':')
            continue;
        const char *from = p + 2 + n + 1 + strspn(p + 2 + n + 1, " ");
        snprintf(out, size, "%.*s", (int)strcspn(from, "\r"), from);
        return out;
    }
    return NULL;
}

/* The newest connection has an application; the one before is told so and no more. */
static void take_over(struct line *l)
{
    for (struct line *o = l->peer->lines; o; o = o->next) {
        if (o == l || !o->websocket || o->replaced || strcmp(o->app, l->app) != 0)
            continue;
        char *json = xasprintf(
            "{\"type\":\"ApplicationReplaced\",\"application\":\"%s\"}", o->app);
        send_frame(o, 1, json, strlen(json));
        free(json);
        o->replaced = true;
    }
}

static void shake_hands(struct line *l, const char *path, const char *key)
{
    unsigned char hash[20];
    char both[160];
    char coded[64];

    snprintf(both, sizeof(both), "%.100s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    lws_SHA1((const unsigned char *)both, strlen(both), hash);
    lws_b64_encode_string((const char *)hash, sizeof(hash), coded, sizeof(coded));
    char *text = xasprintf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                           "Sec-WebSocket-Protocol: ari\r\n\r\n",
                           coded);
    const char *app = strstr(path, "app=");
    if (app)
        snprintf(l->app, sizeof(l->app), "%.*s", (int)strcspn(app + 4, "&"), app + 4);
    l->websocket = true;
    l->peer->handshakes++;
    send_bytes(l, text, strlen(text));
    take_over(l);
}

static void reply(struct line *l, const char *method, const char *path, const char *body)
{
    const struct ari_peer_reply r = l->peer->answer(l->peer, method, path, body);

    if (r.how == PEER_CUTS) {
        close_line(l);
    } else if (r.how == PEER_ANSWERS) {
        size_t len = r.body_len ? r.body_len : r.body ? strlen(r.body) : 0;
        struct buf whole = {0};
        buf_printf(&whole, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", r.status, len);
        buf_add(&whole, r.body ? r.body : "", len);
        len = whole.len;
        send_bytes(l, buf_take(&whole), len);
    }
}

static bool read_request(struct line *l)
{
    const char *end = strstr(l->in.data, "\r\n\r\n");
    char method[16] = "";
    char path[2048] = "";
    char value[128];
    int64_t len = 0;

    if (!end || sscanf(l->in.data, "%15s %2047s", method, path) != 2)
        return false;
    if (header(l->in.data, "Content-Length", value, sizeof(value)) &&
        !str_to_i64(value, &len))
        return false;
    size_t head = (size_t)(end + 4 - l->in.data);
    if (l->in.len < head + (size_t)len)
        return false;
    if (header(l->in.data, "Sec-WebSocket-Key", value, sizeof(value))) {
        if (l->peer->door == PEER_SHUTS_LATE) {
            close_line(l);
            return false;
        }
        drop(l, head);
        shake_hands(l, path, value);
        return true;
    }
    char *body = xstrndup(l->in.data + head, (size_t)len);
    drop(l, head + (size_t)len);
    reply(l, method, path, body);
    free(body);
    return !uv_is_closing((uv_handle_t *)&l->tcp);
}

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
    (void)h;
    *buf = uv_buf_init(xmalloc(size), (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct line *l = stream->data;

    if (n > 0)
        buf_add(&l->in, buf->base, (size_t)n);
    free(buf->base);
    if (n < 0) {
        close_line(l);
        return;
    }
    while (l->in.len > 0 && (l->websocket ? read_frame(l) : read_request(l)))
        ;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct ari_peer *p = listener->data;
    struct line *l = xcalloc(1, sizeof(*l));

    (void)status;
    l->peer = p;
    uv_tcp_init(listener->loop, &l->tcp);
    l->tcp.data = l;
    if (uv_accept(listener, (uv_stream_t *)&l->tcp)) {
        uv_close((uv_handle_t *)&l->tcp, on_line_closed);
        return;
    }
    p->connections++;
    l->next = p->lines;
    p->lines = l;
    if (p->door == PEER_SHUTS) {
        close_line(l);
        return;
    }
    uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_read);
}

struct ari_peer *ari_peer_new(uv_loop_t *loop, ari_peer_fn *answer)
{
    return ari_peer_new_at(loop, answer, 0);
}

struct ari_peer *ari_peer_new_at(uv_loop_t *loop, ari_peer_fn *answer, int port)
{
    struct ari_peer *p = xcalloc(1, sizeof(*p));
    struct sockaddr_in address;

    signal(SIGPIPE, SIG_IGN); /* libuv writes to what was reset in between */
    p->answer = answer;
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(loop, &p->listener);
    p->listener.data = p;
    if (uv_tcp_bind(&p->listener, (const struct sockaddr *)&address, 0) ||
        uv_listen((uv_stream_t *)&p->listener, 16, on_connection))
        abort();
    return p;
}

int ari_peer_port(const struct ari_peer *p)
{
    struct sockaddr_in address;
    int size = sizeof(address);

    uv_tcp_getsockname(&p->listener, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

int ari_peer_sockets(const struct ari_peer *p)
{
    int n = 0;

    for (const struct line *l = p->lines; l; l = l->next)
        n += l->websocket;
    return n;
}

int ari_peer_handshakes(const struct ari_peer *p)
{
    return p->handshakes;
}

int ari_peer_pings(const struct ari_peer *p)
{
    return p->pings;
}

void ari_peer_speaks(struct ari_peer *p, bool speaks)
{
    p->speaks = speaks;
}

int ari_peer_spoken(const struct ari_peer *p)
{
    return p->spoken;
}

int ari_peer_connections(const struct ari_peer *p)
{
    return p->connections;
}

void ari_peer_event(struct ari_peer *p, const char *json)
{
    for (struct line *l = p->lines; l; l = l->next)
        if (l->websocket)
            send_frame(l, 1, json, strlen(json));
}

bool ari_peer_event_to(struct ari_peer *p, const char *app, const char *json)
{
    for (struct line *l = p->lines; l; l = l->next)
        if (l->websocket && !l->replaced && strcmp(l->app, app) == 0) {
            send_frame(l, 1, json, strlen(json));
            return true;
        }
    return false;
}

void ari_peer_cut(struct ari_peer *p)
{
    struct line *next = NULL;

    for (struct line *l = p->lines; l; l = next) {
        next = l->next;
        if (l->websocket)
            close_line(l);
    }
}

void ari_peer_door(struct ari_peer *p, enum ari_peer_door door)
{
    p->door = door;
}

void ari_peer_deaf(struct ari_peer *p)
{
    p->deaf = true;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void ari_peer_close(struct ari_peer *p)
{
    while (p->lines)
        close_line(p->lines);
    uv_close((uv_handle_t *)&p->listener, on_closed);
}
