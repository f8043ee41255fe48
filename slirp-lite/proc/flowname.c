/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flowname: names of states are those of RFC 9293 3.3.2. */
#include "proc/flowname.h"

#include <netinet/in.h>

/* In the order of the worker's enum tcp_state. */
static const char *const states[] = {
	"CLOSED",     "SYN-HELD",   "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
};

json_t *flowname_json(const struct ctlmsg_flow *f)
{
	char guest[IP_STRLEN], peer[IP_STRLEN];
	json_t *o = json_pack("{s:s,s:s,s:i,s:s,s:i,s:b,s:I}", "proto",
			      f->proto == IPPROTO_TCP ? "tcp" : "udp", "guest",
			      ip_str(&f->guest, guest), "guest_port", (int)f->guest_port, "peer",
			      ip_str(&f->peer, peer), "peer_port", (int)f->peer_port, "inward",
			      (int)f->is_inward, "idle_ms", (json_int_t)f->idle_ms);

	if (!o || f->proto != IPPROTO_TCP)
		return o;
	if (f->state < sizeof(states) / sizeof(states[0]))
		(void)json_object_set_new(o, "state", json_string(states[f->state]));
	(void)json_object_set_new(o, "relayed", json_boolean(f->is_relayed));
	(void)json_object_set_new(o, "rtt_us", json_integer(f->rtt_us));
	(void)json_object_set_new(o, "timeouts", json_integer(f->n_timeout));
	(void)json_object_set_new(o, "queued", json_integer(f->queued));
	(void)json_object_set_new(o, "blocked", json_integer(f->blocked));
	return o;
}
