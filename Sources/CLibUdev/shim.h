#include <dlfcn.h>
#include <libudev.h>
#include <stddef.h>

/* The functions of libudev that are used. They are loaded and not linked: few runs of the program need them. */
struct udev_functions {
	__typeof__(udev_new) *_Nonnull udev_new;
	__typeof__(udev_unref) *_Nonnull udev_unref;
	__typeof__(udev_device_unref) *_Nonnull udev_device_unref;
	__typeof__(udev_monitor_new_from_netlink) *_Nonnull udev_monitor_new_from_netlink;
	__typeof__(udev_monitor_unref) *_Nonnull udev_monitor_unref;
	__typeof__(udev_monitor_filter_add_match_subsystem_devtype)
		*_Nonnull udev_monitor_filter_add_match_subsystem_devtype;
	__typeof__(udev_monitor_enable_receiving) *_Nonnull udev_monitor_enable_receiving;
	__typeof__(udev_monitor_get_fd) *_Nonnull udev_monitor_get_fd;
	__typeof__(udev_monitor_receive_device) *_Nonnull udev_monitor_receive_device;
};

/* NULL where the library or one of the functions is missing. */
static inline const struct udev_functions *_Nullable udev_load(void)
{
	static struct udev_functions functions;
	void *library = dlopen("libudev.so.1", RTLD_NOW);

#define LOAD(name) (functions.name = (__typeof__(functions.name))dlsym(library, #name))
	if (!library || !LOAD(udev_new) || !LOAD(udev_unref) || !LOAD(udev_device_unref) ||
	    !LOAD(udev_monitor_new_from_netlink) || !LOAD(udev_monitor_unref) ||
	    !LOAD(udev_monitor_filter_add_match_subsystem_devtype) || !LOAD(udev_monitor_enable_receiving) ||
	    !LOAD(udev_monitor_get_fd) || !LOAD(udev_monitor_receive_device))
		return NULL;
#undef LOAD
	return &functions;
}
