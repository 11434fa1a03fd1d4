/*
 * Brings up targets by tgtd's management protocol (usr/tgtadm.h) and does nothing else. It sends what `quartet apply`
 * sends to make the same targets: no check before, no reading back.
 */
#include "floor.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TARGET = 1, DEVICE = 2 };
enum { NEW = 0, BIND = 3, UPDATE = 5 };

struct request {
	uint32_t mode, operation;
	char lld[64];
	uint32_t length, tid;
	uint64_t sid, lun;
	uint32_t cid, host, device_type, direction, pack, force;
};

struct message {
	struct request request;
	char parameters[1024];
};

static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void send_request(uint32_t mode, uint32_t operation, uint32_t tid, uint64_t lun, const char *parameters)
{
	struct message message = { .request = { .mode = mode, .operation = operation, .lld = "iscsi" } };
	size_t room = strlen(parameters) + 1;
	struct { uint32_t error, length; } reply;

	message.request.length = sizeof(message.request) + room;
	message.request.tid = tid;
	message.request.lun = lun;
	memcpy(message.parameters, parameters, room);

	int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	if (send(connection, &message, message.request.length, 0) != (ssize_t)message.request.length)
		fail("send");
	if (recv(connection, &reply, sizeof(reply), MSG_WAITALL) != sizeof(reply))
		fail("recv");
	close(connection);
	if (reply.error) {
		fprintf(stderr, "tgtd answers %u to mode %u op %u %s\n", reply.error, mode, operation, parameters);
		exit(1);
	}
}

void tgt_up(const char *socket, const char *directory, unsigned targets, unsigned luns)
{
	char text[1024];

	if (strlen(socket) >= sizeof(address.sun_path))
		fail("a path that is too long");
	strcpy(address.sun_path, socket);
	for (unsigned tid = 1; tid <= targets; tid++) {
		snprintf(text, sizeof(text), "targetname=iqn.2011-12.com.example:bench%u", tid);
		send_request(TARGET, NEW, tid, UINT64_MAX, text);
		for (unsigned lun = 1; lun <= luns; lun++) {
			snprintf(text, sizeof(text), "path=%s/%u-%u.img,bsoflags=sync", directory, tid, lun);
			send_request(DEVICE, NEW, tid, lun, text);
			snprintf(text, sizeof(text), "targetOps scsi_id=%08x%08x,scsi_sn=%08x%08x,", tid, lun, tid, lun);
			send_request(DEVICE, UPDATE, tid, lun, text);
		}
		send_request(TARGET, BIND, tid, UINT64_MAX, "initiator-address=ALL");
	}
}
