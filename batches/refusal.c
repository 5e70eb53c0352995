#include "batches/refusal.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum language { LANGUAGE_EN, LANGUAGE_AM, LANGUAGE_OM, LANGUAGE_COUNT };

/* In a text {what}, {other}, {a} and {b} stand for the refusal's, {lacks} for the list.
 */
struct words {
    const char *code;
    const char *reasons[REFUSAL_COUNT];
    const char *lacks[MISSING_COUNT];
    const char *questions[MISSING_COUNT];
};

static const struct words words[LANGUAGE_COUNT] = {
    [LANGUAGE_EN] =
        {
            .code = "en",
            .reasons =
                {
                    [REFUSED_NOT] = "",
                    [REFUSED_NOT_UNDERSTOOD] =
                        "Could not understand your command. Please say what you did, how "
                        "much, and from where.",
                    [REFUSED_INCOMPLETE] = "Missing required information: {lacks}",
                    [REFUSED_QUANTITY] = "The quantity {a} {what} cannot be right.",
                    [REFUSED_OUTPUT] = "The output of {a} kg cannot be right.",
                    [REFUSED_GAIN] =
                        "The output of {a} kg is more than the input of {b} kg.",
                    [REFUSED_LOSS] =
                        "A loss from {b} kg to {a} kg is more than 40 percent.",
                    [REFUSED_NO_BATCH] = "There is no batch {what}.",
                    [REFUSED_SPENT] = "The batch {what} was split or processed already.",
                    [REFUSED_PACKED] = "The batch {what} is packed in {other} already.",
                    [REFUSED_NO_CONTAINER] = "Nothing is packed in {what}.",
                    [REFUSED_CONTAINER] = "{what} is no container number of ours.",
                    [REFUSED_PARTS] =
                        "The parts are {a} kg together, but the batch is {b} kg.",
                    [REFUSED_WEIGHT_UNKNOWN] =
                        "The weight of the batch {what} is not known.",
                    [REFUSED_LOCATION] =
                        "Where the farm of {what} lies is not known. Please ask your "
                        "cooperative to add it.",
                    [REFUSED_NOT_REGISTERED] =
                        "This phone number is not registered. Please register with your "
                        "cooperative.",
                    [REFUSED_NOT_APPROVED] = "Your account is pending approval.",
                    [REFUSED_FORM] = "Please write {what}",
                    [REFUSED_NUMBERS_USED_UP] =
                        "There are no numbers left for new batches. Please tell your "
                        "cooperative.",
                    [REFUSED_FULL] = "{what} holds {a} batches at most.",
                },
            .lacks = {[MISSING_QUANTITY] = "quantity",
                      [MISSING_ORIGIN] = "origin",
                      [MISSING_BATCH] = "batch",
                      [MISSING_OUTPUT] = "output quantity",
                      [MISSING_BATCHES] = "batches",
                      [MISSING_CONTAINER] = "container",
                      [MISSING_PARTS] = "parts"},
            .questions = {[MISSING_NOTHING] = "",
                          [MISSING_QUANTITY] = "How much is it? For example: 5 bags",
                          [MISSING_ORIGIN] = "Whose farm or place is it from?",
                          [MISSING_BATCH] = "Which batch? Please write its ID or number.",
                          [MISSING_OUTPUT] =
                              "How many kilograms came out? For example: 250 kg",
                          [MISSING_BATCHES] =
                              "Which batches, two at least? Please write their IDs.",
                          [MISSING_CONTAINER] = "Which container?",
                          [MISSING_PARTS] =
                              "How heavy is each part? For example: 600 kg and 400 kg"},
        },
    [LANGUAGE_AM] =
        {
            .code = "am",
            .reasons =
                {
                    [REFUSED_NOT] = "",
                    [REFUSED_NOT_UNDERSTOOD] =
                        "ትዕዛዝዎን መረዳት አልቻልንም። ምን እንደሰሩ፣ ምን ያህል እና ከየት እንደሆነ ይንገሩን።",
                    [REFUSED_INCOMPLETE] = "የጎደለ መረጃ: {lacks}",
                    [REFUSED_QUANTITY] = "መጠኑ {a} {what} ትክክል ሊሆን አይችልም።",
                    [REFUSED_OUTPUT] = "ውጤቱ {a} ኪ.ግ ትክክል ሊሆን አይችልም።",
                    [REFUSED_GAIN] = "ውጤቱ {a} ኪ.ግ ከገባው {b} ኪ.ግ ይበልጣል።",
                    [REFUSED_LOSS] = "ከ{b} ኪ.ግ ወደ {a} ኪ.ግ መቀነሱ ከ40 በመቶ በላይ ነው።",
                    [REFUSED_NO_BATCH] = "{what} የሚባል ምርት የለም።",
                    [REFUSED_SPENT] = "{what} ቀድሞ ተከፍሏል ወይም ተዘጋጅቷል።",
                    [REFUSED_PACKED] = "{what} ቀድሞ በ{other} ውስጥ ታሽጓል።",
                    [REFUSED_NO_CONTAINER] = "በ{what} ውስጥ የታሸገ ነገር የለም።",
                    [REFUSED_CONTAINER] = "{what} የእኛ የማሸጊያ ቁጥር አይደለም።",
                    [REFUSED_PARTS] = "ክፍሎቹ በአንድነት {a} ኪ.ግ ናቸው፤ ምርቱ ግን {b} ኪ.ግ ነው።",
                    [REFUSED_WEIGHT_UNKNOWN] = "የ{what} ክብደት አይታወቅም።",
                    [REFUSED_LOCATION] = "የ{what} እርሻ ቦታ አይታወቅም። እባክዎ ማኅበርዎን ይጠይቁ።",
                    [REFUSED_NOT_REGISTERED] = "ይህ ስልክ ቁጥር አልተመዘገበም። እባክዎ በማኅበርዎ ይመዝገቡ።",
                    [REFUSED_NOT_APPROVED] = "ምዝገባዎ ገና አልጸደቀም።",
                    [REFUSED_FORM] = "እንዲህ ይጻፉ: {what}",
                    [REFUSED_NUMBERS_USED_UP] = "ለአዲስ ምርት ቁጥር አልቋል። እባክዎ ለማኅበርዎ ይንገሩ።",
                    [REFUSED_FULL] = "{what} ቢበዛ {a} ምርቶች ይይዛል።",
                },
            .lacks = {[MISSING_QUANTITY] = "መጠን",
                      [MISSING_ORIGIN] = "የመጣበት ቦታ",
                      [MISSING_BATCH] = "የምርት መለያ",
                      [MISSING_OUTPUT] = "የውጤት መጠን",
                      [MISSING_BATCHES] = "ምርቶች",
                      [MISSING_CONTAINER] = "ማሸጊያ",
                      [MISSING_PARTS] = "ክፍሎች"},
            .questions = {[MISSING_NOTHING] = "",
                          [MISSING_QUANTITY] = "ምን ያህል ነው? ለምሳሌ: 5 bags",
                          [MISSING_ORIGIN] = "ከማን እርሻ ወይም ከየት ነው?",
                          [MISSING_BATCH] = "የትኛው ምርት ነው? መለያውን ወይም ቁጥሩን ይጻፉ።",
                          [MISSING_OUTPUT] = "ስንት ኪሎ ግራም ወጣ? ለምሳሌ: 250 kg",
                          [MISSING_BATCHES] = "የትኞቹ ምርቶች ናቸው? ቢያንስ ሁለት መለያ ይጻፉ።",
                          [MISSING_CONTAINER] = "የትኛው ማሸጊያ ነው?",
                          [MISSING_PARTS] =
                              "የእያንዳንዱ ክፍል ክብደት ስንት ነው? ለምሳሌ: 600 kg and 400 kg"},
        },
    [LANGUAGE_OM] =
        {
            .code = "om",
            .reasons =
                {
                    [REFUSED_NOT] = "",
                    [REFUSED_NOT_UNDERSTOOD] = "Ajaja keessan hubachuu hin dandeenye. "
                                               "Maal akka hojjettan, hammam "
                                               "fi eessaa akka ta'e nutti himaa.",
                    [REFUSED_INCOMPLETE] = "Odeeffannoon hir'atu: {lacks}",
                    [REFUSED_QUANTITY] = "Hammi {a} {what} sirrii ta'uu hin danda'u.",
                    [REFUSED_OUTPUT] = "Bu'aan kg {a} sirrii ta'uu hin danda'u.",
                    [REFUSED_GAIN] = "Bu'aan kg {a} kan seene kg {b} caala.",
                    [REFUSED_LOSS] = "Kg {b} irraa gara kg {a} hir'achuun dhibbentaa 40 "
                                     "caala.",
                    [REFUSED_NO_BATCH] = "Oomishni {what} hin jiru.",
                    [REFUSED_SPENT] = "Oomishni {what} dursee qoodameera yookiin "
                                      "qophaa'eera.",
                    [REFUSED_PACKED] = "Oomishni {what} dursee {other} keessatti "
                                       "hidhameera.",
                    [REFUSED_NO_CONTAINER] = "{what} keessa wanti hidhame hin jiru.",
                    [REFUSED_CONTAINER] = "{what} lakkoofsa qabduu keenyaa miti.",
                    [REFUSED_PARTS] =
                        "Kutaaleen walumatti kg {a}, oomishni garuu kg {b}.",
                    [REFUSED_WEIGHT_UNKNOWN] = "Ulfaatinni oomisha {what} hin beekamu.",
                    [REFUSED_LOCATION] = "Bakki qonna {what} hin beekamu. Maaloo waldaa "
                                         "keessan gaafadhaa.",
                    [REFUSED_NOT_REGISTERED] = "Lakkoofsi bilbilaa kun hin galmoofne. "
                                               "Maaloo waldaa keessan biratti galmaa'aa.",
                    [REFUSED_NOT_APPROVED] = "Galmeen keessan ammallee hin mirkanoofne.",
                    [REFUSED_FORM] = "Akkas barreessaa: {what}",
                    [REFUSED_NUMBERS_USED_UP] =
                        "Lakkoofsi oomisha haaraa dhumeera. Maaloo "
                        "waldaa keessanitti himaa.",
                    [REFUSED_FULL] = "{what} yoo baay'ate oomishoota {a} qabata.",
                },
            .lacks = {[MISSING_QUANTITY] = "hamma",
                      [MISSING_ORIGIN] = "bakka irraa dhufe",
                      [MISSING_BATCH] = "oomisha",
                      [MISSING_OUTPUT] = "hamma bu'aa",
                      [MISSING_BATCHES] = "oomishoota",
                      [MISSING_CONTAINER] = "qabduu",
                      [MISSING_PARTS] = "kutaalee"},
            .questions = {[MISSING_NOTHING] = "",
                          [MISSING_QUANTITY] = "Hammam? Fakkeenyaaf: 5 bags",
                          [MISSING_ORIGIN] = "Qonna eenyuu yookiin bakka kam irraa?",
                          [MISSING_BATCH] =
                              "Oomisha kam? Maaloo ID isaa yookiin lakkoofsa "
                              "barreessaa.",
                          [MISSING_OUTPUT] = "Kg meeqa ba'e? Fakkeenyaaf: 250 kg",
                          [MISSING_BATCHES] = "Oomishoota kam? Yoo xiqqaate ID lama "
                                              "barreessaa.",
                          [MISSING_CONTAINER] = "Qabduu kam?",
                          [MISSING_PARTS] = "Ulfaatinni kutaa tokkoon tokkoon isaanii "
                                            "meeqa? Fakkeenyaaf: 600 kg and 400 kg"},
        },
};

static const struct words *words_for(const char *language)
{
    for (size_t i = 0; i < LANGUAGE_COUNT; i++)
        if (strncmp(language, words[i].code, 2) == 0)
            return &words[i];
    return &words[LANGUAGE_EN];
}

static void put_lacks(struct buf *b, const struct refusal *r, const struct words *w)
{
    for (size_t i = 0; i < LACKS_MAX && r->lacks[i] != MISSING_NOTHING; i++)
        buf_printf(b, "%s%s", i ? ", " : "", w->lacks[r->lacks[i]]);
}

/* What {name} stands for; returns how long the name with its braces is, 0 for none. */
static size_t put_value(struct buf *b, const struct refusal *r, const struct words *w,
                        const char *at)
{
    if (strncmp(at, "{what}", 6) == 0)
        return buf_puts(b, r->what), 6;
    if (strncmp(at, "{other}", 7) == 0)
        return buf_puts(b, r->other), 7;
    if (strncmp(at, "{a}", 3) == 0)
        return buf_printf(b, "%g", r->a), 3;
    if (strncmp(at, "{b}", 3) == 0)
        return buf_printf(b, "%g", r->b), 3;
    if (strncmp(at, "{lacks}", 7) == 0)
        return put_lacks(b, r, w), 7;
    return 0;
}

const char *refusal_text(const struct refusal *r, const char *language,
                         char out[REFUSAL_TEXT_MAX])
{
    const struct words *w = words_for(language);
    struct buf b = {0};

    buf_puts(&b, "");
    for (const char *at = w->reasons[r->reason]; *at;) {
        size_t n = *at == '{' ? put_value(&b, r, w, at) : 0;
        if (!n)
            buf_add(&b, at, 1);
        at += n ? n : 1;
    }
    str_cut(out, REFUSAL_TEXT_MAX, b.data);
    buf_free(&b);
    return out;
}

const char *refusal_question(enum missing lack, const char *language)
{
    return words_for(language)->questions[lack];
}
