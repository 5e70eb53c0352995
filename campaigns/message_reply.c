#include "campaigns/message_reply.h"

#include <stddef.h>

#include "base/str.h"
#include "base/xalloc.h"

/* The Amharic ones fit into one segment of 70 with a short name. */
static const struct {
    const char *language, *stop, *start, *help;
} replies[] = {
    {"en",
     ": you will get no more calls or messages from us. Send START to get messages "
     "again.",
     ": you will get our messages again. Send STOP to end them.",
     ": calls and messages by an automatic service. Send STOP to get no more of them."},
    {"am", "፦ ከእንግዲህ ጥሪም መልእክትም አይደርስዎትም። ለመቀጠል ጀምር ብለው ይላኩ።",
     "፦ መልእክት እንደገና ይደርስዎታል። ለማቆም አቁም ብለው ይላኩ።",
     "፦ የጥሪና የመልእክት አገልግሎት ነው። ለማቆም አቁም ብለው ይላኩ።"},
    {"om",
     ": Si'achi bilbilli fi ergaan nurraa isin hin ga'u. Itti fufuuf JALQABI "
     "barreessaatii ergaa.",
     ": Ergaan keenya deebi'ee isin ga'a. Dhaabuuf DHAABI barreessaatii ergaa.",
     ": Tajaajila bilbilaa fi ergaa ofumaan hojjetu dha. Dhaabuuf DHAABI barreessaatii "
     "ergaa."},
};

char *message_reply(enum message_word word, const char *language, const char *service)
{
    size_t i = 0;
    struct buf b = {0};

    for (size_t k = 0; k < ARRAY_LEN(replies); k++)
        if (str_is(language, replies[k].language))
            i = k;
    const char *text = word == MESSAGE_WORD_STOP    ? replies[i].stop
                       : word == MESSAGE_WORD_START ? replies[i].start
                       : word == MESSAGE_WORD_HELP  ? replies[i].help
                                                    : NULL;
    if (!text)
        return NULL;
    buf_puts(&b, service);
    buf_puts(&b, text);
    return buf_take(&b);
}
