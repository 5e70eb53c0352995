#include "campaigns/message_state.h"

#include "base/str.h"

static const char *const names[MESSAGE_STATES] = {
    [MESSAGE_SENT] = "sent",
    [MESSAGE_DELIVERED] = "delivered",
    [MESSAGE_UNDELIVERED] = "undelivered",
    [MESSAGE_FAILED] = "failed",
};

const char *message_state_name(enum message_state state)
{
    return names[state];
}

bool message_state_find(const char *name, enum message_state *out)
{
    for (int i = 0; i < MESSAGE_STATES; i++)
        if (str_is(name, names[i])) {
            *out = i;
            return true;
        }
    return false;
}
