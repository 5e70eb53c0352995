/* Registrations of callers, for an administrator: a page, and what is decided. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "batches/caller_store.h"
#include "server/contract.h"
#include "server/html.h"
#include "server/ledger_pages.h"
#include "server/server.h"

static void respond_failed(const struct request *req, struct response *resp,
                           struct pg *pg, int err)
{
    log_warn("registrations", "err=%d %s", err, pg_error(pg));
    request_refuse(req, resp, 503, "The database does not answer. Please try again.");
}

static void put_cell(struct buf *b, const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    buf_puts(b, "<td>");
    html_text(b, text ? text : "");
    buf_puts(b, "</td>");
}

static void put_rows(struct buf *b, const char *base, const json_t *rows)
{
    static const char *const columns[] = {"name",     "phone",    "role",  "organization",
                                          "location", "language", "reason"};
    const json_t *row = NULL;
    size_t i = 0;

    buf_puts(b,
             "<table><tr><th>ID</th><th>Name</th><th>Phone</th><th>Role</th><th>"
             "Organization</th><th>Location</th><th>Language</th><th>Reason</th></tr>");
    json_array_foreach(rows, i, row)
    {
        buf_printf(b, "<tr><td>%lld</td>",
                   (long long)json_integer_value(json_object_get(row, "id")));
        for (size_t k = 0; k < ARRAY_LEN(columns); k++)
            put_cell(b, row, columns[k]);
        buf_puts(b, "</tr>");
    }
    buf_puts(b, "</table><p>Decide with a POST to ");
    html_text(b, base);
    buf_puts(b, "/admin/registrations/ID/approve or /reject and the same key, or with "
                "<code>furrow caller approve PHONE</code>.</p>");
}

void route_registrations(const struct request *req, struct response *resp)
{
    struct server *s = req->app;
    json_auto_t *rows = NULL;

    struct pg *pg = pg_pool_take(s->pool);
    int err = caller_list(pg, req->tenant_id, "pending", &rows);
    if (err) {
        respond_failed(req, resp, pg, err);
    } else {
        html_begin(resp, 200, "Pending Registrations");
        if (json_array_size(rows) > 0)
            put_rows(&resp->body, req->mount->base, rows);
        else
            buf_puts(&resp->body, "<p>Nobody waits for approval.</p>");
        html_end(resp);
    }
    pg_pool_give(s->pool, pg);
}

static void decide(const struct request *req, struct response *resp, bool approve,
                   const char *reason)
{
    struct server *s = req->app;
    char location[RESPONSE_HEADER_MAX];
    int64_t id = 0;

    if (!str_to_i64(req->params[0], &id)) {
        request_refuse(req, resp, 404, "Registration not found");
        return;
    }
    struct pg *pg = pg_pool_take(s->pool);
    const struct caller_decision d = {.approve = approve,
                                      .tell = true,
                                      .by = req->key_name,
                                      .note = reason,
                                      .at_ms = clock_now_ms()};
    int err = caller_decide(pg, req->tenant_id, id, &d);
    if (err == ENOENT) {
        request_refuse(req, resp, 404, "Registration not found");
    } else if (err && err != EALREADY) { /* decided so before: the same answer */
        respond_failed(req, resp, pg, err);
    } else {
        snprintf(location, sizeof(location), "%s/admin/registrations", req->mount->base);
        respond_text(resp, 303, "");
        respond_header(resp, "Location", location);
    }
    pg_pool_give(s->pool, pg);
}

void route_registration_approve(const struct request *req, struct response *resp)
{
    decide(req, resp, true, "");
}

void route_registration_reject(const struct request *req, struct response *resp)
{
    struct form form = {0};

    if (req->body_len == 0 || request_fields(req, &form, resp)) {
        const char *reason = form_value(&form, "reason");
        if (strlen(reason) >= CALLER_TEXT_MAX)
            request_refuse(req, resp, 422, "reason is at most 500 bytes");
        else
            decide(req, resp, false, reason);
    }
    form_free(&form);
}
