/*
 * contract - what the routes of a contract share: errors told in its shape, parameters,
 * JSON bodies held to rules, its own address; and the contracts that there are.
 *
 * A contract is written down by its routes (one const table per contract) and a row in
 * contract.c. Where it is mounted is configuration (server/mounts.h).
 */
#ifndef SERVER_CONTRACT_H
#define SERVER_CONTRACT_H

#include <jansson.h>

#include "base/form.h"
#include "server/http_server.h"

enum contract_id {
    CONTRACT_PLIVO_IVR,
    CONTRACT_IVR_SIMULATOR,
    CONTRACT_VOICE_LEDGER,
    CONTRACTS,
};
extern const struct contract *const contracts[CONTRACTS];
/* NULL: there is none of that name. */
const struct contract *contract_find(const char *name);

/* ---- answers ---- */

void respond_json(struct response *resp, int status, json_t *json); /* takes json */
/* 200 with a document of a call; its body, empty, to be filled. */
struct buf *respond_xml(struct response *resp);

/* In the shape of the request's contract: {"error": text}, {"detail": text}; ours is
 * {"error": word for the status, "hint": text}. */
void request_refuse(const struct request *req, struct response *resp, int status,
                    const char *text);
/* The same with our own code; contracts say "Not Found" and "Method Not Allowed" where
 * there is nothing more to say. */
void request_refuse_as(const struct request *req, struct response *resp, int status,
                       const char *code, const char *text);

/* What is wrong with fields, told together: {"detail": [{"loc": ["body", name], "msg",
 * "type"}]} with 422; {"error": "name: msg"} of the first with 400; ours {"error":
 * "bad_field", "field", "hint"} with 422. */
enum { FAULTS_MAX = 16 };
struct fault {
    const char *place; /* "body", "query" or "path"; NULL: body */
    const char *field; /* NULL: the body as a whole */
    const char *text;  /* "Field required" */
    const char *type;  /* "missing", "string_type", "int_parsing", "value_error" … */
};
void request_refuse_fields(const struct request *req, struct response *resp,
                           const struct fault *faults, size_t n);

/* ---- what was sent ---- */

enum body_type { BODY_TEXT, BODY_INT, BODY_NUMBER, BODY_BOOL, BODY_LIST, BODY_OBJECT };
struct body_rule {
    const char *name;
    enum body_type type;
    bool required; /* and not null */
    size_t max;    /* bytes of a text, items of a list; 0: as much as the body holds */
};

/* The body, one JSON object whose members keep to the rules; others are let through. The
 * caller's. NULL: the answer is in resp. */
json_t *request_json(const struct request *req, const struct body_rule *rules, size_t n,
                     struct response *resp);

/* Parameters of the query, and of a form body (application/x-www-form-urlencoded).
 * form_free() in any case. False: they are no UTF-8 text, or too many; the answer is in
 * resp. */
bool request_query(const struct request *req, struct form *out, struct response *resp);
bool request_form(const struct request *req, struct form *out, struct response *resp);
bool request_is_form(const struct request *req);
/* The same, of multipart/form-data too, whose files are left out. Not for carriers: they
 * sign no such body. */
bool request_fields(const struct request *req, struct form *out, struct response *resp);
bool request_is_fields(const struct request *req);
/* "" when there is none. Borrowed from the form. */
const char *form_value(const struct form *f, const char *name);

/* The address of a path of this mount, as it is reached from outside: its configured
 * public URL, else that of the program with the base path, else what the Host header and
 * trusted proxies say (server/hook_url.h). False: it cannot be known. */
bool contract_url(const struct request *req, const char *path, char *out, size_t size);
/* The address that this request was sent to, with its query: what providers sign. */
bool contract_asked_url(const struct request *req, char *out, size_t size);

#endif
