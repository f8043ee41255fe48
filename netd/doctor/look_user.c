/* SPDX-License-Identifier: GPL-2.0-or-later */
/* look_user: what an ordinary user needs: limits, devices, helpers. Reads only. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "doctor/look.h"
#include "sys/sysctl.h"
#include "sys/userns.h"

#define SUBID_MAX ((size_t)1024 * 1024)

static void look_ping(struct facts *f)
{
	gid_t list[FACTS_GID_MAX];
	char text[64];
	int n = getgroups(FACTS_GID_MAX - 1, list);

	f->ping_high = UINT32_MAX; /* without such a file there is nothing to complain of */
	if (sysctl_get_text("net/ipv4/ping_group_range", text, sizeof(text), NULL) == 0)
		sscanf(text, "%u %u", &f->ping_low, &f->ping_high);
	for (int i = 0; i < n; i++)
		f->gid[f->n_gid++] = list[i];
	f->gid[f->n_gid++] = getegid();
}

static void look_tun(struct facts *f)
{
	struct stat st;

	f->tun = TUN_OK;
	if (stat("/dev/net/tun", &st) < 0) {
		f->tun = errno == ENOENT || errno == ENOTDIR ? TUN_ABSENT : TUN_DENIED;
		return;
	}
	f->tun_mode = st.st_mode & 07777;
	/* Root asks for others: everybody, or a group that some are in. */
	if (f->is_powerful ? !(st.st_mode & 0006) && !(st.st_mode & 0060)
			   : access("/dev/net/tun", R_OK | W_OK) < 0)
		f->tun = TUN_DENIED;
}

static bool has_subids(const char *path, const struct facts *f)
{
	CLEAN_FREE char *text = NULL;
	struct subids s;
	size_t len;

	return fd_read_file(AT_FDCWD, path, SUBID_MAX, &text, &len, NULL) == 0 &&
	       userns_find_subids(text, len, f->user[0] ? f->user : NULL, f->uid, &s);
}

/* Set-user-ID, or with capabilities of its own. */
static bool has_helper(const char *name)
{
	static const char *const dirs[] = {"/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"};
	char path[64];
	struct stat st;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (stat(path, &st) == 0 && access(path, X_OK) == 0)
			return (st.st_mode & S_ISUID) ||
			       getxattr(path, "security.capability", NULL, 0) > 0;
	}
	return false;
}

/* The profile goes with the program's path: this program shows whether it does. */
static bool has_profile(void)
{
	static const char name[] = "netns-up (";
	CLEAN_FREE char *text = NULL;
	size_t len;

	return fd_read_file(AT_FDCWD, "/proc/self/attr/current", 4096, &text, &len, NULL) == 0 &&
	       strncmp(text, name, sizeof(name) - 1) == 0;
}

void look_user(struct facts *f)
{
	struct passwd *pw = getpwuid(f->uid);

	if (pw && pw->pw_name)
		(void)snprintf(f->user, sizeof(f->user), "%s", pw->pw_name);
	look_ping(f);
	look_tun(f);
	sysctl_get_int("user/max_user_namespaces", &f->max_userns, NULL);
	sysctl_get_int("kernel/unprivileged_userns_clone", &f->userns_clone, NULL);
	sysctl_get_int("kernel/apparmor_restrict_unprivileged_userns", &f->apparmor_userns, NULL);
	f->has_profile = f->apparmor_userns > 0 && has_profile();
	f->has_subuid = has_subids("/etc/subuid", f);
	f->has_subgid = has_subids("/etc/subgid", f);
	f->has_newuidmap = has_helper("newuidmap");
	f->has_newgidmap = has_helper("newgidmap");
	f->has_user = true;
}
