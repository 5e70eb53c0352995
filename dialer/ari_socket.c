/*
 * A socket outlives its connection: libwebsockets gives a new wsi for each try, whose
 * user pointer is the socket, or NULL once the socket has been closed and only the
 * library still holds the connection.
 */
#include "dialer/ari_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libwebsockets.h>
#include <sodium.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

enum {
    PING_S = 15,
    DEAD_S = 30,
    RETRY_MIN_MS = 500,
    RETRY_MAX_MS = 10000,
    TEXT_MAX = 1 << 20,
    RECEIVE_BYTES = 16 << 10,
    HAND_BACK_TURNS = 20,
};

struct ari_socket {
    uv_timer_t retry; /* frees the socket when it has closed */
    struct lws_context *library;
    struct lws *wsi;
    char *host, *path, *name;
    char authorization[512];
    int port;
    bool tls, up, complained;
    int delay_ms;
    lws_retry_bo_t idle;
    struct buf text;
    struct buf out; /* the text that leaves, behind the room that the library wants */
    const struct ari_socket_ops *ops;
    void *arg;
};

static void connect_now(struct ari_socket *s);

static void on_retry(uv_timer_t *timer)
{
    connect_now(timer->data);
}

static void retry_later(struct ari_socket *s)
{
    int delay = s->delay_ms;

    s->delay_ms = delay * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : delay * 2;
    /* Half of it is chance, so that dialers do not come back all at once. */
    delay = delay / 2 + (int)randombytes_uniform((uint32_t)delay / 2 + 1);
    uv_timer_start(&s->retry, on_retry, (uint64_t)delay, 0);
}

static void lost(struct ari_socket *s, const char *why)
{
    bool was_up = s->up;

    s->wsi = NULL;
    s->up = false;
    buf_free(&s->text);
    if (was_up || !s->complained)
        log_warn("ari", "app=%s state=away why=%s", s->name, LOG_ESC(why));
    s->complained = true;
    retry_later(s);
    if (was_up)
        s->ops->down(s->arg);
}

/* The library may hold this connection for longer than the socket lives. */
static void lost_of(struct ari_socket *s, struct lws *wsi, const char *why)
{
    lws_set_opaque_user_data(wsi, NULL);
    lost(s, why);
}

static int received(struct ari_socket *s, struct lws *wsi, const void *in, size_t len)
{
    if (s->text.len + len > TEXT_MAX) {
        log_warn("ari", "app=%s an event of more than %d bytes", s->name, TEXT_MAX);
        return -1;
    }
    buf_add(&s->text, in, len);
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
        return 0;
    struct buf whole = s->text;
    s->text = (struct buf){0};
    s->ops->text(s->arg, whole.data, whole.len);
    buf_free(&whole);
    return 0;
}

/* The library keeps what the connection does not take of a text, and is then choked. */
static int write_texts(struct ari_socket *s, struct lws *wsi)
{
    static const char room[LWS_PRE];

    if (!s->ops->next) /* the library asks by itself when it has sent a ping */
        return 0;
    while (!lws_send_pipe_choked(wsi)) {
        size_t len = 0;
        const char *text = s->ops->next(s->arg, &len);
        if (!text)
            return 0;
        s->out.len = 0;
        buf_add(&s->out, room, sizeof(room));
        buf_add(&s->out, text, len);
        if (lws_write(wsi, (unsigned char *)s->out.data + LWS_PRE, len, LWS_WRITE_TEXT) <
            (int)len)
            return -1;
    }
    lws_callback_on_writable(wsi);
    return 0;
}

static int add_authorization(const struct ari_socket *s, struct lws *wsi, void *in,
                             size_t len)
{
    unsigned char **at = in;

    return lws_add_http_header_by_name(wsi, (const unsigned char *)"Authorization:",
                                       (const unsigned char *)s->authorization,
                                       (int)strlen(s->authorization), at, *at + len);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct ari_socket *s = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    (void)user;
    if (!s)
        return 0;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return add_authorization(s, wsi, in, len) ? -1 : 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        s->up = true;
        s->complained = false;
        s->delay_ms = RETRY_MIN_MS;
        log_info("ari", "app=%s state=connected", s->name);
        s->ops->up(s->arg);
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return received(s, wsi, in, len);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return write_texts(s, wsi);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        lost_of(s, wsi, in ? in : "no connection");
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        lost_of(s, wsi, "the connection was closed, or was silent for too long");
        break;
    case LWS_CALLBACK_WSI_DESTROY:
        /* One that is shut before the handshake ends with this word alone. */
        if (s->wsi == wsi)
            lost_of(s, wsi, "the connection was closed before it was made");
        break;
    default:
        break;
    }
    return 0;
}

static void connect_now(struct ari_socket *s)
{
    struct lws_client_connect_info info = {
        .context = s->library,
        .address = s->host,
        .port = s->port,
        .ssl_connection = s->tls ? LCCSCF_USE_SSL : 0,
        .path = s->path,
        .host = s->host,
        .origin = s->host,
        .protocol = "ari",
        .local_protocol_name = "ari",
        .opaque_user_data = s,
        .retry_and_idle_policy = &s->idle,
        .pwsi = &s->wsi,
    };

    /* A failure at once was told through on_lws, unless there was no memory for it. */
    if (!lws_client_connect_via_info(&info) && !uv_is_active((uv_handle_t *)&s->retry))
        lost(s, "no connection");
}

static const struct lws_protocols protocols[] = {
    {"ari", on_lws, 0, RECEIVE_BYTES, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static void on_library_log(int level, const char *line)
{
    (void)level;
    log_debug("ari", "lws=%s", LOG_ESC(line));
}

int ari_library_new(struct lws_context **out, uv_loop_t *loop, bool tls,
                    struct errtext *e)
{
    void *loops[] = {loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options =
            LWS_SERVER_OPTION_LIBUV | (tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
        .foreign_loops = loops,
        .http_proxy_address = "", /* not the environment's */
        .uid = -1,
        .gid = -1,
    };

    lws_set_log_level(LLL_ERR | LLL_WARN, on_library_log);
    *out = lws_create_context(&info);
    if (!*out)
        return errtext_set(e, EINVAL, 0, 0,
                           "libwebsockets cannot run on libuv: install the package "
                           "libwebsockets-evlib-uv (apt-get install "
                           "libwebsockets-evlib-uv) and start again");
    return 0;
}

void ari_library_free(struct lws_context *library, uv_loop_t *loop)
{
    if (!library)
        return;
    /* A connection that was just made is not yet in the loop's poll; taken down in that
     * state its descriptor is polled after it was closed, and libuv aborts. */
    for (int i = 0; i < HAND_BACK_TURNS; i++)
        uv_run(loop, UV_RUN_NOWAIT);
    /* On a loop that is not its own the library first hands its handles back and is
     * then asked a second time. */
    lws_context_destroy(library);
    for (int i = 0; i < HAND_BACK_TURNS; i++)
        uv_run(loop, UV_RUN_NOWAIT);
    lws_context_destroy(library);
}

static void make_authorization(struct ari_socket *s,
                               const struct ari_socket_options *options)
{
    char *plain = xasprintf("%s:%s", options->user, options->secret);
    char coded[sizeof(s->authorization) - sizeof("Basic ")];

    if (sodium_base64_ENCODED_LEN(strlen(plain), sodium_base64_VARIANT_ORIGINAL) <=
        sizeof(coded)) {
        sodium_bin2base64(coded, sizeof(coded), (const unsigned char *)plain,
                          strlen(plain), sodium_base64_VARIANT_ORIGINAL);
        snprintf(s->authorization, sizeof(s->authorization), "Basic %s", coded);
    }
    free(plain);
}

void ari_socket_open(struct ari_socket **out, struct lws_context *library,
                     uv_loop_t *loop, const struct ari_socket_options *options)
{
    struct ari_socket *s = xcalloc(1, sizeof(*s));

    s->library = library;
    s->host = xstrdup(options->host);
    s->path = xstrdup(options->path);
    s->name = xstrdup(options->name);
    s->port = options->port;
    s->tls = options->tls;
    s->ops = options->ops;
    s->arg = options->arg;
    s->delay_ms = RETRY_MIN_MS;
    s->idle.secs_since_valid_ping =
        (uint16_t)(options->ping_s ? options->ping_s : PING_S);
    s->idle.secs_since_valid_hangup =
        (uint16_t)(options->dead_s ? options->dead_s : DEAD_S);
    make_authorization(s, options);
    uv_timer_init(loop, &s->retry);
    s->retry.data = s;
    *out = s;
    /* At the loop's next turn, so that nothing is told from inside. */
    uv_timer_start(&s->retry, on_retry, 0, 0);
}

bool ari_socket_is_up(const struct ari_socket *s)
{
    return s && s->up;
}

void ari_socket_send(struct ari_socket *s)
{
    if (ari_socket_is_up(s))
        lws_callback_on_writable(s->wsi);
}

static void on_closed(uv_handle_t *h)
{
    struct ari_socket *s = h->data;

    buf_free(&s->out);
    free(s->host);
    free(s->path);
    free(s->name);
    free(s);
}

void ari_socket_close(struct ari_socket *s)
{
    if (!s)
        return;
    if (s->wsi) {
        lws_set_opaque_user_data(s->wsi, NULL);
        lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
        lws_cancel_service(s->library); /* else it is done with the next event only */
    }
    buf_free(&s->text);
    uv_close((uv_handle_t *)&s->retry, on_closed);
}
