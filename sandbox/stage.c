#include "sandbox/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "sandbox/fault.h"
#include "sandbox/mounts.h"
#include "sandbox/wire.h"

#define FOLDERS_MAX 16

/* What of a folder changes when anything is done to it or in it. */
struct folder {
	uint64_t inode, bytes;
	struct statx_timestamp modified, changed;
	uint32_t mode, uid, gid, links, device;
};

/* How a stage looks: its file systems, and the folders made in them. */
struct look {
	unsigned n;
	struct folder folder[FOLDERS_MAX];
	struct {
		uint64_t blocks, inodes; /* that are free */
	} room[3];
};

static const char *const writable[] = {"/workspace", "/tmp", "/dev/shm"};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* In the maker: what its stages looked like; a page is used when touched. */
static struct look *looks;

/* ------------------------------------------------------------------- build */

static void
fill_paths(const struct box *b, const uint16_t *at, unsigned n,
    const char *out[MOUNTS_PROTECTED_MAX])
{
	for (unsigned i = 0; i < n; i++)
		out[i] = b->text + at[i];
}

int
stage_build(const struct stage_plan *plan, int *ours, struct fault *f)
{
	const struct box *b = plan->box;
	struct mounts_attach attach[MOUNTS_TREES_MAX];
	const char *protect[MOUNTS_PROTECTED_MAX];
	const char *allowed[MOUNTS_PROTECTED_MAX];
	struct mounts_sandbox s = {
	    .zygote = plan->mounts,
	    .ids = plan->ids,
	    .tmp_bytes = b->tmp_bytes,
	    .tmp_inodes = b->tmp_inodes,
	    .workspace_bytes = b->workspace_bytes,
	    .workspace_inodes = b->workspace_inodes,
	    .rootfs = b->rootfs,
	    .workspace = b->workspace,
	    .layers = b->layers,
	    .layering = plan->layering,
	    .layer = plan->layer,
	    .nattach = b->attach_n,
	    .attach = attach,
	    .nprotect = b->protect_n,
	    .protect = protect,
	    .restricted = b->restricted,
	    .nwritable = b->writable_n,
	    .writable = allowed,
	    .ours = ours,
	};

	if (plan->passwd != NULL)
		s.passwd = *plan->passwd;
	if (plan->group != NULL)
		s.group = *plan->group;
	for (unsigned i = 0; i < b->attach_n; i++)
		attach[i] = (struct mounts_attach){
		    .tree = b->attach[i], .dst = b->text + b->attach_dst[i]};
	fill_paths(b, b->protect, b->protect_n, protect);
	fill_paths(b, b->writable, b->writable_n, allowed);
	return mounts_sandbox(&s, f);
}

/* -------------------------------------------------------------------- look */

static int
look_at(struct look *l, const char *path)
{
	struct folder *d = &l->folder[l->n];
	struct statx st;

	if (l->n == FOLDERS_MAX)
		return -1;
	/* Attributes and access lists are none of what statx tells. */
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
		&st) == -1 ||
	    llistxattr(path, NULL, 0) > 0)
		return -1;
	memset(d, 0, sizeof *d); /* they are compared whole */
	d->inode = st.stx_ino;
	d->bytes = st.stx_size;
	d->modified.tv_sec = st.stx_mtime.tv_sec;
	d->modified.tv_nsec = st.stx_mtime.tv_nsec;
	d->changed.tv_sec = st.stx_ctime.tv_sec;
	d->changed.tv_nsec = st.stx_ctime.tv_nsec;
	d->mode = st.stx_mode;
	d->uid = st.stx_uid;
	d->gid = st.stx_gid;
	d->links = st.stx_nlink;
	d->device = st.stx_dev_minor;
	l->n++;
	return 0;
}

/* A path of the workspace and what is above it: the stage made all of them. */
static int
look_down(struct look *l, const char *path)
{
	char at[LIMIT_PATH] = "/workspace/";
	const size_t n = strlen(at);

	if (n + strlen(path) >= sizeof at)
		return -1;
	memcpy(at + n, path, strlen(path) + 1);
	for (char *end = at + n; *end != '\0';) {
		char was;

		end = strchrnul(end, '/');
		was = *end;
		*end = '\0';
		if (look_at(l, at) == -1)
			return -1;
		*end = was;
		if (was != '\0')
			end++;
	}
	return 0;
}

/* As it is now, as the one who is in it sees it. */
static int
look_around(const struct box *b, struct look *l)
{
	memset(l, 0, sizeof *l);
	for (unsigned i = 0; i < COUNT(writable); i++) {
		struct statfs fs;

		if (statfs(writable[i], &fs) == -1 ||
		    look_at(l, writable[i]) == -1)
			return -1;
		l->room[i].blocks = fs.f_bfree;
		l->room[i].inodes = fs.f_ffree;
	}
	for (unsigned i = 0; i < b->protect_n; i++)
		if (look_down(l, b->text + b->protect[i]) == -1)
			return -1;
	for (unsigned i = 0; i < b->writable_n; i++)
		if (look_down(l, b->text + b->writable[i]) == -1)
			return -1;
	return 0;
}

/* It has only the entries that every folder has, and so many more. */
static int
has_entries(int fd, unsigned more)
{
	_Alignas(8) char bytes[512];
	unsigned n = 0;
	long got;

	while ((got = syscall(SYS_getdents64, fd, bytes, sizeof bytes)) > 0)
		for (long at = 0; at < got; n++) {
			uint16_t size;

			memcpy(&size, bytes + at + 16, sizeof size);
			at += size;
		}
	return got == 0 && n == 2 + more;
}

static int
has_no_terminal(void)
{
	int fd = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd == -1)
		return 0;
	rc = has_entries(fd, 1); /* ptmx */
	close(fd);
	return rc;
}

static int
has_no_ipc(int queues)
{
	struct shm_info shm;
	struct seminfo sem;
	struct msginfo msg;
	union {
		int value;
		struct seminfo *info;
	} in = {.info = &sem};

	return shmctl(0, SHM_INFO, (void *)&shm) != -1 && shm.used_ids == 0 &&
	       semctl(0, 0, SEM_INFO, in) != -1 && sem.semusz == 0 &&
	       msgctl(0, MSG_INFO, (void *)&msg) != -1 && msg.msgpool == 0 &&
	       lseek(queues, 0, SEEK_SET) == 0 && has_entries(queues, 0);
}

/* ------------------------------------------------------------------- maker */

/* The message queues of the IPC namespace we are in, as a folder; or -1. */
static int
open_queues(void)
{
	int fs = (int)syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC);
	int tree = -1, fd = -1;

	if (fs == -1)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != -1)
		tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
		    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(fs);
	if (tree == -1)
		return -1;
	fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(tree);
	return fd;
}

int
stage_make(const struct stage_plan *plan, unsigned number, int self,
    int fd[STAGE_FDS], struct fault *f)
{
	for (unsigned i = 0; i < STAGE_FDS; i++)
		fd[i] = -1;
	if (number >= STAGES_MAX)
		return fault_set(f, EINVAL, "number of a stage", NULL);
	if (looks == NULL) {
		void *p = mmap(NULL, STAGES_MAX * sizeof *looks,
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			return fault_at(f, "memory for stages", NULL);
		looks = p;
	}
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) == -1)
		return fault_at(f, "unshare for a stage", NULL);
	fd[STAGE_QUEUES] = open_queues();
	if (fd[STAGE_QUEUES] == -1) {
		fault_at(f, "open the message queues", NULL);
		goto fail;
	}
	if (stage_build(plan, &fd[STAGE_OURS], f) == -1)
		goto fail;
	if (look_around(plan->box, &looks[number]) == -1) {
		fault_at(f, "look at a stage", NULL);
		goto fail;
	}
	fd[STAGE_MOUNTS] = openat(self, "ns/mnt", O_RDONLY | O_CLOEXEC);
	fd[STAGE_IPC] = openat(self, "ns/ipc", O_RDONLY | O_CLOEXEC);
	if (fd[STAGE_MOUNTS] != -1 && fd[STAGE_IPC] != -1)
		return 0;
	fault_at(f, "open a stage", NULL);
fail:
	for (unsigned i = 0; i < STAGE_FDS; i++)
		if (fd[i] != -1)
			close(fd[i]);
	return -1;
}

int
stage_is_clean(const struct box *b, unsigned number, const int fd[STAGE_FDS])
{
	struct fault f;
	struct look now;

	return looks != NULL && number < STAGES_MAX &&
	       stage_enter(fd, &f) == 0 && mounts_unproc(&f) == 0 &&
	       look_around(b, &now) == 0 &&
	       memcmp(&now, &looks[number], sizeof now) == 0 &&
	       has_no_terminal() && has_no_ipc(fd[STAGE_QUEUES]);
}

int
stage_enter(const int fd[2], struct fault *f)
{
	if (setns(fd[STAGE_MOUNTS], CLONE_NEWNS) == -1)
		return fault_at(f, "join the mount namespace", NULL);
	if (setns(fd[STAGE_IPC], CLONE_NEWIPC) == -1)
		return fault_at(f, "join the IPC namespace", NULL);
	return 0;
}
