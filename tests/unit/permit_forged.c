/* Does not compile: a permit is opaque, nobody but the gate can make one. */
#include "campaigns/permit.h"

int forged(void);
int forged(void)
{
    struct permit p = {0};

    return permit_use(&p, 0, 0);
}
