/* compliance/opt_out_words: which messages are taken for an opt-out. */
#include "unit/cm.h"

#include <string.h>

#include "base/attrs.h"
#include "compliance/opt_out_words.h"

static void a_wish_to_be_left_alone_is_understood(void **state)
{
    static const char *const said[] = {
        "STOP",
        "stop",
        " Stop. ",
        "\"STOP\"",
        "STOP!",
        "StopAll",
        "quit",
        "END",
        "Cancel",
        "UNSUBSCRIBE",
        "revoke",
        "opt out",
        "Opt-Out please",
        "OPTOUT",
        "please stop",
        "please stop calling me",
        "Stop calling this number, I have asked you before",
        "no more! stop",
        "አቁም",
        "እባክህ አቁም።",
        "ይቁም",
        "DHAABI",
        "maaloo dhaabi",
        /* Telephones write more marks than ASCII has. */
        "\u201cSTOP\u201d",
        "\u00abStop\u00bb",
        "STOP\u00a0",
        "STOP\u2026",
        "\ufeffSTOP\u200b",
        "STOP\U0001f64f",
        "\u270b\ufe0fSTOP",
        "STOP\uff01",
        "dhaabi\u2026",
        "\u2018\u12a0\u1241\u121d\u2019",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (!opt_out_is_said(said[i]))
            fail_msg("not understood: %s", said[i]);
}

static void other_messages_are_left_alone(void **state)
{
    static const char *const said[] = {
        "",
        " ",
        "yes",
        "20 bags of coffee from Jimma",
        "nonstop",
        "stopped",
        "weekend",
        "the bus stop is where we will meet on Monday",
        "we opt for the second price",
        "out",
        "at the end of the month I will bring it",
        "ስለ ቡናው እናመሰግናለን",
        "\xff\xfe",
        "sto\u2019p",
        "stop\u00e9",
        "\u12a0\u1241\u121dx",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (opt_out_is_said(said[i]))
            fail_msg("taken for an opt-out: %s", said[i]);
}

static void a_message_of_any_length_is_read_within_bounds(void **state)
{
    static char text[100000];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = (char)(i % 3 ? 'x' : i % 2 ? ' ' : 0xe1);
    assert_false(opt_out_is_said(text));
    memset(text, 'x', sizeof(text) - 1);
    assert_false(opt_out_is_said(text));
}

static void start_and_help_are_understood_in_three_languages(void **state)
{
    static const struct {
        const char *text, *language;
        enum message_word means;
    } cases[] = {
        {"START", "", MESSAGE_WORD_START},
        {" unstop!", "", MESSAGE_WORD_START},
        {"ጀምር።", "am", MESSAGE_WORD_START},
        {"Jalqabi", "om", MESSAGE_WORD_START},
        {"help", "", MESSAGE_WORD_HELP},
        {"Info please", "", MESSAGE_WORD_HELP},
        {"እርዳታ", "am", MESSAGE_WORD_HELP},
        {"GARGAARSA", "om", MESSAGE_WORD_HELP},
        {"አቁም", "am", MESSAGE_WORD_STOP},
        {"dhaabi", "om", MESSAGE_WORD_STOP},
        {"start stop", "", MESSAGE_WORD_STOP}, /* whoever is in doubt */
        {"stop, do not start again", "", MESSAGE_WORD_STOP},
        {"start the harvest on Monday", "", MESSAGE_WORD_NONE},
        {"please start", "", MESSAGE_WORD_NONE},
        {"help is what my neighbour with the bags needs", "", MESSAGE_WORD_NONE},
        {"yes", "", MESSAGE_WORD_NONE},
        {"", "", MESSAGE_WORD_NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *language = NULL;
        if (message_word_of(cases[i].text, &language) != cases[i].means)
            fail_msg("misunderstood: %s", cases[i].text);
        assert_string_equal(language, cases[i].language);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_to_be_left_alone_is_understood),
        cmocka_unit_test(other_messages_are_left_alone),
        cmocka_unit_test(start_and_help_are_understood_in_three_languages),
        cmocka_unit_test(a_message_of_any_length_is_read_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
