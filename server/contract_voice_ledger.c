/* Farmers' calls and spoken commands: webhooks of a carrier and an API for audio. */
#include "server/contracts.h"
#include "server/ledger_ivr.h"
#include "server/ledger_pages.h"
#include "server/server.h"
#include "server/voice_api.h"
#include "server/voice_upload.h"

enum { IVR_BODY_MAX = 65536 };

#define CALL_ROUTE NULL, HTTP_VOICE, ledger_ivr_shed

static const struct route routes[] = {
    {"GET", "/", SCOPE_OPEN, 0, route_voice_root, NULL},
    {"POST", "/voice/ivr/language", SCOPE_OPEN, IVR_BODY_MAX, ledger_ivr_language,
     CALL_ROUTE},
    {"POST", "/voice/ivr/language-selected", SCOPE_OPEN, IVR_BODY_MAX,
     ledger_ivr_language_selected, CALL_ROUTE},
    {"POST", "/voice/ivr/incoming", SCOPE_OPEN, IVR_BODY_MAX, ledger_ivr_incoming,
     CALL_ROUTE},
    {"POST", "/voice/ivr/recording", SCOPE_OPEN, IVR_BODY_MAX, ledger_ivr_recording,
     CALL_ROUTE},
    {"POST", "/voice/ivr/recording-status", SCOPE_OPEN, IVR_BODY_MAX,
     ledger_ivr_recording_status, NULL, HTTP_CALLBACK},
    {"POST", "/voice/ivr/status", SCOPE_OPEN, IVR_BODY_MAX, ledger_ivr_status, NULL,
     HTTP_CALLBACK},
    {"POST", "/voice/ivr/call/{call}/{token}/{wait}", SCOPE_OPEN, IVR_BODY_MAX,
     ledger_ivr_act, CALL_ROUTE},
    {"GET", "/prompts/{file}", SCOPE_OPEN, 0, route_prompt, NULL}, /* of its documents */
    {"GET", "/voice/ivr/health", SCOPE_OPEN, 0, ledger_ivr_health, NULL},
    {"GET", "/voice/health", SCOPE_OPEN, 0, route_voice_health, NULL},
    {"POST", "/voice/transcribe", SCOPE_API, VOICE_BODY_MAX, route_voice_transcribe,
     "voice"},
    {"POST", "/voice/process-command", SCOPE_API, VOICE_BODY_MAX, route_voice_command,
     "voice"},
    {"POST", "/asr-nlu", SCOPE_API, VOICE_BODY_MAX, route_voice_asr_nlu, "voice"},
    {"POST", "/voice/upload-async", SCOPE_API, VOICE_BODY_MAX, route_voice_async,
     "voice"},
    {"GET", "/voice/status/{task_id}", SCOPE_API, 0, route_voice_status, "voice"},
    {"GET", "/verify/{token}", SCOPE_OPEN, 0, route_verify_page, NULL},
    {"POST", "/verify/{token}", SCOPE_OPEN, LEDGER_FORM_MAX, route_verify, NULL},
    {"GET", "/verify/{token}/success", SCOPE_OPEN, 0, route_verify_success, NULL},
    {"GET", "/admin/registrations", SCOPE_API, 0, route_registrations, "admin"},
    {"POST", "/admin/registrations/{id}/approve", SCOPE_API, LEDGER_FORM_MAX,
     route_registration_approve, "admin"},
    {"POST", "/admin/registrations/{id}/reject", SCOPE_API, LEDGER_FORM_MAX,
     route_registration_reject, "admin"},
};

const struct contract contract_voice_ledger = {
    .name = "voice-ledger",
    .errors = ERRORS_DETAIL,
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
    .too_large = voice_upload_too_large,
    .cross_origin = true,
};
