/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor: gathers, judges, and applies remedies. */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "doctor/look.h"
#include "engine/engine.h"
#include "net/nft.h"
#include "sys/sysctl.h"

#define TUN_DIR "/dev/net"
#define TUN_PATH TUN_DIR "/tun"
#define TUN_MAJOR 10
#define TUN_MINOR 200

int doctor_look(const char *state_dir, struct findings *ret, bool *ret_is_whole, struct err *e)
{
	CLEAN_FREE struct facts *f = calloc(1, sizeof(*f));
	CLEAN_FINDINGS struct findings l = {0};

	if (!f)
		return err_set(e, ERR_INTERNAL, ENOMEM, "facts");
	nft_use_child(true);
	look_who(f);
	look_rules(f, state_dir);
	look_settings(f);
	look_user(f);
	look_kernel(f);
	findings_of(f, &l);
	*ret_is_whole = f->has_rules;
	facts_clear(f);
	if (l.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "findings");
	*ret = l;
	l = (struct findings){0};
	return 0;
}

/* The device for everybody. One that is something else under that name is left alone. */
static int fix_tun(struct err *e)
{
	dev_t dev = makedev(TUN_MAJOR, TUN_MINOR);
	struct stat st;

	if (mkdir(TUN_DIR, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, TUN_DIR);
	if (mknod(TUN_PATH, S_IFCHR | 0600, dev) < 0 && errno != EEXIST)
		return err_sys(e, errno, TUN_PATH);
	if (lstat(TUN_PATH, &st) < 0)
		return err_sys(e, errno, TUN_PATH);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != dev)
		return err_set(e, ERR_CONFLICT, 0, TUN_PATH " is not the device of that name");
	if (chmod(TUN_PATH, 0666) < 0)
		return err_sys(e, errno, TUN_PATH);
	return 0;
}

static int fix_gc(const char *state_dir, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct gc_result res = {0};
	int r = engine_open(state_dir, false, &g, e);

	return r < 0 ? r : engine_gc(g, &res, e);
}

int doctor_fix(const struct finding *f, const char *state_dir, struct err *e)
{
	int r = 0;

	switch (f->fix.kind) {
	case FIX_NONE:
		return 1;
	case FIX_SYSCTL:
		r = sysctl_set_text(f->fix.key, f->fix.value, e);
		break;
	case FIX_NFT:
		r = f->fix.text.failed || !f->fix.text.p ? err_set(e, ERR_INTERNAL, ENOMEM, "rules")
							 : nft_run(f->fix.text.p, e);
		break;
	case FIX_GC:
		r = fix_gc(state_dir, e);
		break;
	case FIX_TUN:
		r = fix_tun(e);
		break;
	}
	return r < 0 ? r : 0;
}
