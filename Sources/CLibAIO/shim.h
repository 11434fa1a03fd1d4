#include <libaio.h>
#include <linux/falloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>

/* What the C library declares only with _GNU_SOURCE, which a module of Swift does not have. */
extern int fallocate(int file, int mode, off_t offset, off_t length);
/* linux/fs.h, for aio_rw_flags: the write is durable when it is complete. */
enum { QUARTET_RWF_DSYNC = 0x2 };
/* unistd.h with _GNU_SOURCE: the next data, and the next hole, of a file, for lseek(2). */
enum { QUARTET_SEEK_DATA = 3, QUARTET_SEEK_HOLE = 4 };
