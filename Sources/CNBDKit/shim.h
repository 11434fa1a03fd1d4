#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

/* Swift calls no function that takes a format. */
static inline void quartet_nbdkit_error(const char *text) { nbdkit_error("%s", text); }
static inline void quartet_nbdkit_debug(const char *text) { nbdkit_debug("%s", text); }
