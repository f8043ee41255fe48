/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server: what the files of the running responder share. One thread, one epoll instance, tables of
 * fixed size: no memory is allocated once it runs.
 */
#ifndef SLIRP_NAMES_SERVER_H
#define SLIRP_NAMES_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "flow/bucket.h"
#include "flow/siphash.h"
#include "model/namesmsg.h"
#include "names/answer.h"
#include "names/table.h"
#include "relay/slots.h"
#include "relay/watch.h"
#include "stack/config.h"

#define DNS_SERVER_PORT 53

#define SERVER_QUERIES_MAX 1024 /* asked of resolvers at once */
#define SERVER_QUERIES_EACH 64  /* for one member */
#define SERVER_STREAMS_MAX 64   /* TCP clients */
#define SERVER_STREAMS_EACH 16
#define SERVER_STREAM_MS 3000   /* for a client to send a query, or to take the answer */
#define SERVER_PATIENCE_MS 4500 /* for all resolvers together: less than a stub resolver's 5 s */
#define SERVER_DOWN_MS 30000    /* so long a resolver that failed is asked last */
#define SERVER_TICK_MS 50
#define SERVER_LEARN_MS 2000    /* for the keeper to let a container reach where a name leads */
#define SERVER_HELD_MAX 64      /* answers over UDP that wait for that */
#define SERVER_HELD_EACH 8      /* of one member */
#define SERVER_STRANGERS_S 1000 /* refusals to who is no member */

enum server_kind {
	SERVER_CONTROL, /* the listening control socket */
	SERVER_REQUESTER,
	SERVER_WATCHER, /* the process that reads resolv.conf */
	SERVER_UDP,     /* index: network * N_FAM + family */
	SERVER_TCP,
	SERVER_QUERY,
	SERVER_STREAM,
	SERVER_STREAM_UP, /* the same one's connection to a resolver */
	SERVER_KEEPER,    /* who is told where names lead */
	SERVER_END,       /* the pipe: its other end is closed */
};

/* The sockets of one network; in the table's order. fd[2 * f]: UDP, fd[2 * f + 1]: TCP; -1: none.
 */
struct place {
	int fd[NAMESMSG_FDS];
	struct ip listen[N_FAM];
	uint16_t port;
};

struct resolver_state {
	struct ip ip;
	uint32_t scope;
	bool has_failed;
	uint64_t failed_ms;
};

/* A walk through the resolvers: each once, those that failed lately last, then once more. */
struct walk {
	uint32_t generation;
	uint32_t tried; /* a bit each */
	unsigned int n_tries;
	uint64_t began_ms, due_ms;
	uint8_t resolver; /* that is being asked */
};

struct query {
	struct slot slot;
	uint32_t uid; /* share.c; here and below: whose container it is for */
	uint32_t net, net_gen, entry, entry_gen;
	struct sockaddr_storage peer;
	int fd; /* to a resolver; -1 */
	struct walk walk;
	uint16_t id, asked_id;
	uint16_t len;
	uint32_t held; /* index + 1 of the answer, which waits for the keeper until walk.due_ms */
	uint8_t bytes[MSG_QUERY_MAX];
};

struct held {
	struct slot slot;
	uint32_t uid, len;
	uint8_t bytes[ANSWER_MAX];
};

enum stream_phase { STREAM_READS, STREAM_ASKS, STREAM_HEARS, STREAM_LEARNS, STREAM_WRITES };

struct stream {
	struct slot slot;
	uint32_t uid;
	enum stream_phase phase;
	int fd, up_fd;
	uint32_t net, net_gen, entry, entry_gen; /* entry SLOT_NONE: a stranger */
	uint64_t due_ms;                         /* of a phase that waits for the client */
	struct walk walk;
	uint16_t id, asked_id;
	uint32_t in_len;          /* read of in[] */
	uint32_t out_len, out_at; /* of out[], which is read from the resolver too */
	uint8_t in[2 + MSG_QUERY_MAX];
	uint8_t out[2 + ANSWER_MAX];
};

struct server {
	int epoll_fd, listen_fd, watcher_fd;
	int keeper_fd; /* -1: none */
	bool is_over;  /* whoever keeps the namespace has gone */
	uid_t starter;
	uint64_t now_ms;
	struct table table;
	struct place place[TABLE_NETS_MAX];
	struct slots queries, streams, requesters, held;
	struct bucket strangers;
	struct siphash_key key;
	uint64_t n_ids;
	uint32_t generation; /* of the list of resolvers */
	size_t n_resolver;
	struct resolver_state resolver[RESOLVERS_MAX];
	uint8_t message[ANSWER_MAX], answer[ANSWER_MAX];
};

/* resolvers.c */
void resolvers_set(struct server *s, const struct resolvers *list);
void walk_begin(const struct server *s, struct walk *w);
/* The next one to ask, in w->resolver, and until when to wait. False: there is none left, or no
 * time. */
bool walk_next(const struct server *s, struct walk *w);
bool walk_has_untried(const struct server *s, const struct walk *w);
void walk_mark(struct server *s, const struct walk *w, bool has_failed);
socklen_t walk_address(const struct server *s, const struct walk *w, struct sockaddr_storage *ret);
uint16_t server_random_id(struct server *s);
/* Whether a message is the answer to the query of that id, and not one that somebody guessed; its
 * header in *ret. */
bool server_is_answer(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len,
		      uint16_t asked_id, struct dns *ret);
/* Whether another resolver may know better. */
bool server_is_poor(const struct dns *d);
/* The answer as the client is to see it: its own id and its own spelling of the name. */
void server_own_answer(uint8_t *message, const uint8_t *query, size_t query_len,
		       const struct dns *d, uint16_t id);

/* share.c: slots_take() for a container of that user, whose uid is kept in the slot, at `at`.
 * SLOT_NONE: none is left, or none for him. */
uint32_t share_take(struct slots *s, size_t at, uint32_t uid);

/* learn.c: where names lead, told to the keeper. */
enum learn { LEARN_NOTHING, LEARN_ASKED, LEARN_FAILED };
/* An answer for an entry. NOTHING: it may go there; ASKED: once {kind, index, gen} is told so by
 * query_learned or stream_learned (sys 0); FAILED: it may not. */
enum learn learn_answer(struct server *s, uint32_t entry, const struct watch_id *who,
			const uint8_t *message, size_t len);
void learn_take_keeper(struct server *s, int fd); /* takes fd over */
void learn_event(struct server *s);
/* What it is told instead. sys: as the keeper has said. */
unsigned int learn_rcode(int sys);

/* query.c: over UDP */
void query_learned(struct server *s, uint32_t index, uint32_t gen, int sys);
void query_udp_event(struct server *s, uint32_t index);
void query_event(struct server *s, uint32_t index, uint32_t gen);
/* Both: milliseconds until the next look, -1: none is due. */
int query_expire(struct server *s);
/* Before the network or the entry goes. entry SLOT_NONE: of the whole network. */
void query_forget(struct server *s, uint32_t net, uint32_t entry);

/* stream.c: over TCP */
void stream_learned(struct server *s, uint32_t index, uint32_t gen, int sys);
void stream_accept(struct server *s, uint32_t index);
void stream_event(struct server *s, uint32_t index, uint32_t gen, bool is_up);
int stream_expire(struct server *s);
void stream_forget(struct server *s, uint32_t net, uint32_t entry);

/* control.c */
#define CONTROL_REQUESTERS 1024
#define CONTROL_QUIET_MS 30000
int control_init(struct server *s); /* 0 or -errno */
void control_take(struct server *s);
void control_serve(struct server *s, uint32_t index, uint32_t gen);
int control_sweep(struct server *s);
/* For a responder that cannot begin: tells the first engine why. */
void control_say_no(int listen_fd, int sys, const char *step, int wait_ms);

/* watcher.c. Reads resolv.conf and starts the process that goes on doing so; *ret_fd: where lists
 * come from. -errno. */
int watcher_start(struct resolvers *ret, int *ret_fd);

/* cage.c */
int cage_enter(int life_fd, const char **ret_step);
int cage_enter_watcher(pid_t parent); /* with whom it ends */

#endif
