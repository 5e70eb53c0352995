#include "server/http_send.h"

#include <strings.h>

static bool has_header(const struct response *resp, const char *name)
{
    for (int i = 0; i < resp->header_count; i++)
        if (strcasecmp(resp->headers[i].name, name) == 0)
            return true;
    return false;
}

enum MHD_Result http_send(struct MHD_Connection *c, struct response *resp,
                          const char *allow)
{
    struct MHD_Response *r =
        resp->file_fd >= 0
            ? MHD_create_response_from_fd64((uint64_t)resp->file_size, resp->file_fd)
            : MHD_create_response_from_buffer(resp->body.len, resp->body.data,
                                              MHD_RESPMEM_MUST_COPY);
    buf_free(&resp->body);
    if (!r)
        return MHD_NO;
    resp->file_fd = -1;
    if (resp->status == MHD_HTTP_SERVICE_UNAVAILABLE && !has_header(resp, "Retry-After"))
        respond_header(resp, "Retry-After", "5");
    MHD_add_response_header(r, "Content-Type", resp->content_type);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (allow[0])
        MHD_add_response_header(r, "Allow", allow);
    for (int i = 0; i < resp->header_count; i++)
        MHD_add_response_header(r, resp->headers[i].name, resp->headers[i].value);
    enum MHD_Result ok = MHD_queue_response(c, (unsigned)resp->status, r);
    MHD_destroy_response(r);
    return ok;
}
