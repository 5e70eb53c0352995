/* A batch is verified under its token, by who may; the token is in the address only. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "batches/caller_store.h"
#include "batches/token.h"
#include "batches/verification_store.h"
#include "server/contract.h"
#include "server/html.h"
#include "server/ledger_pages.h"
#include "server/server.h"

/* More than a lorry carries in a day is a slip of the finger. */
static const double most_kg = 1000000;

static void respond_failed(const struct request *req, struct response *resp,
                           struct pg *pg, int err)
{
    log_warn("verify", "err=%d %s", err, pg_error(pg));
    request_refuse(req, resp, 503, "The database does not answer. Please try again.");
}

/* --- the page ---------------------------------------------------------------------- */

static void put_row(struct buf *b, const char *name, const char *value)
{
    buf_puts(b, "<tr><th>");
    html_text(b, name);
    buf_puts(b, "</th><td>");
    html_text(b, *value ? value : "not known");
    buf_puts(b, "</td></tr>");
}

static void put_batch(struct buf *b, const struct verification *v)
{
    char kg[40] = "";

    if (v->kg >= 0)
        snprintf(kg, sizeof(kg), "%.10g kg", v->kg);
    buf_puts(b, "<table>");
    put_row(b, "Batch ID", v->batch_id);
    put_row(b, "Variety", v->variety);
    put_row(b, "Claimed quantity", kg);
    put_row(b, "Origin", v->origin);
    if (*v->farmer)
        put_row(b, "Farmer", v->farmer);
    buf_puts(b, "</table>\n");
}

static void put_form(struct buf *b, const struct request *req, const char *token,
                     const struct verification *v)
{
    buf_puts(b, "<form method=\"post\" action=\"");
    html_text(b, req->mount->base);
    buf_printf(b,
               "/verify/%s\"><label>Verified quantity (kg)<input "
               "name=\"verified_quantity\" inputmode=\"decimal\" required",
               token);
    if (v->kg >= 0)
        buf_printf(b, " value=\"%.10g\"", v->kg);
    buf_printf(b,
               "></label><label>Your user ID, or your registered phone number with +"
               "<input name=\"telegram_user_id\" required></label><label>Notes<textarea "
               "name=\"verification_notes\" maxlength=\"%d\"></textarea></label>"
               "<button>Verify</button></form>",
               VERIFICATION_NOTES_MAX);
}

static void show(const struct request *req, struct response *resp, const char *token,
                 const struct verification *v)
{
    char at[CLOCK_TEXT_MAX], kg[64];

    if (v->used) {
        html_begin(resp, 200, "Already Verified");
        put_batch(&resp->body, v);
        snprintf(kg, sizeof(kg), "%.10g kg", v->verified_kg);
        buf_printf(&resp->body, "<p>Verified as %s on %s.</p>", kg,
                   clock_text(v->verified_ms, at));
        html_end(resp);
    } else if (v->expires_ms <= clock_now_ms()) {
        html_notice(resp, 400, "Token Expired",
                    "This verification link is over. Please ask for a new batch to be "
                    "recorded.");
    } else {
        html_begin(resp, 200, "Batch Verification");
        put_batch(&resp->body, v);
        put_form(&resp->body, req, token, v);
        html_end(resp);
    }
}

void route_verify_page(const struct request *req, struct response *resp)
{
    const char *token = req->params[0];
    struct server *s = req->app;
    struct verification v;

    if (!token_is_sound(token)) {
        html_notice(resp, 400, "Invalid Token", "This verification link is not valid.");
        return;
    }
    struct pg *pg = pg_pool_take(s->pool);
    int err = verification_find(pg, req->tenant_id, token, &v);
    if (err == ENOENT)
        html_notice(resp, 400, "Batch Not Found",
                    "There is no batch with this verification link.");
    else if (err)
        respond_failed(req, resp, pg, err);
    else
        show(req, resp, token, &v);
    pg_pool_give(s->pool, pg);
}

void route_verify_success(const struct request *req, struct response *resp)
{
    if (!token_is_sound(req->params[0]))
        html_notice(resp, 400, "Invalid Token", "This verification link is not valid.");
    else
        html_notice(resp, 200, "Verification Complete",
                    "The batch has been verified, and the event is recorded.");
}

/* --- the form ---------------------------------------------------------------------- */

struct answer {
    double kg;
    const char *user, *notes; /* borrowed from the form */
};

/* The whole text must be one number of kilograms, in decimal digits. */
static bool read_kg(const char *text, double *kg)
{
    char *end = NULL;

    *kg = strtod(text, &end);
    return end != text && !*end && isfinite(*kg) && !strpbrk(text, "xX");
}

static bool read_answer(const struct request *req, const struct form *f, struct answer *a,
                        struct response *resp)
{
    const char *quantity = form_value(f, "verified_quantity");
    struct fault faults[3];
    size_t n = 0;

    a->user = form_value(f, "telegram_user_id");
    a->notes = form_value(f, "verification_notes");
    if (!*quantity)
        faults[n++] = (struct fault){
            .field = "verified_quantity", .text = "Field required", .type = "missing"};
    else if (!read_kg(quantity, &a->kg))
        faults[n++] = (struct fault){.field = "verified_quantity",
                                     .text = "Input should be a valid number",
                                     .type = "float_parsing"};
    else if (a->kg <= 0 || a->kg > most_kg)
        faults[n++] =
            (struct fault){.field = "verified_quantity",
                           .text = "Input should be above 0 kg and no more than "
                                   "1000000 kg",
                           .type = "value_error"};
    if (!*a->user)
        faults[n++] = (struct fault){
            .field = "telegram_user_id", .text = "Field required", .type = "missing"};
    if (strlen(a->notes) > VERIFICATION_NOTES_MAX)
        faults[n++] = (struct fault){.field = "verification_notes",
                                     .text = "Input should be of at most 2000 bytes",
                                     .type = "string_too_long"};
    if (n > 0)
        request_refuse_fields(req, resp, faults, n);
    return n == 0;
}

/* Who is known and may. */
static bool may_verify(const struct request *req, struct response *resp,
                       const struct caller *c)
{
    if (!c->registered)
        request_refuse(req, resp, 401, "User not found. Please register first.");
    else if (!c->approved)
        request_refuse(req, resp, 403, "Your account is pending approval.");
    else if (!caller_role_verifies(c->role))
        request_refuse(req, resp, 403,
                       "Only cooperative managers, exporters and administrators verify "
                       "batches.");
    else
        return true;
    return false;
}

static void verify(const struct request *req, struct response *resp, struct pg *pg,
                   const struct answer *a)
{
    const char *token = req->params[0];
    char location[RESPONSE_HEADER_MAX];
    struct caller caller;
    const struct verification_said said = {
        .by = &caller, .kg = a->kg, .notes = a->notes, .at_ms = clock_now_ms()};

    struct verification v = {0}; /* a token of nothing is told before whom it is told */
    int err = verification_find(pg, req->tenant_id, token, &v);
    if (!err)
        err = caller_find_user(pg, req->tenant_id, a->user, &caller);
    if (!err && !may_verify(req, resp, &caller))
        return;
    if (!err)
        err = verification_add(pg, req->tenant_id, token, &said);
    if (err == ENOENT) {
        request_refuse(req, resp, 404, "Batch not found");
    } else if (err == ETIMEDOUT) {
        request_refuse(req, resp, 410, "Token expired");
    } else if (err == EEXIST) {
        request_refuse(req, resp, 409, "Already verified");
    } else if (err) {
        respond_failed(req, resp, pg, err);
    } else {
        snprintf(location, sizeof(location), "%s/verify/%s/success", req->mount->base,
                 token);
        respond_text(resp, 303, "");
        respond_header(resp, "Location", location);
        log_info("verify", "tenant=%d by=%lld", req->tenant_id, (long long)caller.id);
    }
}

/* There is no cookie that a page of another site could use; it still sends nothing. */
static bool is_from_elsewhere(const struct request *req)
{
    const char *site = request_header(req, "Sec-Fetch-Site");

    return site && (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0);
}

void route_verify(const struct request *req, struct response *resp)
{
    struct server *s = req->app;
    struct form form = {0};
    struct answer a = {0};

    if (is_from_elsewhere(req)) {
        request_refuse(req, resp, 403, "This form is sent from its own page only.");
        return;
    }
    if (request_fields(req, &form, resp) && read_answer(req, &form, &a, resp)) {
        if (!token_is_sound(req->params[0])) {
            request_refuse(req, resp, 400, "Invalid token");
        } else {
            struct pg *pg = pg_pool_take(s->pool);
            verify(req, resp, pg, &a);
            pg_pool_give(s->pool, pg);
        }
    }
    form_free(&form);
}
