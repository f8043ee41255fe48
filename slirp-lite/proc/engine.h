/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine: how TCP of containers behind the namespace is served. */
#ifndef SLIRP_PROC_ENGINE_H
#define SLIRP_PROC_ENGINE_H

/* TAP: our own TCP. RELAY: the kernel's, on both sides (through/through.h). AUTO: nothing was asked
 * for, which is TAP. */
enum engine_kind { ENGINE_AUTO, ENGINE_TAP, ENGINE_RELAY };

#endif
