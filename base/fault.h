/*
 * fault - places where a test may have the program die, as if by kill -9.
 *
 * FURROW_FAULT=NAME[:N] kills the process at the N-th pass (1) of fault_point(NAME);
 * FURROW_FAULT_LOG names a file to which "NAME PID" is appended first, so that the
 * test can count that it really happened there. Without the variable a point costs a
 * load and a compare. Thread-safe.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

void fault_point(const char *name);

#endif
