/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userns: user namespaces: which one owns a network namespace, and the id maps of a new one. Three
 * maps are tried, widest first: all ids to themselves (who has CAP_SETUID and CAP_SETGID), the
 * user's own id and its subordinate ones (newuidmap(1), newgidmap(1), /etc/subuid, /etc/subgid),
 * the user's own id alone.
 */
#ifndef NETD_SYS_USERNS_H
#define NETD_SYS_USERNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The user namespace that owns the namespace behind fd (NS_GET_USERNS, ioctl_ns(2)). 0; 1 when it
 * is the caller's own, 2 when it may not be seen because it is outside the caller's (*ret_fd is not
 * set then). */
int userns_of(int ns_fd, int *ret_fd, struct err *e);

/* Opens a path and checks that it is a user namespace. ERR_USAGE when it is something else. */
int userns_open_path(const char *path, int *ret_fd, struct err *e);

/* Enters the network namespace netns_fd, through its owner userns_fd (-1: directly). */
int userns_join(int userns_fd, int netns_fd, struct err *e);

/* A socket in the network namespace netns_fd, opened by a child that has joined the user namespace
 * that owns it. So its requests carry the rights of that namespace's root and no others, whoever
 * sends them. type without flags; the socket is close-on-exec. ret_child: the child, which is of no
 * more use and takes a while to end, for userns_collect later; NULL: it is waited for here. */
int userns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd, pid_t *ret_child,
		  struct err *e);
void userns_collect(pid_t child); /* ends it; 0: none */
/* The uid, as the caller sees it, of whoever made the user namespace that owns ns_fd. ERR_DENIED
 * when that is the caller's own, or outside of it. */
int userns_owner_uid(int ns_fd, uid_t *ret, struct err *e);

/* A range of subordinate ids. */
struct subids {
	uint32_t first, count;
};

/* Pure: the first range of text (/etc/subuid, subuid(5)) that is given to the user with this name
 * or number. False: there is none. */
bool userns_find_subids(const char *text, size_t len, const char *user, uint32_t uid,
			struct subids *ret);

enum userns_map {
	USERNS_MAP_ALL,  /* 0..65535 each to itself */
	USERNS_MAP_SUB,  /* 0: the caller; 1..: subordinate ids */
	USERNS_MAP_SELF, /* 0: the caller, and nobody else */
};

/* Writes the maps of the new user namespace of process pid. with_helpers: newuidmap may be started.
 * *ret_n_ids: how many user ids are mapped. */
int userns_write_maps(pid_t pid, bool with_helpers, enum userns_map *ret, unsigned *ret_n_ids,
		      struct err *e);

#endif
