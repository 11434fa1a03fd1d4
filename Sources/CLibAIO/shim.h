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

/* The head of what a context is: a ring that the kernel maps for the program (struct aio_ring in its fs/aio.c, of which
   libaio knows as well), with what is complete between head and tail. */
struct quartet_aio_ring {
  unsigned id, nr, head, tail, magic, compat_features, incompat_features, header_length;
  struct io_event events[];
};

/* Takes what is complete without a system call, as QEMU does; for one thread at a time.
   Returns how many events that were, or -1 when there is no ring, or another kind of one. */
static inline int quartet_aio_take(io_context_t context, struct io_event *events, unsigned most) {
  struct quartet_aio_ring *ring = (struct quartet_aio_ring *)context;
  if (!ring || ring->magic != 0xa10a10a1 || ring->incompat_features != 0) return -1;
  unsigned head = ring->head, count = 0;
  /* The kernel writes an event before it moves the tail over it, and takes its place again when the head has passed. */
  unsigned tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
  while (head != tail && count < most) {
    events[count++] = ring->events[head];
    head = head + 1 == ring->nr ? 0 : head + 1;
  }
  if (count > 0) __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
  return (int)count;
}
