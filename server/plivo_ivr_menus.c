/* Menus over HTTP: the published samples, an operator's own, one menu changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "campaigns/menu_store.h"
#include "server/plivo_ivr.h"
#include "server/server.h"

struct menu_settings plivo_ivr_settings(const struct server *s)
{
    return (struct menu_settings){.flow_name = "plivo-ivr-menus",
                                  .max_retries = (int)s->config.plivo_ivr.max_retries,
                                  .timeout_s = (int)s->config.plivo_ivr.timeout_s,
                                  .sales_number = s->config.plivo_ivr.sales_number,
                                  .support_number = s->config.plivo_ivr.support_number};
}

static void unavailable(const struct request *req, struct response *resp)
{
    request_refuse(req, resp, 503, "the database does not answer; send it again");
}

static int list(const struct request *req, json_t **out)
{
    const struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);

    int err = menu_list(pg, req->tenant_id, out);
    pg_pool_give(s->pool, pg);
    return err;
}

/* Every row, and that no two are of one id. */
static int check_all(json_t *rows, const struct menu_settings *settings,
                     struct errtext *e)
{
    json_auto_t *ids = json_object();
    size_t i;
    json_t *row;

    if (json_array_size(rows) == 0 || json_array_size(rows) > MENUS_MAX)
        return errtext_set(e, EINVAL, 0, 0, "menus: a list of 1 to %d menus", MENUS_MAX);
    json_array_foreach(rows, i, row)
    {
        int err = menu_check(row, settings, e);
        if (err)
            return err;
        const char *id = json_string_value(json_object_get(row, "menu_id"));
        if (json_object_get(ids, id))
            return errtext_set(e, EINVAL, 0, 0, "%s: two menus of that menu_id", id);
        json_object_set_new(ids, id, json_true());
    }
    return 0;
}

/* The body's menus, or the samples where there is none. NULL: the answer is in resp. */
static json_t *rows_of(const struct request *req, const struct menu_settings *settings,
                       struct response *resp)
{
    static const struct body_rule rules[] = {{.name = "menus", .type = BODY_LIST}};
    struct errtext e = {0};
    json_t *rows;

    if (req->body_len == 0 || request_is_fields(req))
        return menu_samples(settings);
    json_auto_t *body = request_json(req, rules, ARRAY_LEN(rules), resp);
    if (!body)
        return NULL;
    if (!json_is_array(json_object_get(body, "menus")))
        return menu_samples(settings);
    rows = json_incref(json_object_get(body, "menus"));
    if (check_all(rows, settings, &e) == 0)
        return rows;
    request_refuse(req, resp, 400, e.text);
    json_decref(rows);
    return NULL;
}

void plivo_ivr_seed_menus(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;
    const struct menu_settings settings = plivo_ivr_settings(s);
    json_auto_t *rows = rows_of(req, &settings, resp);
    json_t *menus = NULL;

    if (!rows)
        return;
    struct pg *pg = pg_pool_take(s->pool);
    int err = menu_replace(pg, req->tenant_id, rows, clock_now_ms());
    if (!err)
        err = menu_list(pg, req->tenant_id, &menus);
    pg_pool_give(s->pool, pg);
    if (err) {
        unavailable(req, resp);
        return;
    }
    respond_json(resp, 200,
                 json_pack("{s:o, s:o}", "message",
                           json_sprintf("Seeded %d menus successfully",
                                        (int)json_array_size(rows)),
                           "menus", menus));
}

void plivo_ivr_menus(const struct request *req, struct response *resp)
{
    json_t *menus = NULL;

    if (list(req, &menus))
        unavailable(req, resp);
    else
        respond_json(resp, 200,
                     json_pack("{s:i, s:o}", "count", (int)json_array_size(menus),
                               "menus", menus));
}

/* NULL: there is none. */
static json_t *menu_in(const json_t *rows, const char *id)
{
    size_t i;
    json_t *row;

    json_array_foreach((json_t *)(uintptr_t)rows, i,
                       row) if (str_is(json_string_value(json_object_get(row, "menu_id")),
                                       id)) return row;
    return NULL;
}

void plivo_ivr_change_menu(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;
    const struct menu_settings settings = plivo_ivr_settings(s);
    json_auto_t *rows = NULL, *body = request_json(req, NULL, 0, resp);
    struct errtext e = {0};

    if (!body)
        return;
    if (list(req, &rows)) {
        unavailable(req, resp);
        return;
    }
    json_t *row = menu_in(rows, req->params[0]);
    if (!row) {
        request_refuse(req, resp, 404, "Menu not found");
        return;
    }
    json_object_del(body, "menu_id");
    json_object_update(row, body);
    if (menu_check(row, &settings, &e)) {
        request_refuse(req, resp, 400, e.text);
        return;
    }
    struct pg *pg = pg_pool_take(s->pool);
    int err = menu_write(pg, req->tenant_id, row, clock_now_ms());
    pg_pool_give(s->pool, pg);
    if (err)
        unavailable(req, resp);
    else
        respond_json(resp, 200,
                     json_pack("{s:s, s:O}", "message", "Menu updated", "menu", row));
}
