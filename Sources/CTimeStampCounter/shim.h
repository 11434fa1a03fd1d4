#include <x86intrin.h>

/* The processor's time-stamp counter; Swift cannot call the intrinsic itself. */
static inline unsigned long long time_stamp_counter(void) { return __rdtsc(); }
