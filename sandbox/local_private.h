#ifndef SKEP_SANDBOX_LOCAL_PRIVATE_H
#define SKEP_SANDBOX_LOCAL_PRIVATE_H

/* What the files of the local backend share; included by local*.c only. */

#include "engine/base/hash.h"
#include "engine/base/map.h"
#include "sandbox/backend.h"
#include "sandbox/cgroup.h"
#include "sandbox/features.h"
#include "sandbox/maker.h"
#include "sandbox/wire.h"

#define STOCK_MAX 256
#define STOCK_ASKED_MAX 512

struct local_trees {
	unsigned n;
	const char *path[MOUNTS_TREES_MAX];
	uint32_t read_only; /* 1u << tree */
};

/* Host uids of an engine: a sandbox's slot, or its stage's number, says which. */
#define UIDS_OF_SLOTS 16384
#define UIDS_PER_ENGINE (2 * UIDS_OF_SLOTS)

struct local_stage {
	int fd[STAGE_FDS]; /* -1: none */
	unsigned number;
};

static const struct local_stage local_no_stage = {{-1, -1, -1, -1}, 0};

/* What the maker was asked for, oldest first. */
struct stock_asked {
	enum maker_verb verb;
	enum netns_kind kind;
	struct local_profile *profile;
	int netns;       /* that is being looked over, or -1 */
	int is_stage;    /* it has one, which is the maker's until it answers */
	unsigned number; /* of that */
};

struct local_stock {
	int maker;
	struct loop_io maker_io;
	unsigned netns_max, groups_max;
	unsigned stages_max;               /* of each profile */
	uint64_t numbers[STAGES_MAX / 64]; /* that stages have */
	int wanted[NETNS_KINDS];
	unsigned netns_n[NETNS_KINDS], coming[NETNS_KINDS];
	int netns[NETNS_KINDS][STOCK_MAX];
	unsigned asked_first, asked_n;
	struct stock_asked asked[STOCK_ASKED_MAX]; /* junk at first */
};

struct local_profile {
	const struct profile *profile;
	char digest[HASH_TEXT_MAX];
	char rootfs[256]; /* as results name it */
	struct cgroup_limits cgroup;
	struct box box;
	struct seccomp_program program;
	int stages_wanted;
	unsigned stages_n, stages_coming;
	unsigned stages_back; /* that are being looked over */
	unsigned groups_n;    /* in stock */
	/* Junk at first: pages that are not touched cost nothing. */
	struct cgroup group[STOCK_MAX];
	struct local_stage stage[STOCK_MAX];
};

struct local_host {
	struct sandbox_host base;
	struct zygote *zygote;
	struct loop_io zygote_io;
	int zygote_gone;
	const char *workspace; /* of the caller, kept; or NULL */
	struct features features;
	struct cgroup_host cgroups;
	int given_netns;              /* for the only sandbox, or -1 */
	struct loop_timer bury_timer; /* groups that are still busy */
	struct list unsent;           /* struct local: requests */
	struct map by_id;             /* struct local */
	unsigned making;              /* sandboxes that are not ready yet */
	uid_t uid_base; /* as root: host uids of sandboxes, by slot */
	unsigned profiles_n;
	struct local_profile *profile;
	struct local_stock stock; /* last: its end is not touched before use */
};

enum local_phase {
	LOCAL_UNSENT, /* the zygote does not know of it yet */
	LOCAL_ASKED,
	LOCAL_BORN,  /* pid 1 exists */
	LOCAL_DEAD,  /* reaped; its group may still be there */
	LOCAL_BURIED /* nothing is left */
};

struct local {
	struct sandbox base;
	enum local_phase phase;
	struct local_host *host;
	struct local_profile *profile;
	struct list_node unsent;
	struct userns_ids ids;
	int child_sock; /* theirs, until it is sent */
	int sock, pidfd;
	struct loop_io corpse;    /* pidfd, where the zygote became pid 1 */
	int netns;                /* of the stock, or -1 */
	struct local_stage stage; /* of the stock, or none */
	struct loop_io io;
	struct loop_timer making;
	int is_making; /* the timer runs, and the host counts it */
	struct loop_deferred removal;
	struct loop_deferred refusal; /* by the engine itself: to be told */
	struct error refused;
	struct list outgoing; /* struct local_message */
	struct cgroup cgroup;
	struct cgroup_events seen;
	int in_doubt; /* its socket ended before the zygote spoke of it */
};

static inline struct local *
local_of(struct sandbox *sb)
{
	return container_of(sb, struct local, base);
}

static inline struct local_host *
local_host_of(struct sandbox_host *host)
{
	return container_of(host, struct local_host, base);
}

/* local_box.c: turn a profile into numbers; tree[i] are prepared ones. */
int local_box_fill(struct local_host *h, struct local_profile *p,
    const struct sandbox_host_settings *settings, struct local_trees *trees,
    struct error *e);
/* Its limits, and what it requires, once the control groups are known. */
int local_box_limit(
    struct local_host *h, struct local_profile *p, struct error *e);

/*
 * local_stock.c: what is kept ready.  A sandbox takes a network namespace and
 * a stage where there are any, and with the stage its ids; what it took comes
 * back when its last process is reaped.  Groups: 0, or -1 and *e; returned, 0
 * when the group is still busy.
 */
void local_stock_start(
    struct local_host *h, const struct sandbox_host_settings *settings);
void local_stock_stop(struct local_host *h);
void local_stock_take(struct local_host *h, struct local *l);
void local_stock_return(struct local_host *h, struct local *l);
void local_stock_refill(struct local_host *h); /* as far as there is need */
/* Make a network namespace by entering it; -1: let pid 1 do it. */
int local_stock_make_netns(enum netns_kind kind);
int local_stock_cgroup(struct local_host *h, struct local_profile *p,
    struct cgroup *g, struct error *e);
int local_stock_return_cgroup(
    struct local_host *h, struct local_profile *p, struct cgroup *g);

/* local_talk.c: messages with one init. */
int local_exec(struct exec *x, const struct exec_spec *spec, const int fd[3],
    struct error *e);
void local_signal(struct exec *x, int signo, enum exec_reach reach);
int local_file(
    struct file_op *op, const struct file_request *r, struct error *e);
void local_lost(struct local *l, const char *why);
void local_listen(struct local *l);  /* start reading from its socket */
void local_hang_up(struct local *l); /* close it, forget what was queued */

/* local_env.c: what every command finds in its environment. */
size_t local_env_write(const struct profile *p, const char *user,
    const struct exec_spec *spec, char *out, size_t size, uint32_t *count);

/* local.c: one sandbox's life, as the zygote tells it. */
struct userns_ids local_ids(
    const struct local_host *h, const struct local_profile *p, unsigned place);
#define LOCAL_BURY_MS 5 /* between two attempts to remove a busy group */
int local_create(struct sandbox *sb, struct error *e);
void local_made(struct local *l); /* or given up; nothing if it was before */
void local_destroy(struct sandbox *sb);
void local_kill(struct sandbox *sb);
void local_broke(struct local *l, const char *step, const struct error *e);
void local_died(struct local *l);
int local_bury(struct local *l); /* 1: nothing is left of it */
void local_zygote_ready(struct loop_io *io, int want);
void local_bury_expired(struct loop_timer *t);

/* local_host.c */
unsigned local_limits_met(struct sandbox *sb);

#endif
