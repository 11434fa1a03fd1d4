/*
 * Brings targets of the kernel up and takes them down through configfs, one system call after the other, and does
 * nothing else: no check before, no reading back. Its calls are those of the steps that Quartet plans for the same.
 */
#include "floor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/sys/kernel/config/target"

enum { ROOM = 512 };

static char path[ROOM];

__attribute__((format(printf, 1, 2))) static const char *at(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	if (length < 0 || length >= (int)sizeof(path))
		fail("a path that is too long");
	return path;
}

static void make(const char *directory)
{
	if (mkdir(directory, 0755) < 0)
		fail(directory);
}

static void take(const char *directory)
{
	if (rmdir(directory) < 0)
		fail(directory);
}

static void put(const char *file, const char *text)
{
	int descriptor = open(file, O_WRONLY | O_CLOEXEC);

	if (descriptor < 0 || write(descriptor, text, strlen(text)) != (ssize_t)strlen(text))
		fail(file);
	close(descriptor);
}

#define TARGET ROOT "/iscsi/iqn.2011-12.com.example:bench%u"
#define GROUP TARGET "/tpgt_1"
#define HBA ROOT "/core/fileio_%u"
#define DEVICE HBA "/%08x%08x"
#define UNIT GROUP "/lun/lun_%u"

static unsigned hba(unsigned target, unsigned lun) { return target * 1000 + lun; }

static void unit_up(const char *directory, unsigned target, unsigned lun)
{
	char text[ROOM], device[ROOM];
	unsigned number = hba(target, lun);

	make(at(HBA, number));
	make(at(DEVICE, number, target, lun));
	snprintf(text, sizeof(text), "fd_dev_name=%s/%u-%u.img,fd_dev_size=1048576", directory, target, lun);
	put(at(DEVICE "/control", number, target, lun), text);
	snprintf(text, sizeof(text), "%s/%u-%u.img\n", directory, target, lun);
	put(at(DEVICE "/udev_path", number, target, lun), text);
	put(at(DEVICE "/enable", number, target, lun), "1\n");
	snprintf(text, sizeof(text), "%08x%08x\n", target, lun);
	put(at(DEVICE "/wwn/vpd_unit_serial", number, target, lun), text);
	make(at(UNIT, target, lun));
	strcpy(device, at(DEVICE, number, target, lun));
	if (symlink(device, at(UNIT "/backstore", target, lun)) < 0)
		fail(path);
}

static void target_up(const char *directory, unsigned target, unsigned luns)
{
	make(at(TARGET, target));
	make(at(GROUP, target));
	put(at(GROUP "/attrib/authentication", target), "0\n");
	put(at(GROUP "/enable", target), "1\n");
	for (unsigned lun = 1; lun <= luns; lun++)
		unit_up(directory, target, lun);
	put(at(GROUP "/attrib/demo_mode_write_protect", target), "0\n");
	put(at(GROUP "/attrib/cache_dynamic_acls", target), "1\n");
	put(at(GROUP "/attrib/generate_node_acls", target), "1\n");
	make(at(GROUP "/np/127.0.0.1:3260", target));
}

static void target_down(unsigned target, unsigned luns)
{
	put(at(GROUP "/enable", target), "0\n");
	for (unsigned lun = luns; lun >= 1; lun--) {
		unsigned number = hba(target, lun);

		if (unlink(at(UNIT "/backstore", target, lun)) < 0)
			fail(path);
		take(at(UNIT, target, lun));
		take(at(DEVICE, number, target, lun));
		take(at(HBA, number));
	}
	take(at(GROUP "/np/127.0.0.1:3260", target));
	take(at(GROUP, target));
	take(at(TARGET, target));
}

void lio_up(const char *directory, unsigned targets, unsigned luns)
{
	for (unsigned target = 1; target <= targets; target++)
		target_up(directory, target, luns);
}

void lio_down(unsigned targets, unsigned luns)
{
	for (unsigned target = 1; target <= targets; target++)
		target_down(target, luns);
}
