/*
 * ari_event - one event of Asterisk, read from its JSON text. Pure; any thread.
 */
#ifndef DIALER_ARI_EVENT_H
#define DIALER_ARI_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

enum ari_event_kind {
    ARI_OTHER, /* of no interest, known or not */
    ARI_STASIS_START,
    ARI_STASIS_END,
    ARI_DIAL,
    ARI_KEY,
    ARI_TALKS, /* the other side, where TALK_DETECT listens */
    ARI_QUIET,
    ARI_HANGUP_REQUEST,
    ARI_DESTROYED,
    ARI_PLAYED,
    ARI_RECORDING_STARTED,
    ARI_RECORDING_FINISHED,
    ARI_RECORDING_FAILED,
    ARI_REPLACED, /* another connection has our application */
    ARI_ANSWER,   /* to a request over the socket: ari_wire.c */
};

/* Texts are never NULL, "" where the event has none, and live as long as the event. */
struct ari_event {
    enum ari_event_kind kind;
    const char *application;
    int64_t at_ms;       /* of a recording's: when, by the switch's clock; 0 not told */
    const char *channel; /* the id; of the called one for ARI_DIAL */
    const char *channel_state;
    const char *caller; /* number as the switch has it */
    const char *arg;    /* the first one of STASIS_START */
    const char *dial_status;
    int cause, tech_cause; /* 0 when not told, and always for a soft request */
    char key;
    const char *playback, *playback_state;
    const char *recording, *recording_cause;
    int duration_s, talking_s, silence_s; /* whole seconds; -1 not told */
    json_t *json;                         /* owns the texts */
};

/* EBADMSG: no JSON object with a type, or one that lacks what its type needs. *out is
 * the caller's to ari_event_free() only when 0 was returned. */
NODISCARD int ari_event_parse(const char *bytes, size_t len, struct ari_event *out);
/* Of "2026-03-03T09:10:11.123+0300", a zone without a colon: epoch ms; 0 it is none. */
int64_t ari_event_instant(const char *text);
/* What we want to be told, as the eventFilter of an application: the caller's to
 * json_decref. */
json_t *ari_event_filter(void);
void ari_event_free(struct ari_event *ev); /* for CLEANUP too */

#endif
