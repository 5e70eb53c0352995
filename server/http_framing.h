/*
 * http_framing - where a request ends, of which two programs in a row must not think
 * differently: what one of them takes for the next request could be anybody's (RFC 9112,
 * 6.3 and 11.2).
 *
 * Thread: the loop of the connection.
 */
#ifndef SERVER_HTTP_FRAMING_H
#define SERVER_HTTP_FRAMING_H

struct MHD_Connection;

/* NULL, or what is wrong with its headers, for who sent them: it is then refused and its
 * connection closed. version as libmicrohttpd tells it. */
const char *http_framing_error(struct MHD_Connection *c, const char *version);

#endif
