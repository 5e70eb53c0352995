/* message_state - what became of a message that a provider was asked to send. */
#ifndef CAMPAIGNS_MESSAGE_STATE_H
#define CAMPAIGNS_MESSAGE_STATE_H

#include <stdbool.h>

#include "base/attrs.h"

/* By rank; of a message in parts the part that fared worst outweighs. */
enum message_state {
    MESSAGE_SENT,        /* the provider took it, or passed it on */
    MESSAGE_DELIVERED,   /* to the phone */
    MESSAGE_UNDELIVERED, /* the network says so */
    MESSAGE_FAILED,      /* the provider says so */
    MESSAGE_STATES,
};

/* As in messages.state: "sent", … */
const char *message_state_name(enum message_state state);
/* False: there is no such state. */
NODISCARD bool message_state_find(const char *name, enum message_state *out);

#endif
