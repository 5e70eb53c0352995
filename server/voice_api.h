/* voice_api - the routes of the voice API, of the contract voice-ledger. */
#ifndef SERVER_VOICE_API_H
#define SERVER_VOICE_API_H

#include "server/http_server.h"

route_fn route_voice_root, route_voice_health;
route_fn route_voice_transcribe, route_voice_command, route_voice_asr_nlu;
route_fn route_voice_async, route_voice_status;

#endif
