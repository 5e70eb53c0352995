/* The page with the telephone: one file, no other server is asked for anything. */
#include "server/ivr_simulator.h"

extern const char ivr_simulator_phone_html[];

void ivr_simulator_phone(const struct request *req, struct response *resp)
{
    (void)req;
    resp->status = 200;
    resp->content_type = "text/html; charset=utf-8";
    buf_puts(&resp->body, ivr_simulator_phone_html);
}
