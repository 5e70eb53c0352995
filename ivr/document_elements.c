/* Elements of documents that Twilio and Plivo have alike. */
#include <string.h>

#include "ivr/document_parts.h"

void doc_leaf(struct doc *d, const char *name, const char *text)
{
    xml_open(&d->x, name);
    xml_text(&d->x, text);
    xml_close(&d->x);
}

void doc_speak(struct doc *d, const struct heard *h, const char *text, size_t len)
{
    xml_open(&d->x, d->words->speech);
    xml_attr(&d->x, "language", h->tag);
    xml_attr(&d->x, "voice", h->voice);
    xml_attr(&d->x, "loop", "1");
    xml_text_part(&d->x, text, len);
    xml_close(&d->x);
}

void doc_play(struct doc *d, const char *url)
{
    xml_open(&d->x, "Play");
    xml_attr(&d->x, "loop", "1");
    xml_text(&d->x, url);
    xml_close(&d->x);
}

void doc_redirect(struct doc *d, const char *url)
{
    xml_open(&d->x, "Redirect");
    xml_attr(&d->x, "method", "POST");
    xml_text(&d->x, url);
    xml_close(&d->x);
}

void doc_callback(struct doc *d, const char *name, const char *method, const char *url)
{
    xml_attr(&d->x, name, url);
    xml_attr(&d->x, method, "POST");
}

static const char *record_keys(enum ivr_finish finish, const char *none)
{
    switch (finish) {
    case IVR_FINISH_ANY:
        return "1234567890*#";
    case IVR_FINISH_STAR:
        return "*";
    case IVR_FINISH_HASH:
        return "#";
    case IVR_FINISH_NONE:
        break;
    }
    return none;
}

void doc_record_bounds(struct doc *d, const struct ivr_record *r, long max_s,
                       const char *none)
{
    xml_attr_number(&d->x, "maxLength", max_s);
    xml_attr_number(&d->x, "timeout",
                    r->silence_ms > 0 ? doc_seconds(r->silence_ms, 1, max_s) : max_s);
    xml_attr(&d->x, "finishOnKey", record_keys(r->finish, none));
    xml_attr(&d->x, "playBeep", r->beep ? "true" : "false");
}

void doc_refusal(struct doc *d, const char *reason)
{
    xml_attr(&d->x, "reason", strcmp(reason, "busy") == 0 ? "busy" : "rejected");
}
