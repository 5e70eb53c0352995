/*
 * html - small pages for people: text escaped, no scripts, nothing from elsewhere, in no
 * frame, kept by no cache, their address told to nobody.
 */
#ifndef SERVER_HTML_H
#define SERVER_HTML_H

#include "base/attrs.h"
#include "server/http_server.h"

/* Appends text with & < > " ' as entities: for content and quoted attributes. */
void html_text(struct buf *b, const char *text);
/* Starts a page with its headers; what is appended to resp->body is inside <main>. */
void html_begin(struct response *resp, int status, const char *title);
void html_end(struct response *resp);
/* A whole page of a heading and a sentence. */
void html_notice(struct response *resp, int status, const char *title, const char *text);

#endif
