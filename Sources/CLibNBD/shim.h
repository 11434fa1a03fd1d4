#include <dlfcn.h>
#include <libnbd.h>
#include <stddef.h>
#include <sys/eventfd.h>

/*
 * The functions of libnbd that are used. They are loaded and not linked: only who has a leg behind NBD needs the library,
 * which brings GnuTLS and libxml2 into a program.
 */
#define QUARTET_NBD_FUNCTIONS(F) \
	F(nbd_create) F(nbd_close) F(nbd_get_error) F(nbd_get_errno) \
	F(nbd_set_uri_allow_local_file) F(nbd_set_pread_initialize) F(nbd_add_meta_context) \
	F(nbd_aio_connect_uri) F(nbd_aio_get_fd) F(nbd_aio_get_direction) \
	F(nbd_aio_notify_read) F(nbd_aio_notify_write) \
	F(nbd_aio_is_created) F(nbd_aio_is_ready) F(nbd_aio_is_processing) F(nbd_aio_is_dead) F(nbd_aio_is_closed) \
	F(nbd_get_size) F(nbd_get_block_size) F(nbd_is_read_only) F(nbd_can_flush) F(nbd_can_fua) F(nbd_can_zero) \
	F(nbd_can_meta_context) F(nbd_aio_block_status) \
	F(nbd_aio_pread) F(nbd_aio_pwrite) F(nbd_aio_flush) F(nbd_aio_zero) F(nbd_aio_disconnect)

#define F(name) __typeof__(name) *_Nonnull name;
struct nbd_functions {
	QUARTET_NBD_FUNCTIONS(F)
};
#undef F

/* NULL where the library or one of the functions is missing: nbd_set_pread_initialize came with 1.12. */
static inline const struct nbd_functions *_Nullable nbd_load(void)
{
	static struct nbd_functions functions;
	void *library = dlopen("libnbd.so.0", RTLD_NOW);

	if (!library)
		return NULL;
#define F(name) \
	if (!(functions.name = (__typeof__(functions.name))dlsym(library, #name))) \
		return NULL;
	QUARTET_NBD_FUNCTIONS(F)
#undef F
	return &functions;
}
