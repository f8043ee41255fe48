/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease: addresses without an interface of ours. */
#include "engine/internal.h"

int engine_lease(struct engine *g, const struct lease_request *req, struct attachment **ret,
		 struct err *e)
{
	(void)g;
	(void)req;
	(void)ret;
	return err_set(e, ERR_UNSUPPORTED, 0, "leases");
}

int engine_release(struct engine *g, const char *id, const char *ifname, struct err *e)
{
	return engine_take_off(g, id, ifname, PART_LEASE, e);
}

int engine_import_host_local(struct engine *g, const char *dir, const char *network, size_t *ret_n,
			     struct err *e)
{
	(void)g;
	(void)dir;
	(void)network;
	(void)ret_n;
	return err_set(e, ERR_UNSUPPORTED, 0, "import");
}

int engine_adjust(struct engine *g, const struct adjust_request *req, struct attachment **ret,
		  struct err *e)
{
	(void)g;
	(void)req;
	(void)ret;
	return err_set(e, ERR_UNSUPPORTED, 0, "adjust");
}

int engine_take_off(struct engine *g, const char *id, const char *ifname, unsigned int parts,
		    struct err *e)
{
	(void)g;
	(void)id;
	(void)ifname;
	(void)parts;
	return err_set(e, ERR_UNSUPPORTED, 0, "parts");
}

int engine_gc_network(struct engine *g, const char *network, const struct attach_name *keep,
		      size_t n_keep, uint64_t started_at, struct gc_result *ret, struct err *e)
{
	(void)g;
	(void)network;
	(void)keep;
	(void)n_keep;
	(void)started_at;
	(void)ret;
	return err_set(e, ERR_UNSUPPORTED, 0, "gc of one network");
}

int engine_status(const char *state_dir, const struct addr_set *set, size_t n_set, struct err *e)
{
	(void)state_dir;
	(void)set;
	(void)n_set;
	return err_set(e, ERR_UNSUPPORTED, 0, "status");
}
