/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options: the command line of slirp-lite as plain, checked values. The names and their meaning are
 * those that clients of slirp4netns pass; ours are added to them. Opens nothing; whether a
 * descriptor that is named is open is looked at here, for the error is one of usage.
 */
#ifndef SLIRP_PROC_OPTIONS_H
#define SLIRP_PROC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/opt.h"
#include "flow/port.h"
#include "model/addr.h"
#include "model/attach.h"
#include "model/attach_egress.h"
#include "model/name.h"
#include "model/publish_list.h"
#include "proc/engine.h"
#include "proc/pasta.h"
#include "stack/config.h"

enum target_kind { TARGET_AUTO, TARGET_PID, TARGET_PATH, TARGET_TAPFD, TARGET_BESS };
enum sandbox_mode { SANDBOX_ON, SANDBOX_STRICT, SANDBOX_OFF };

struct options {
	const char *program; /* the name it was called by, for its texts */
	enum target_kind kind;
	const char *target; /* as written */
	int target_pid;     /* TARGET_PID */
	int target_fd;      /* TARGET_TAPFD */
	char tap[IFNAME_STRLEN];
	const char *userns_path; /* NULL: the owner of the network namespace */
	bool is_configured;      /* -c */
	bool is_ipv6;
	bool is_version, is_help, is_background;
	bool has_extra;       /* operands beyond the two, which are ignored */
	bool is_slirp4netns;  /* called by that name */
	bool is_bess;         /* --target-type=bess */
	bool is_without_ipv6; /* asked for, but the MTU leaves no room for it */
	bool is_netns_kept;   /* what names the namespace may go */
	int exit_fd, ready_fd, kept_fd;
	uint32_t mtu;
	const char *api;  /* path of the control socket, or NULL */
	const char *name; /* what the control socket calls this instance, or NULL */
	const char *pcap, *log_file;
	enum log_level log_level;
	enum sandbox_mode sandbox;
	enum engine_kind engine;
	bool is_network; /* the namespace forwards for containers behind it */
	struct prefix net[N_FAM];
	struct ip guest[N_FAM]; /* family 0: the usual one of net */
	bool is_dns_off;
	bool is_loopback_off; /* said so, which excludes the following two */
	bool is_loopback_open;
	size_t n_loopback;
	struct policy_port loopback[POLICY_PORTS_MAX];
	bool has_mac;
	struct mac mac;
	struct publish_list publish;
	bool is_publish_auto;       /* what programs inside listen on, too */
	struct publish_list except; /* but not these */
	enum port_local local;      /* how clients on this host come in */
	struct pasta pasta;
	struct rates rates;
	struct attach_egress egress;
	struct attach_names names;   /* of egress */
	const char *outbound[N_FAM]; /* an address or the name of an interface; NULL: none */
};

/* Parses and checks. 0, or -EINVAL with ERR_USAGE: one line that names the option. Strings are
 * borrowed from argv, which is reordered. */
int options_parse(int argc, char **argv, struct options *ret, struct err *e);
void options_help(const struct options *o);
/* The table itself; it is called "slirp-lite". */
const struct opt_verb *options_verb(void);

/* The worker's part of it: the address plan and the policy. Outgoing addresses and resolvers are
 * the caller's to fill in. */
void options_config(const struct options *o, struct worker_config *ret);
/* What of it depends on no address. */
void options_limits(const struct options *o, struct worker_config *ret);

#endif
