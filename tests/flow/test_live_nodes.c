/* Nodes of a live call that ask something of the world: texts, transfers, tables, APIs.
 */
#include "unit/cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "campaigns/table_store.h"
#include "flow/live_phone.h"

/* ---- other nodes ---- */

static void a_text_message_is_a_row(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'sms', 'nodes': {'sms': {'kind': 'sms', 'text': {'en': "
             "'Five bags.', 'am': 'Z'}, 'exits': {'queued': 'end', 'refused': 'end'}}}}";

    (void)state;
    whole_call(flow, NULL);
    expect_outcome("completed");
    assert_int_equal(count("messages WHERE body = 'Five bags.' AND phone = 251911234567"),
                     1);
}

static void only_extensions_are_dialled(void **state)
{
    static const char inside[] =
        HEAD "'entry': 't', 'nodes': {'t': {'kind': 'transfer', 'to': 'ext:2001', "
             "'exits': {'completed': 'yes', 'busy': 'busy', 'no_answer': 'end', "
             "'failed': 'no'}},"
             "'yes': {'kind': 'hangup', 'outcome': 'talked'},"
             "'busy': {'kind': 'hangup', 'outcome': 'was_busy'},"
             "'no': {'kind': 'hangup', 'outcome': 'refused'}}}";
    static const char outside[] =
        HEAD "'entry': 't', 'nodes': {'t': {'kind': 'transfer', 'to': '+251911000000', "
             "'exits': {'completed': 'end', 'busy': 'end', 'no_answer': 'end', "
             "'failed': 'no'}}, 'no': {'kind': 'hangup', 'outcome': 'refused'}}}";
    static const struct act busy[] = {
        {.on = OP_DIAL, .deed = DO_DIALLED, .dialled = IVR_DIALLED_BUSY},
        {0},
    };

    (void)state;
    whole_call(inside, NULL);
    expect_outcome("talked");
    assert_string_equal(phone.dialled, "2001");
    assert_int_equal(phone.moh_on, 1);
    assert_int_equal(phone.moh_off, 1);
    whole_call(inside, busy);
    expect_outcome("was_busy");
    whole_call(outside, NULL);
    expect_outcome("refused");
    assert_int_equal(phone.counts[OP_DIAL], 0);
    assert_int_equal(count("call_events WHERE kind = 'warning' AND data->>'name' = "
                           "'transfer_refused'"),
                     1);
}

/* ---- tables ---- */

#define STOCK                                                                            \
    HEAD "'entry': 'hear', 'nodes': {"                                                   \
         "'hear': {'kind': 'say', 'prompt': {'en': 'One moment.'}, "                     \
         "'exits': {'done': 'take', 'failed': 'bye'}},"                                  \
         "'take': {'kind': 'data', 'table': 'stock', 'do': 'update', 'where': "          \
         "{'item': 'seed', 'bags': {'at_least': 1}}, 'set': {'bags': {'add': -1}}, "     \
         "'into': {'left': 'bags'}, 'exits': {'done': 'tell', 'none': 'none', "          \
         "'failed': 'bye'}},"                                                            \
         "'tell': {'kind': 'say', 'prompt': {'en': 'There are {{vars.left}} left.'}, "   \
         "'exits': {'done': 'end', 'failed': 'end'}},"                                   \
         "'none': {'kind': 'hangup', 'prompt': {'en': 'None.'}, 'outcome': 'none'},"     \
         "'bye': {'kind': 'hangup', 'outcome': 'lost'}}}"

static void a_table_is_changed_with_the_step_and_goes_on_by_itself(void **state)
{
    struct table_def def = {.key = -1};
    struct table_counts counts;
    struct errtext e = {0};
    json_t *rows = json_pack("[{s:s, s:i}]", "item", "seed", "bags", 1);

    (void)state;
    assert_int_equal(table_def_add(&def, "item:key", &e), 0);
    assert_int_equal(table_def_add(&def, "bags:int", &e), 0);
    assert_int_equal(
        table_import(pg, TENANT, "stock", &def, rows, true, clock_now_ms(), &counts, &e),
        0);
    json_decref(rows);
    whole_call(STOCK, NULL);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY], 2);
    assert_non_null(strstr(phone.media[1], "There are 0 left."));
    whole_call(STOCK, NULL);
    expect_outcome("none");
    assert_int_equal(table_remove(pg, TENANT, "stock", &e), 0);
    whole_call(STOCK, NULL);
    expect_outcome("lost");
}

static const struct act gone_while_it_looks[] = {
    {.on = OP_PLAY, .nth = 1, .deed = DO_PLAYED},
    {.on = OP_PLAY, .nth = 1, .deed = DO_HANG_UP},
    {0}};

static void a_hang_up_beside_a_table_ends_the_call(void **state)
{
    (void)state;
    whole_call(STOCK, gone_while_it_looks);
    assert_int_equal(phone.ended, 1);
}

/* ---- APIs ---- */

/* A web server of one answer, on the same loop. */
static struct {
    uv_tcp_t listener, peer;
    char request[4096];
    size_t len;
    int port, closed;
} web_peer;

static void peer_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    (void)handle;
    (void)wanted;
    *buf = uv_buf_init(web_peer.request + web_peer.len,
                       (unsigned)(sizeof(web_peer.request) - 1 - web_peer.len));
}

static void peer_closed(uv_handle_t *handle)
{
    (void)handle;
    web_peer.closed++;
}

static void peer_wrote(uv_write_t *req, int status)
{
    assert_int_equal(status, 0);
    uv_close((uv_handle_t *)req->handle, peer_closed);
    free(req);
}

static void peer_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    static char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                           "Content-Length: 12\r\nConnection: close\r\n\r\n"
                           "{\"price\": 7}";

    (void)buf;
    if (n <= 0)
        return;
    web_peer.len += (size_t)n;
    web_peer.request[web_peer.len] = '\0';
    if (!strstr(web_peer.request, "\r\n\r\n"))
        return;
    uv_read_stop(stream);
    uv_buf_t out = uv_buf_init(answer, sizeof(answer) - 1);
    uv_write(xcalloc(1, sizeof(uv_write_t)), stream, &out, 1, peer_wrote);
}

static void peer_connected(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    uv_tcp_init(&loop, &web_peer.peer);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&web_peer.peer), 0);
    uv_read_start((uv_stream_t *)&web_peer.peer, peer_room, peer_read);
}

static void peer_listen(void)
{
    struct sockaddr_in at;
    int size = sizeof(at);

    memset(&web_peer, 0, sizeof(web_peer));
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(&loop, &web_peer.listener);
    assert_int_equal(uv_tcp_bind(&web_peer.listener, (const struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&web_peer.listener, 4, peer_connected), 0);
    uv_tcp_getsockname(&web_peer.listener, (struct sockaddr *)&at, &size);
    web_peer.port = ntohs(at.sin_port);
}

static bool peer_is_closed(void)
{
    return web_peer.closed == 2;
}

static void an_api_node_asks_with_its_secret_while_music_plays(void **state)
{
    static const char form[] =
        HEAD "'entry': 'ask', 'nodes': {'ask': {'kind': 'api', 'url': "
             "'http://127.0.0.1:%d/price', 'headers': {'Authorization': "
             "'Bearer {secret:PRICES}'}, 'into': {'price': '/price'}, "
             "'exits': {'ok': 'seven', 'http_error': 'end', 'timeout': 'end', "
             "'bad_body': 'end'}},"
             "'seven': {'kind': 'branch', 'on': '{{vars.price}}', 'cases': [{'is': 7, "
             "'exit': 'yes'}], 'exits': {'yes': 'good', 'default': 'end'}},"
             "'good': {'kind': 'hangup', 'outcome': 'seven'}}}";
    char flow[1024];

    (void)state;
    peer_listen();
    snprintf(flow, sizeof(flow), form, web_peer.port);
    whole_call(flow, NULL);
    expect_outcome("seven");
    assert_non_null(strstr(web_peer.request, "GET /price"));
    assert_non_null(strstr(web_peer.request, "Authorization: Bearer s3cret=x"));
    assert_int_equal(phone.moh_on, 1);
    assert_int_equal(phone.moh_off, 1);
    assert_int_equal(phone.moh_now, 0);
    uv_close((uv_handle_t *)&web_peer.listener, peer_closed);
    run_until(peer_is_closed);
}

static void an_api_node_without_its_secret_fails_and_sends_nothing(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'ask', 'nodes': {'ask': {'kind': 'api', 'url': "
             "'http://127.0.0.1:1/', 'headers': {'X': '{secret:NOBODY}'}, "
             "'exits': {'ok': 'end', 'http_error': 'no', 'timeout': 'end', "
             "'bad_body': 'end'}}, 'no': {'kind': 'hangup', 'outcome': 'refused'}}}";

    (void)state;
    whole_call(flow, NULL);
    expect_outcome("refused");
    assert_int_equal(count("call_events WHERE data->>'name' = 'secret_missing' AND "
                           "data->>'value' = 'NOBODY'"),
                     1);
}

static void sensitive_keys_are_in_no_row(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'pin', 'nodes': {'pin': {'kind': 'collect', 'prompt': {'en': "
             "'Your PIN?', 'am': 'Y'}, 'max': 4, 'sensitive': true, "
             "'valid': '{{digits == \\'4711\\'}}', "
             "'exits': {'any': 'good', 'invalid': 'end', 'no_input': 'end'}},"
             "'good': {'kind': 'hangup', 'outcome': 'entered'}}}";
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "4711"},
        {0},
    };

    (void)state;
    whole_call(flow, acts);
    expect_outcome("entered");
    assert_true(count("call_events WHERE true") > 2);
    assert_int_equal(count("call_events WHERE data::text LIKE '%4711%'"), 0);
    assert_int_equal(count("ivr_sessions WHERE position('4711'::bytea in state) > 0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_message_is_a_row),
        cmocka_unit_test(only_extensions_are_dialled),
        cmocka_unit_test(an_api_node_asks_with_its_secret_while_music_plays),
        cmocka_unit_test(an_api_node_without_its_secret_fails_and_sends_nothing),
        cmocka_unit_test(sensitive_keys_are_in_no_row),
        cmocka_unit_test(a_table_is_changed_with_the_step_and_goes_on_by_itself),
        cmocka_unit_test(a_hang_up_beside_a_table_ends_the_call),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("live nodes", tests, live_setup, live_teardown);
}
