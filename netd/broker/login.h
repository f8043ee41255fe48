/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * login: whether a user is logged in. logind (systemd's, and elogind) keeps a file for each user
 * who has a session or lingers, and removes it when neither is so any more; the directory is
 * root's, so no user can keep his or make one. That it is there is all that is looked at. Where
 * there is no logind nobody is logged in.
 */
#ifndef NETD_BROKER_LOGIN_H
#define NETD_BROKER_LOGIN_H

#include <stdint.h>

#define LOGIN_DIR "/run/systemd/users"

/* 1 or 0; negative: it cannot be known. */
int login_has(uint32_t uid);

#endif
