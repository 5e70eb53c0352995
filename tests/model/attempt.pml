/*
 * attempt.pml - the attempt protocol, checked by spin: two dialers, one switch, the ledger in
 * Postgres and the pacing slots in Redis. A dialer may die at any step (its memory is gone) or
 * stall past its lease, a commit's reply, a request, an event or all slots may be lost.
 *
 *   never two sends        assert in the switch: a request of one attempt rings once
 *   only legal moves       MAY() is printed from campaigns/attempt.c (model_moves)
 *   nothing is unheard     assert in hears(): what the switch says of an open attempt is legal
 *   every call counts      assert in Rest: what rang is ended or unknown, never withdrawn
 *   every attempt ends,    assert in Rest, where nothing can happen any more: no attempt is open,
 *   no slot leaks          no slot is held, no call is up; and no cycle ('pan -l'), so that every
 *                          run comes to that point
 *
 * Each alternative of Dialer is one atomic step of the code; between any two of them anything
 * else may happen. Time is only order: what the code bounds by a clock (permit, lease, two
 * looks at an absent channel) may expire here whenever that order allows it.
 */
#include "moves.pml"

#ifndef DEATHS
#define DEATHS 2 /* of dialers */
#endif
#ifndef LOSSES
#define LOSSES 2 /* commit replies, requests, events, takes */
#endif
#ifndef FLUSHES
#define FLUSHES 1 /* of Redis */
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2 /* of one contact, one after the other */
#endif

#define NONE 7 /* no row yet */
#define OPEN(a) (row[a] != NONE && row[a] != ENDED && row[a] != WITHDRAWN && row[a] != UNKNOWN)

/* The ledger. */
byte row[ATTEMPTS] = NONE;
byte owner[ATTEMPTS];
byte count;      /* attempts that have a row */
bool due = true; /* the contact may be claimed */
/* The pacing slots in Redis; known: rebuilt since the last flush. */
bool slot[ATTEMPTS];
bool known = true;
/* The switch. */
byte wire[ATTEMPTS]; /* requests on their way */
byte sent[ATTEMPTS]; /* calls that came of them */
byte channel[ATTEMPTS];
#define NEVER 0
#define RINGS 1
#define UP 2
#define GONE 3
#define ALIVE(a) (channel[a] == RINGS || channel[a] == UP)
#define STRAY(a) (ALIVE(a) && row[a] != NONE && !OPEN(a))

byte deaths, losses, flushes;

/* What a dialer's memory holds of an attempt. */
#define NOTHING 0
#define CLAIMED 1
#define UNSURE 2  /* its release was not answered */
#define PERMIT 3  /* released, not sent */
#define PACED 4   /* and has its slot */
#define ASKED 5   /* sent, nobody answered yet */
#define ABSENT 6  /* and the switch did not know it once */
#define LIVE 7    /* the switch said something of it */
#define ADOPTED 8 /* of a process that is gone */
#define HUNG 9    /* adopted, told to hang up */
byte knows[4]; /* [dialer * ATTEMPTS + attempt] */
#define MEM(a) knows[me * ATTEMPTS + (a)]
bool looked[4]; /* its row was seen as an intent that memory does not hold */
bool lapsed[2]; /* the lease: died or stalled, and others may adopt */

/* The one function that moves: what is not legal is refused and changes nothing. */
inline move(a, to) { row[a] = (MAY(row[a], to) -> to : row[a]) }
/* What the switch says of an open attempt can be written down, or stands there already. */
inline hears(a, to) { assert(!OPEN(a) || row[a] == to || MAY(row[a], to)); move(a, to) }
inline over(a) /* the last move: the slot is given back, memory forgets */
{
#ifndef BROKEN_LEAK
    slot[a] = false;
#endif
    MEM(a) = NOTHING;
    due = true
}
#define LAST (count - (count > 0))
#define HAS(x) (count > 0 && MEM(LAST) == (x))
#define MINE (count > 0 && owner[LAST] == me)
inline lose() { losses < LOSSES; losses++ }

proctype Dialer(byte me)
{
    byte a;
    bool recovered = false;
end:
    do
    /* ---- it dies; started again it first looks at its own rows ---- */
    :: atomic { deaths < DEATHS -> deaths++; lapsed[me] = true; recovered = false;
                MEM(0) = NOTHING; MEM(1) = NOTHING;
                looked[me * ATTEMPTS] = false; looked[me * ATTEMPTS + 1] = false }
    /* ---- it stalls past its lease; permits are older than a lease then ---- */
    :: atomic { deaths < DEATHS && !lapsed[me] -> deaths++; lapsed[me] = true }
    :: atomic { lapsed[me] && recovered -> lapsed[me] = false;
                for (a : 0 .. ATTEMPTS - 1) {
                    if
                    :: MEM(a) == CLAIMED || MEM(a) == UNSURE || MEM(a) == PERMIT || MEM(a) == PACED ->
                        if
                        :: owner[a] == me -> move(a, WITHDRAWN); over(a)
                        :: else -> slot[a] = slot[a] && OPEN(a); MEM(a) = NOTHING
                        fi
                    :: else
                    fi
                } }
    :: atomic { !recovered -> recovered = true; lapsed[me] = false;
                for (a : 0 .. ATTEMPTS - 1) {
                    if
                    :: OPEN(a) && owner[a] == me && row[a] == INTENT -> move(a, WITHDRAWN); over(a)
                    :: OPEN(a) && owner[a] == me && row[a] != INTENT ->
#ifdef BROKEN_RESEND
                        MEM(a) = PERMIT /* what must never be: to go on where it stood */
#else
                        MEM(a) = ADOPTED
#endif
                    :: else
                    fi
                } }
    /* ---- the rows of a lapsed other ---- */
    :: atomic { recovered && !lapsed[me] && lapsed[1 - me] &&
                    ((OPEN(0) && owner[0] == 1 - me) || (OPEN(1) && owner[1] == 1 - me)) ->
                for (a : 0 .. ATTEMPTS - 1) {
                    if
                    :: OPEN(a) && owner[a] == 1 - me && row[a] == INTENT ->
                        owner[a] = me; move(a, WITHDRAWN); over(a)
                    :: OPEN(a) && owner[a] == 1 - me && row[a] != INTENT ->
                        owner[a] = me; MEM(a) = ADOPTED
                    :: else
                    fi
                } }

    /* ---- claim, release ---- */
    :: atomic { recovered && !lapsed[me] && due && count < ATTEMPTS ->
                a = count; count++; due = false; row[a] = INTENT; owner[a] = me;
                if
                :: MEM(a) = CLAIMED
                :: lose() /* the commit's reply */
                fi }
    /* A commit was lost and nobody told of its intents: tidied. A claim that is under way
     * looks the same, and may be released between the look and the move. */
    :: atomic { losses > 0 && recovered && !lapsed[me] && MINE && (HAS(NOTHING) || HAS(CLAIMED)) &&
                    row[LAST] == INTENT && !looked[me * ATTEMPTS + LAST] ->
                looked[me * ATTEMPTS + LAST] = true }
    :: atomic { !lapsed[me] && MINE && looked[me * ATTEMPTS + LAST] -> a = LAST;
                looked[me * ATTEMPTS + a] = false;
                if
#ifdef BROKEN_TIDY
                :: OPEN(a) -> move(a, WITHDRAWN); due = true
                :: else
#else
                :: row[a] == INTENT -> move(a, WITHDRAWN); due = true
                :: else
#endif
                fi }
    :: atomic { !lapsed[me] && MINE && HAS(CLAIMED) -> a = LAST;
                if
                :: row[a] == INTENT ->
                    if
                    :: move(a, WITHDRAWN); over(a) /* refused */
                    :: move(a, RELEASED); MEM(a) = PERMIT
                    :: lose(); move(a, RELEASED); MEM(a) = UNSURE
                    fi
                :: else -> MEM(a) = NOTHING /* tidied before the gate saw it */
                fi }
    :: atomic { !lapsed[me] && MINE && HAS(UNSURE) -> a = LAST;
                move(a, WITHDRAWN); over(a) }

    /* ---- pace, send ---- */
    :: atomic { !lapsed[me] && MINE && (HAS(PERMIT) || HAS(PACED)) -> a = LAST;
                move(a, WITHDRAWN); over(a) } /* the permit is too old */
    :: atomic { !lapsed[me] && known && HAS(PERMIT) -> a = LAST;
                if
                :: slot[a] = true; MEM(a) = PACED
                :: lose(); slot[a] = true; slot[a] = false /* its answer was lost: given back */
                fi }
    :: atomic { !lapsed[me] && HAS(PACED) -> a = LAST;
                wire[a]++; MEM(a) = ASKED }

    /* ---- what the switch says, by events or when asked ---- */
    :: atomic { !lapsed[me] && ALIVE(LAST) && (HAS(ASKED) || HAS(ABSENT) ||
                    (HAS(LIVE) && channel[LAST] == UP && row[LAST] == RINGING)) -> a = LAST;
                MEM(a) = LIVE;
                if
                :: channel[a] == RINGS -> hears(a, RINGING)
                :: channel[a] == UP -> hears(a, ANSWERED)
                fi }
    :: atomic { !lapsed[me] && channel[LAST] == GONE && (HAS(ASKED) || HAS(ABSENT) || HAS(LIVE)) ->
                a = LAST;
                if
                :: hears(a, ENDED)
                :: lose(); /* the event was lost: absent when asked */
                    if
                    :: row[a] == ANSWERED -> move(a, ENDED)
                    :: else -> move(a, UNKNOWN)
                    fi
                fi;
                over(a) }
    :: atomic { !lapsed[me] && HAS(ASKED) && channel[LAST] == NEVER -> a = LAST; MEM(a) = ABSENT }
    :: atomic { !lapsed[me] && HAS(ABSENT) && channel[LAST] == NEVER -> a = LAST;
                move(a, UNKNOWN); over(a) }
    /* ---- we hang up ---- */
    :: atomic { !lapsed[me] && HAS(LIVE) && channel[LAST] == UP -> a = LAST;
                channel[a] = GONE }

    /* ---- adopted ones ---- */
    :: atomic { !lapsed[me] && (MEM(0) == ADOPTED || MEM(0) == HUNG || MEM(1) == ADOPTED ||
                    MEM(1) == HUNG) ->
                if
                :: MEM(0) == ADOPTED || MEM(0) == HUNG -> a = 0
                :: MEM(1) == ADOPTED || MEM(1) == HUNG -> a = 1
                fi;
                if
                :: ALIVE(a) -> channel[a] = GONE; MEM(a) = HUNG
                :: !ALIVE(a) && MEM(a) == HUNG -> move(a, ENDED); over(a)
                :: !ALIVE(a) && MEM(a) == ADOPTED ->
                    if
                    :: row[a] == ANSWERED -> move(a, ENDED)
                    :: else -> move(a, UNKNOWN)
                    fi;
                    over(a)
                fi }
    /* ---- a channel with our name that no row minds is hung up ---- */
    :: atomic { !lapsed[me] && recovered && (STRAY(0) || STRAY(1)) ->
                if
                :: STRAY(0) -> channel[0] = GONE
                :: STRAY(1) -> channel[1] = GONE
                fi }
    /* ---- slots from the truth ---- */
    :: atomic { !lapsed[me] && recovered && !known ->
                for (a : 0 .. ATTEMPTS - 1) { slot[a] = OPEN(a) && row[a] != INTENT };
                known = true }
    od
}

proctype Switch()
{
    byte a;
end:
    do
    :: atomic { (wire[0] > 0 || wire[1] > 0) ->
                if
                :: wire[0] > 0 -> a = 0
                :: wire[1] > 0 -> a = 1
                fi;
                wire[a]--;
                if
                :: sent[a]++; channel[a] = RINGS; assert(sent[a] <= 1)
                :: lose() /* the request did not arrive */
                fi }
    :: atomic { channel[0] == RINGS -> if :: channel[0] = UP :: channel[0] = GONE fi }
    :: atomic { channel[1] == RINGS -> if :: channel[1] = UP :: channel[1] = GONE fi }
    :: atomic { channel[0] == UP -> channel[0] = GONE } /* they hang up */
    :: atomic { channel[1] == UP -> channel[1] = GONE }
    od
}

proctype Redis()
{
end:
    do
    :: atomic { flushes < FLUSHES -> flushes++; known = false; slot[0] = false; slot[1] = false }
    od
}

#define SETTLED (!OPEN(0) && !OPEN(1) && !slot[0] && !slot[1] && !ALIVE(0) && !ALIVE(1))
/* What rang is counted: it was not written down as never sent. */
#define COUNTED(a) (sent[a] == 0 || row[a] == ENDED || row[a] == UNKNOWN)
proctype Rest() { timeout -> assert(count == ATTEMPTS && SETTLED && COUNTED(0) && COUNTED(1)) }

init
{
    atomic {
        run Dialer(0);
        run Dialer(1);
        run Switch();
        run Redis();
        run Rest()
    }
}
