/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trim: for a process that lives long and has nothing to do for now. */
#ifndef NETD_SYS_TRIM_H
#define NETD_SYS_TRIM_H

/* Memory that is free goes, and so do the code and tables that lie in files, of which what is
 * needed is there again by the first use. */
void trim_at_rest(void);

#endif
