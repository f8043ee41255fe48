/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json: typed getters over jansson that name the path of what is wrong ("publish[2].hostPort:
 * expected an integer 0..65535, found string"). Exact-case keys; absent optional keys leave *ret
 * alone.
 */
#ifndef NETD_BASE_JSON_H
#define NETD_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

/* Each returns 0 when set, 1 when absent or null and optional, or -EINVAL (ERR_PROTOCOL). path
 * names the object in texts ("" at the top). Strings are borrowed from obj. */
int json_get_str(json_t *obj, const char *path, const char *key, enum json_need need,
		 const char **ret, struct err *e);
int json_get_u64(json_t *obj, const char *path, const char *key, enum json_need need, uint64_t min,
		 uint64_t max, uint64_t *ret, struct err *e);
int json_get_bool(json_t *obj, const char *path, const char *key, enum json_need need, bool *ret,
		  struct err *e);
int json_get_obj(json_t *obj, const char *path, const char *key, enum json_need need, json_t **ret,
		 struct err *e);
int json_get_arr(json_t *obj, const char *path, const char *key, enum json_need need, json_t **ret,
		 struct err *e);

/* For what is only shown: a count; 0 when there is none, or none that makes sense. */
uint64_t json_count(json_t *obj, const char *key);

/* ERR_PROTOCOL "PATH.KEY: what"; path or key may be "". Returns -EINVAL. */
int json_bad(const char *path, const char *key, struct err *e, const char *what);

/* First thing (again: nothing): seeds the library's hashes. From here on its allocations that fail
 * are counted: with none, what it builds and prints is whole. */
void json_prepare(void);
unsigned int json_failures(void);

/* Parses at most len bytes with duplicate keys rejected. New reference in *ret. */
int json_parse(const char *text, size_t len, json_t **ret, struct err *e);

/* As text in one line, whole; free(3) it. NULL: no memory, or v is NULL. The library's own printer
 * leaves out what it finds no memory for. */
char *json_print(const json_t *v);

/* json_decrefp is jansson's. */
#define CLEAN_JSON __attribute__((cleanup(json_decrefp)))

#endif
