#ifndef SKEP_SANDBOX_WIRE_H
#define SKEP_SANDBOX_WIRE_H

/*
 * What the engine, the zygote and an init say to each other: one fixed struct
 * per message on a SEQPACKET pair, followed by bytes that its sizes describe,
 * descriptors alongside.  Both ends are the same program, so a message whose
 * head does not carry the size of its struct is a bug or an attack, and the
 * receiver gives up the connection.
 *
 * An init is inside: the engine believes nothing it says without checking,
 * because what runs beside it might have taken it over.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/hash.h"
#include "sandbox/cgroup.h"
#include "sandbox/fault.h"
#include "sandbox/mounts.h"
#include "sandbox/netns.h"
#include "sandbox/rlimits.h"
#include "sandbox/seccomp.h"
#include "sandbox/userns.h"
#include "sandbox/users.h"

#define WIRE_BYTES_MAX (176 * 1024) /* one message, its struct included */
#define WIRE_FDS_MAX 8
#define WIRE_TEXTS_MAX (160 * 1024) /* longer ones travel in a file */
#define WIRE_PROFILES_MAX 16
#define WIRE_TEXT_MAX 8192

struct wire_head {
	uint32_t bytes; /* of the whole struct, without what follows it */
	uint16_t verb;
	uint16_t flags; /* the verb's own */
	uint32_t id;    /* of the sandbox, command or file verb */
};

/* ------------------------------------------------------ engine <-> zygote */

enum zygote_verb {
	ZYGOTE_PREPARE = 1, /* build the tree; answered */
	ZYGOTE_PROFILE,     /* remember a box; not answered */
	ZYGOTE_CREATE,      /* answered with CREATED, in the end with GONE */
	ZYGOTE_MAKER,       /* start maker_main() on the descriptor sent */
	ZYGOTE_PREPARED = 64,
	ZYGOTE_CREATED, /* the pidfd comes along, or the fault says why not */
	ZYGOTE_GONE     /* reaped; nothing of it runs any more */
};

/* Followed by the trees' paths, NUL-terminated. */
struct zygote_prepare {
	struct wire_head head;
	uint32_t privileged;
	uint32_t trees_n;
	uint32_t text_bytes;
	uint32_t read_only; /* 1u << tree */
};

/* A sandbox's plan: a profile as plain numbers, the same for all made of it. */
struct box {
	struct rlimits rlimits;
	uint64_t tmp_bytes, tmp_inodes;
	uint64_t workspace_bytes, workspace_inodes;
	uint8_t network; /* enum netns_kind */
	uint8_t seccomp; /* install the program */
	uint8_t landlock_abi;
	int8_t rootfs;    /* a prepared tree, or -1: the host's view */
	int8_t workspace; /* a prepared tree, or -1: an empty tmpfs */
	int8_t layers;    /* the prepared tree of layers, or -1 */
	uint8_t attach_n;
	uint8_t protect_n;
	uint8_t restricted; /* only what follows can be written to */
	uint8_t writable_n;
	uint8_t attach[MOUNTS_TREES_MAX];      /* prepared trees */
	uint16_t attach_dst[MOUNTS_TREES_MAX]; /* offsets into text */
	uint16_t protect[MOUNTS_PROTECTED_MAX];
	uint16_t writable[MOUNTS_PROTECTED_MAX];
	uint16_t hostname;
	uint16_t text_bytes;
	char text[WIRE_TEXT_MAX];
};

/* The id in the head is the slot. */
struct zygote_profile {
	struct wire_head head;
	struct box box;
	struct seccomp_program program; /* only its used part travels */
};

enum zygote_create_flags {
	CREATE_NETNS = 1,     /* a network namespace comes along */
	CREATE_CGROUP_V2 = 2, /* the group is for clone3 */
	CREATE_STAGE = 4,     /* STAGE_MOUNTS and STAGE_IPC come along */
	CREATE_OURS = 8       /* and STAGE_OURS */
};

/* Descriptors, in this order: the init's socket, the network namespace, the
 * stage's, the groups'.  Followed by the texts of /etc/passwd and /etc/group. */
struct zygote_create {
	struct wire_head head; /* id: the sandbox's */
	uint32_t profile;      /* slot */
	uint32_t cgroups_n;
	struct userns_ids ids;
	uint32_t passwd_bytes, group_bytes; /* with their NULs, or 0 */
	uint32_t layering;                  /* enum mounts_layer */
	char layer[MOUNTS_LAYER_NAME];
};

/* Every answer of the zygote. */
struct zygote_answer {
	struct wire_head head;
	int32_t pid; /* in the engine's pid namespace */
	int32_t status;
	uint64_t user_us, system_us, max_rss_bytes;
	struct fault fault; /* step "" when all is well */
};

/* --------------------------------------------------------- engine <-> init */

enum init_verb {
	INIT_EXEC = 1,
	INIT_SIGNAL,
	INIT_PUT,
	INIT_GET,
	INIT_LIST,
	INIT_STAT,
	INIT_MKDIR,
	INIT_REMOVE,
	INIT_RENAME,
	INIT_HASH,
	INIT_CHGRP,
	INIT_CHMOD,
	INIT_READY = 64, /* built, or the fault says why not */
	INIT_TTY,        /* the master comes along */
	INIT_EXITED,
	INIT_FILE
};

enum init_exec_flags {
	EXEC_HAS_FD0 = 1, /* that stream's descriptor comes along, else null */
	EXEC_HAS_FD1 = 2,
	EXEC_HAS_FD2 = 4,
	EXEC_MERGE = 8, /* stream 2 is stream 1 */
	EXEC_TTY = 16,
	EXEC_TEXTS_IN_FILE = 32, /* the first descriptor holds what follows */
	EXEC_UNPACK_HERE = 64,   /* no program: init_unpack.c */
	EXEC_ALONE = 128,        /* all else ends before it and with it */
	EXEC_HAS_CHANNEL = 256   /* the last descriptor is its number 3 */
};

/* Followed by argv, the environment and the folder, NUL-terminated. */
struct init_exec {
	struct wire_head head;
	uint32_t argv_n, env_n;
	uint32_t text_bytes;
	uint16_t rows, columns;
	struct users_identity as;
};

enum init_signal_flags {
	SIGNAL_GROUP = 0, /* the command's process group */
	SIGNAL_TREE = 1,  /* all that the command started, as far as known */
	SIGNAL_SWEEP = 2  /* the group; KILL to the tree when it has ended */
};

struct init_signal {
	struct wire_head head;
	int32_t signo;
};

enum init_exited_flags {
	EXITED_DISK_FULL = 1, /* no room is left on one of its tmpfs */
	EXITED_NO_FOLDER = 2, /* exec_errno is chdir's */
	EXITED_PIDS_FULL = 4  /* as many tasks as RLIMIT_NPROC allows */
};

struct init_exited {
	struct wire_head head; /* flags: enum init_exited_flags */
	int32_t status;        /* of wait(2) */
	int32_t exec_errno;    /* it never started */
	uint64_t user_us, system_us, max_rss_bytes;
};

/* One of the file verbs; flags: enum file_flags.  Followed by the path and
 * its NUL, for rename by a second one, for put by the bytes. */
struct init_file {
	struct wire_head head;
	uint32_t mode;
	uint32_t n; /* bytes to read, or that follow */
	uint64_t offset;
	struct hash hash;
	uint32_t gid; /* chgrp */
	struct users_identity as;
};

enum init_file_reply_flags { FILE_AT_END = 1 };

struct init_file_reply {
	struct wire_head head;
	int32_t os_errno;
	uint32_t kind; /* enum file_kind */
	uint32_t mode;
	uint32_t n; /* bytes that follow */
	uint64_t size, inode, next;
	int64_t mtime_ns, changed_ns, born_ns;
	struct hash hash;
};

/* One entry of a list reply, followed by its name (no NUL), packed. */
struct init_entry {
	uint64_t size, inode;
	int64_t mtime_ns, changed_ns, born_ns;
	uint32_t mode;
	uint8_t kind;
	uint8_t name_bytes;
	uint16_t unused;
};

/* ------------------------------------------------------------- both sides */

/*
 * Send head and tail as one message with nfd descriptors: 0, or -1 with errno
 * (EAGAIN when the socket is full).  Async-signal-safe.
 */
int wire_send(int sock, const void *head, size_t head_n, const void *tail,
    size_t tail_n, const int *fd, unsigned nfd);

/*
 * Receive one message of at most size bytes: its length; 0 at the end of the
 * connection; -1 with errno (EAGAIN; EMSGSIZE: cut, given up).  Received
 * descriptors are close-on-exec, their number in *nfd: all that were sent, or
 * none when this process may not have so many.
 */
ssize_t wire_receive(
    int sock, void *p, size_t size, int fd[WIRE_FDS_MAX], unsigned *nfd);

#endif
