/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter: tables to libseccomp to BPF. Compiling and loading are two steps, so that a program is
 * made once, where memory may be allocated and descriptors opened, and loaded many times where
 * neither is possible. No policy: the tables are others'. Read seccomp(2), seccomp_rule_add(3).
 */
#include "sys/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define PROGRAM_MAX ((size_t)BPF_MAXINSNS * sizeof(struct sock_filter))

static struct scmp_arg_cmp compare(const struct filter_cmp *c)
{
	struct scmp_arg_cmp r = {.arg = c->arg};

	switch (c->op) {
	case FILTER_EQ:
		/* The upper half of an argument that is an int is not the kernel's business, and
		 * ours neither. */
		r.op = SCMP_CMP_MASKED_EQ;
		r.datum_a = UINT32_MAX;
		r.datum_b = c->value;
		break;
	case FILTER_WITHIN:
		r.op = SCMP_CMP_MASKED_EQ;
		r.datum_a = (uint32_t)~c->value;
		r.datum_b = 0;
		break;
	case FILTER_HAS:
		r.op = SCMP_CMP_MASKED_EQ;
		r.datum_a = c->value;
		r.datum_b = c->value;
		break;
	default:
		r.op = SCMP_CMP_LE;
		r.datum_a = c->value;
	}
	return r;
}

static int add_list(scmp_filter_ctx ctx, uint32_t action, const struct filter_list *l)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		struct scmp_arg_cmp args[3];
		unsigned n = 0;

		while (n < 3 && l->rules[i].cmp[n].op) {
			args[n] = compare(&l->rules[i].cmp[n]);
			n++;
		}
		r = seccomp_rule_add_array(ctx, action, l->rules[i].nr, n, args);
	}
	return r;
}

static int fill(scmp_filter_ctx ctx, const struct filter_spec *s)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; r == 0 && i < FILTER_LISTS; i++)
		r = add_list(ctx, SCMP_ACT_ALLOW, &s->allow[i]);
	for (size_t i = 0; r == 0 && i < 2; i++)
		r = add_list(ctx, SCMP_ACT_KILL_PROCESS, &s->kill[i]);
	return r;
}

/* libseccomp writes a program to a descriptor only. */
static int export_program(scmp_filter_ctx ctx, struct filter *ret)
{
	CLEAN_FD int fd = memfd_create("filter", MFD_CLOEXEC);
	CLEAN_FREE char *code = malloc(PROGRAM_MAX);
	ssize_t n;
	int r;

	if (!code)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	n = pread(fd, code, PROGRAM_MAX, 0);
	if (n < 0)
		return -errno;
	if (n == 0 || (size_t)n % sizeof(struct sock_filter) != 0)
		return -EPROTO;
	ret->n = (uint16_t)((size_t)n / sizeof(struct sock_filter));
	ret->code = (struct sock_filter *)(void *)code;
	code = NULL;
	return 0;
}

int filter_compile(const struct filter_spec *s, struct filter *ret, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(s->is_open ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int r = ctx ? fill(ctx, s) : -ENOMEM;

	if (r == 0)
		r = export_program(ctx, ret);
	seccomp_release(ctx);
	return r < 0 ? err_sys(e, -r, "system call filter") : 0;
}

void filter_free(struct filter *f)
{
	free(f->code);
	*f = (struct filter){0};
}

int filter_load(const struct filter *f)
{
	const struct sock_fprog program = {.len = f->n, .filter = f->code};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) < 0)
		return -errno;
	return 0;
}
