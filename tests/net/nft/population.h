/* SPDX-License-Identifier: GPL-2.0-or-later */
/* population: networks and attachments for the tests of the ruleset, made from numbers so that
 * every run has the same ones. */
#ifndef TESTS_NET_NFT_POPULATION_H
#define TESTS_NET_NFT_POPULATION_H

#include "model/attachment.h"
#include "model/network.h"
#include "net/elem.h"

/* Network i: the bits of i choose mode, families, isolation, internal, masquerade, exceptions. */
void population_network(unsigned int i, struct network *ret);
/* Attachment k of network i, without published ports. */
void population_attachment(const struct network *n, unsigned int i, unsigned int k,
			   struct attachment *ret);
/* Published ports of the j-th attachment of all; out has room for POPULATION_PUBLISH. */
#define POPULATION_PUBLISH 8
size_t population_publish(unsigned int j, struct publish *out);
/* Everything that n_net networks of n_each attachments put into the sets. */
void population_elements(unsigned int n_net, unsigned int n_each, struct elem_list *out);
/* n attachments of one routed network with one dual-stack tcp port each: the elements of container
 * first, first+1, ... */
void population_plain(unsigned int first, unsigned int n, struct elem_list *out);

struct ip population_ip(const char *s);
struct prefix population_prefix(const char *s);

#endif
