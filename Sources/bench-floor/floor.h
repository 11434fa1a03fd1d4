/* The floors: what brings targets up and takes them down can need no less than the calls made here. */
#pragma once

/* Ends the program with errno's text. */
void fail(const char *what);

/* By tgtd's management protocol, at a socket. */
void tgt_up(const char *socket, const char *directory, unsigned targets, unsigned luns);

/* By configfs. */
void lio_up(const char *directory, unsigned targets, unsigned luns);
void lio_down(unsigned targets, unsigned luns);
