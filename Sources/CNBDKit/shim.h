#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

/* Swift calls no function that takes a format. */
static inline void quartet_nbdkit_error(const char *text) { nbdkit_error("%s", text); }
static inline void quartet_nbdkit_debug(const char *text) { nbdkit_debug("%s", text); }

/* nbdkit in the foreground asks for SIGTERM when its parent ends (prctl(2), PR_SET_PDEATHSIG); a server that was put
   into the background outlives the command that did so. prctl takes any number of arguments, which Swift does not. */
#include <sys/prctl.h>
static inline void quartet_outlive_parent(void) { prctl(PR_SET_PDEATHSIG, 0); }
