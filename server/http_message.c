/* What handlers read of a request beside its fields, and how they answer. */
#include "server/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <microhttpd.h>

#include "base/str.h"

const char *request_header(const struct request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

const char *request_peer(const struct request *req, char out[REQUEST_PEER_MAX])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr_in *at = info ? (const void *)info->client_addr : NULL;

    if (!at || at->sin_family != AF_INET ||
        !inet_ntop(AF_INET, &at->sin_addr, out, REQUEST_PEER_MAX))
        str_cut(out, REQUEST_PEER_MAX, "");
    return out;
}

void respond_text(struct response *resp, int status, const char *text)
{
    resp->status = status;
    resp->content_type = "text/plain; charset=utf-8";
    buf_puts(&resp->body, text);
}

void respond_error(struct response *resp, int status, const char *code, const char *hint)
{
    resp->status = status;
    resp->content_type = "application/json";
    buf_printf(&resp->body, "{\"error\":\"%s\",\"hint\":\"%s\"}\n", code, hint);
}

void respond_header(struct response *resp, const char *name, const char *value)
{
    struct response_header *h = &resp->headers[resp->header_count];

    if (resp->header_count == RESPONSE_HEADERS_MAX ||
        str_copy(h->value, sizeof(h->value), value))
        return;
    h->name = name;
    resp->header_count++;
}
