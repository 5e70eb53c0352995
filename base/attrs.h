/*
 * attrs - the compiler attributes and small macros used everywhere.
 */
#ifndef BASE_ATTRS_H
#define BASE_ATTRS_H

#define NODISCARD         __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define CLEANUP(fn)       __attribute__((cleanup(fn)))
#define WEAK              __attribute__((weak)) /* NULL where nothing defines it */
#define EXPORT            __attribute__((visibility("default")))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Hand an owned pointer on: yields p and leaves NULL behind for its CLEANUP. */
#define STEAL(p)                                                                         \
    __extension__({                                                                      \
        __typeof__(p) stolen_ = (p);                                                     \
        (p) = NULL;                                                                      \
        stolen_;                                                                         \
    })

#endif
