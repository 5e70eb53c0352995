/* http_send - an answer as libmicrohttpd sends it. */
#ifndef SERVER_HTTP_SEND_H
#define SERVER_HTTP_SEND_H

#include <microhttpd.h>

#include "server/http_server.h"

/* Takes the body and the file of resp. allow: the methods of a 405, "" else. A 503 that
 * does not say when to come again says in five seconds. MHD_NO: the connection is to end.
 */
enum MHD_Result http_send(struct MHD_Connection *c, struct response *resp,
                          const char *allow);

#endif
