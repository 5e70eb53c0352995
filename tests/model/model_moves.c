/* Prints campaigns/attempt.c's table of moves for spin: the model checks what runs. */
#include <stdio.h>

#include "campaigns/attempt.h"

int main(void)
{
    for (int s = 0; s < ATTEMPT_STATES; s++) {
        const char *name = attempt_state_name((enum attempt_state)s);
        printf("#define ");
        for (; *name; name++)
            putchar(*name - 'a' + 'A');
        printf(" %d\n", s);
    }
    printf("#define MAY(f, t) (false");
    for (int f = 0; f < ATTEMPT_STATES; f++)
        for (int t = 0; t < ATTEMPT_STATES; t++)
            if (attempt_may_move((enum attempt_state)f, (enum attempt_state)t))
                printf(" || (f == %d && t == %d)", f, t);
    printf(")\n");
    return 0;
}
