/* SPDX-License-Identifier: GPL-2.0-or-later */
/* back_int: what the files of the back share: its state and its jobs. Private to back*.c. */
#ifndef NETD_BROKER_BACK_INT_H
#define NETD_BROKER_BACK_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/back.h"
#include "broker/bucket.h"
#include "broker/call.h"
#include "broker/holdings.h"
#include "broker/peer.h"
#include "broker/tally.h"
#include "broker/worker.h"
#include "engine/engine.h"
#include "sys/trim.h"

/* One call on its way, or a clean-up (call NULL). What follows is that of one that is used: the
 * others are never touched, and cost no memory. */
struct job {
	bool is_used, is_reap, is_tables, is_follow, is_names;
	uint64_t order; /* first come, first served */
	struct call *call;
	struct peer peer;
	int conn;       /* closed when the worker has it */
	unsigned front; /* which of the fronts brought it */
	pid_t worker;   /* 0: it waits */
	bool is_over;   /* the worker has ended, its number may be another's */
	bool is_done;   /* it has reported, or is given up: its end is all that is awaited */
	int report_fd;
	uint64_t deadline_ms;      /* UINT64_MAX: none */
	bool had;                  /* the attachment was there before */
	bool is_too_often;         /* refused for that */
	struct work_limits limits; /* that the policy puts on it */
	struct attach_egress egress;
	struct attach_names *names;       /* NULL: egress has none */
	struct work_order *order_of_reap; /* or of tables */
};

/* Replacing itself: back_upgrade.c. */
enum upgrade_stage {
	UPGRADE_NONE,
	UPGRADE_TRIAL, /* the new program shows whether it starts; all goes on */
	UPGRADE_DRAIN, /* work under way comes to its end, and no other is begun */
	UPGRADE_FRONT, /* the front gives its clients back, and ends */
};

struct upgrade {
	enum upgrade_stage stage;
	int binary, ready_fd; /* -1: none */
	pid_t trial;          /* 0: none */
	uint64_t nonce, since_ms, deadline_ms;
	int end_signal; /* came at the last stage */
	int conn[HANDOVER_CONNS];
	size_t n_conn;
};

/* The policy as it is now, for what is up: back_follow.c. */
struct follow {
	int fd;            /* inotify; -1: none */
	bool is_watched;   /* the directory is there, and watched */
	bool is_at_work;   /* one at a time */
	uint64_t at_ms;    /* everything is to be looked at then; UINT64_MAX: no need */
	uint64_t again_ms; /* what has failed, not before */
	uint64_t watch_ms; /* the directory is looked for again */
};

/* What the kernel has refused: back_refused.c. */
struct refused {
	int fd; /* -1: nobody listens */
	bool has_failed;
	uint64_t at_ms;   /* not before it is tried to listen again */
	uint64_t said_ms; /* of a second that began then */
	uint32_t n_said, n_unsaid;
};

/* Who has logged out: back_login.c. */
struct logins {
	int fd;          /* inotify; -1: none yet */
	bool is_watched; /* the directory is there, and watched */
	bool is_due;     /* it is to be looked at */
	uint64_t at_ms;  /* it is, at the latest, or there is something to be watched again */
};

/* The process that answers names: back_names.c. */
struct names {
	int pidfd;         /* watched; -1: none is known */
	bool is_at_work;   /* one look at a time */
	bool is_doubtful;  /* the last look failed: what it knows may be a part */
	uint64_t at_ms;    /* it is looked for then; UINT64_MAX: no need */
	uint64_t since_ms; /* of pidfd */
	unsigned n_lost;   /* attempts that came to nothing, in a row */
};

struct back {
	const struct back_config *c;
	struct back_marks marks;
	struct upgrade up;
	int epoll, signals, front_fd;
	pid_t front_pid;
	unsigned front; /* counts them */
	uint64_t front_ms[BACK_FRONT_STARTS];
	struct engine_watch *watch;
	struct engine_hold *hold;
	unsigned look;       /* what of the tables is to be looked at: HOLD_* */
	uint64_t look_at_ms; /* not before */
	uint64_t mended_ms;  /* see back_tables.c */
	bool is_looking, has_tables, has_told_other;
	struct follow follow;
	struct logins logins;
	struct refused refused;
	struct names names;
	struct holdings held;
	struct buckets rate;
	/* For metrics; an upgrade begins anew. */
	struct tally tally;
	uint64_t n_refused, n_mended, n_ended, n_names;
	struct job job[BACK_JOBS];
	uint64_t next_order, now_ms, busy_ms, reap_at_ms;
	struct trim trim;
	bool is_stopping, is_quitting;
	uint64_t stop_ms;
};

enum {
	WATCH_SIGNALS = 1000,
	WATCH_FRONT,
	WATCH_LINKS,
	WATCH_TABLES,
	WATCH_DOOR,
	WATCH_POLICY,
	WATCH_LOGINS,
	WATCH_REFUSED,
	WATCH_NAMES,
	WATCH_READY
}; /* below: a job's report */

/* back_front.c: starting it, and what it says. */
int back_front_start(struct back *b, struct err *e);
/* Negative: it is gone, or talks nonsense. */
int back_front_hear(struct back *b);
void back_answer(struct back *b, const struct job *j, const char *text, size_t len);
void back_refuse(struct back *b, const struct job *j, enum err_kind kind);
int back_watch(struct back *b, int fd, uint32_t what);
void back_unwatch(struct back *b, int fd); /* fd: may be -1 */

/* back_may.c: ERR_NONE, or why not, in words for the log. id: the engine's name of it. Its limits
 * are written down in the job. */
enum err_kind back_may(struct back *b, struct job *j, const char *id, char why[256]);

/* back_metrics.c: answers. */
void back_metrics(struct back *b, const struct job *j);

/* back_job.c: from a call to its end. */
void back_job_add(struct back *b, const struct call *c, int conn); /* takes conn over */
void back_job_run(struct back *b);                                 /* starts what can be started */
void back_job_report(struct back *b, struct job *j);
void back_job_clear(struct back *b, struct job *j);
struct job *back_job_free(struct back *b); /* NULL: all are in use */
int back_job_start(struct back *b, struct job *j, const struct work_order *o, struct err *e);
size_t back_jobs(const struct back *b, bool only_workers);
/* Kills those whose time is over; milliseconds until the next is, or -1. */
int back_job_cut(struct back *b);
void back_job_over(struct back *b, pid_t worker); /* it has been waited for */
/* Links that went: their attachments are doomed. */
void back_links_gone(struct back *b);
void back_links_check(struct back *b);

/* back_follow.c: caps and rates of what is up follow the policy. It works without, too. */
void back_follow_open(struct back *b);
void back_follow_heard(struct back *b);
void back_follow_all(struct back *b); /* what is up is to be looked at anew */
void back_follow_run(struct back *b); /* starts a worker when there is something to do */
void back_follow_end(struct back *b, const struct job *j, const struct work_report *r);
int back_follow_wait(const struct back *b); /* milliseconds until there may be, or -1 */

/* back_login.c: what ends when its user logs out. Nothing is watched before there is any. */
void back_login_heard(struct back *b);
void back_login_run(struct back *b);
int back_login_wait(const struct back *b); /* milliseconds until it is to be called, or -1 */

/* back_refused.c: audit lines of what the kernel has refused to what is up, once there is something
 * that may not go everywhere. */
void back_refused_heard(struct back *b);
void back_refused_run(struct back *b);
int back_refused_wait(const struct back *b); /* milliseconds until it is to be called, or -1 */

/* back_names.c: the process that answers names is there as long as it is needed. */
void back_names_open(struct back *b);
void back_names_heard(struct back *b); /* it has ended */
void back_names_hint(struct back *b);  /* there may be one by now */
void back_names_run(struct back *b);   /* starts a worker when there is something to do */
/* pidfd: it, taken over; -1: there is none, and need not be. */
void back_names_end(struct back *b, const struct work_report *r, int *pidfd);
int back_names_wait(const struct back *b); /* milliseconds until there is, or -1 */

/* back_upgrade.c: from the signal to the new program, or to going on. */
void back_upgrade_begin(struct back *b);
void back_upgrade_ready(struct back *b); /* the trial has something to say, or is over */
bool back_upgrade_trial_over(struct back *b, pid_t pid, int status); /* true: that was it */
bool back_upgrade_holds(const struct back *b);                       /* no work is to be begun */
/* Negative: the front does not do as it was told. The next step, if its time has come; it may not
 * return. */
int back_upgrade_run(struct back *b);
int back_upgrade_wait(const struct back *b); /* milliseconds until there may be one, or -1 */
/* Instead of back_front_hear, at the last stage. */
int back_upgrade_hear(struct back *b);
/* netd is to end: true when the program that comes next does. */
bool back_upgrade_stop(struct back *b, int signal);
void back_upgrade_end(struct back *b, const char *why); /* all goes on as before */

/* back_tables.c: our tables, held or watched. */
int back_tables_open(struct back *b, struct err *e);
void back_tables_heard(struct back *b);
void back_tables_run(struct back *b); /* starts a worker when there is something to do */
void back_tables_end(struct back *b, const struct job *j, const struct work_report *r);
/* Milliseconds until there is, or -1. */
int back_tables_wait(const struct back *b);

#endif
