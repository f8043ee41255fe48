/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: virtio_net_hdr in front of every frame (Linux: include/uapi/linux/virtio_net.h,
 * Documentation/networking/tuntap.rst), in host byte order: TUNSETVNETLE is never set.
 */
#include "io/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/probe.h"

#define VNET_LEN sizeof(struct virtio_net_hdr)
#define IOV_MAX_FRAME 40

/* Linux 6.2 */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static int set_nonblock(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "link: O_NONBLOCK");
	return 0;
}

/* Switches on the most that the kernel grants; what stays off is done by emit. */
static void set_offloads(int fd, struct link_caps *caps)
{
	const unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (!probe_allowed(PROBE_TUN_OFFLOAD)) {
		ioctl(fd, TUNSETOFFLOAD, 0);
		return;
	}
	if (probe_allowed(PROBE_TUN_USO) &&
	    ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) == 0) {
		caps->has_csum = caps->has_tso = caps->has_uso = true;
	} else if (ioctl(fd, TUNSETOFFLOAD, tso) == 0) {
		caps->has_csum = caps->has_tso = true;
	} else if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM) == 0) {
		caps->has_csum = true;
	}
}

int link_init(struct link *l, int fd, bool is_raw, struct err *e)
{
	struct link link = {.fd = fd, .is_raw = is_raw};
	struct ifreq ifr = {0};
	int size = VNET_LEN, r = set_nonblock(fd, e);

	if (r < 0)
		return r;
	if (!is_raw) {
		if (ioctl(fd, TUNGETIFF, &ifr) < 0)
			return err_sys(e, errno, "link: descriptor %d is not a tap", fd);
		/* Whether it has packet information in front cannot be seen: in the answer, the bit
		 * of IFF_NO_PI means IFF_NOFILTER. */
		if ((ifr.ifr_flags & IFF_TAP) == 0)
			return err_invalid(e, ERR_USAGE, "link: %.*s is not a tap", IFNAMSIZ,
					   ifr.ifr_name);
		link.caps.has_vnet_hdr = ifr.ifr_flags & IFF_VNET_HDR;
	}
	if (link.caps.has_vnet_hdr) {
		if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
			return err_sys(e, errno, "link: TUNSETVNETHDRSZ");
		set_offloads(fd, &link.caps);
	}
	*l = link;
	return 0;
}

/* What the kernel says of a frame of len bytes is believed only where it makes sense. */
static int parse_meta(const struct virtio_net_hdr *v, size_t len, struct link_meta *m)
{
	*m = (struct link_meta){
		.is_partial = v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.is_valid = v->flags & VIRTIO_NET_HDR_F_DATA_VALID,
		.hdr_len = v->hdr_len,
	};
	if (m->is_partial) {
		if (v->csum_start + v->csum_offset + 2u > len)
			return -EBADMSG;
		m->csum_start = v->csum_start;
		m->csum_offset = v->csum_offset;
	}
	switch (v->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return 0;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		m->gso = LINK_GSO_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		m->gso = LINK_GSO_TCP6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		m->gso = LINK_GSO_UDP;
		break;
	default:
		return -EBADMSG;
	}
	m->gso_size = v->gso_size;
	return m->gso_size == 0 ? -EBADMSG : 0;
}

ssize_t link_read(struct link *l, uint8_t *buf, size_t size, const uint8_t **ret_frame,
		  struct link_meta *ret)
{
	const size_t skip = l->caps.has_vnet_hdr ? VNET_LEN : 0;
	struct virtio_net_hdr v;
	ssize_t n;
	int r;

	do
		n = read(l->fd, buf, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0) /* of a socket: the other end is closed */
		return -EPIPE;
	if ((size_t)n <= skip)
		return -EBADMSG;
	*ret_frame = buf + skip;
	if (skip == 0) {
		memset(ret, 0, sizeof(*ret));
		return n;
	}
	memcpy(&v, buf, sizeof(v));
	r = parse_meta(&v, (size_t)n - skip, ret);
	return r < 0 ? r : n - (ssize_t)skip;
}

static struct virtio_net_hdr build_meta(const struct link_meta *m)
{
	static const uint8_t types[] = {
		[LINK_GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
		[LINK_GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
		[LINK_GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
		[LINK_GSO_UDP] = VIRTIO_NET_HDR_GSO_UDP_L4,
	};
	struct virtio_net_hdr v = {0};

	if (m->is_partial) {
		v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		v.csum_start = m->csum_start;
		v.csum_offset = m->csum_offset;
	} else if (m->is_valid) {
		v.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	v.gso_type = types[m->gso];
	v.gso_size = m->gso_size;
	v.hdr_len = m->hdr_len;
	return v;
}

int link_write(struct link *l, const struct link_meta *m, const struct iovec *iov, int n_iov)
{
	struct virtio_net_hdr v = {0};
	struct iovec all[IOV_MAX_FRAME + 1];
	ssize_t n;

	if (n_iov > IOV_MAX_FRAME)
		return -EAGAIN;
	if (l->caps.has_vnet_hdr) {
		if (m)
			v = build_meta(m);
		all[0] = (struct iovec){&v, sizeof(v)};
		memcpy(all + 1, iov, (size_t)n_iov * sizeof(*iov));
		iov = all;
		n_iov++;
	}
	do
		n = writev(l->fd, iov, n_iov);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	/* The device is gone, or the socket's other end; all else is the loss of one frame (EIO:
	 * the device is down). */
	return errno == EBADFD || errno == EBADF || errno == EPIPE || errno == ECONNRESET ||
			       errno == ENOTCONN || errno == ENODEV
		       ? -errno
		       : -EAGAIN;
}
