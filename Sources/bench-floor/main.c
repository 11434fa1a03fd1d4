/*
 * The floor that `dev bench` measures against: programs that make the system calls of a job, and no others.
 */
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int count, char **arguments)
{
	const char *job = count == 6 ? arguments[1] : "";
	unsigned targets = count == 6 ? atoi(arguments[4]) : 0, luns = count == 6 ? atoi(arguments[5]) : 0;

	if (!strcmp(job, "tgt")) {
		tgt_up(arguments[2], arguments[3], targets, luns);
	} else if (!strcmp(job, "lio") && !strcmp(arguments[2], "up")) {
		lio_up(arguments[3], targets, luns);
	} else if (!strcmp(job, "lio") && !strcmp(arguments[2], "down")) {
		lio_down(targets, luns);
	} else {
		fprintf(stderr, "usage: bench-floor tgt SOCKET DIRECTORY TARGETS LUNS\n"
				"       bench-floor lio up|down DIRECTORY TARGETS LUNS\n");
		return 64;
	}
	return 0;
}
