#include <dlfcn.h>
#include <libkmod.h>
#include <stddef.h>

/*
 * The functions of libkmod that are used. They are loaded and not linked: libkmod brings libcrypto, liblzma and libzstd
 * into a program, and relocating them would be a third of the time that `quartet --version` takes.
 */
struct kmod_functions {
	__typeof__(kmod_new) *_Nonnull kmod_new;
	__typeof__(kmod_unref) *_Nonnull kmod_unref;
	__typeof__(kmod_set_log_priority) *_Nonnull kmod_set_log_priority;
	__typeof__(kmod_module_new_from_lookup) *_Nonnull kmod_module_new_from_lookup;
	__typeof__(kmod_module_get_module) *_Nonnull kmod_module_get_module;
	__typeof__(kmod_module_unref) *_Nonnull kmod_module_unref;
	__typeof__(kmod_module_unref_list) *_Nonnull kmod_module_unref_list;
	__typeof__(kmod_module_probe_insert_module) *_Nonnull kmod_module_probe_insert_module;
};

/* NULL where the library or one of the functions is missing. */
static inline const struct kmod_functions *_Nullable kmod_load(void)
{
	static struct kmod_functions functions;
	void *library = dlopen("libkmod.so.2", RTLD_NOW);

#define LOAD(name) (functions.name = (__typeof__(functions.name))dlsym(library, #name))
	if (!library || !LOAD(kmod_new) || !LOAD(kmod_unref) || !LOAD(kmod_set_log_priority) ||
	    !LOAD(kmod_module_new_from_lookup) || !LOAD(kmod_module_get_module) || !LOAD(kmod_module_unref) ||
	    !LOAD(kmod_module_unref_list) || !LOAD(kmod_module_probe_insert_module))
		return NULL;
#undef LOAD
	return &functions;
}
