/*
 * Files of a watched folder's file system that have no name any more but are
 * open, or mapped, in a sandbox: a walk over the folder does not meet them.
 *
 * The processes are those below our zygote.  A file counts once, whoever holds
 * it; descriptors and maps are looked at and never opened.  Only as root may a
 * map be asked for its file; otherwise its length stands for the file's.  What
 * travels in a socket at the moment is not seen.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine/cmd/exec_private.h"

#define PROCESSES_MAX 8192
#define FILES_MAX 4096

struct open_files {
	dev_t dev;
	uint64_t bytes;
	unsigned n;
	ino_t seen[FILES_MAX];
};

static int
is_new(struct open_files *o, ino_t ino)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->seen[i] == ino)
			return 0;
	if (o->n < FILES_MAX)
		o->seen[o->n++] = ino;
	return 1;
}

/* What the links in dir/name lead to: descriptors, or as root maps. */
static int
count_links(struct open_files *o, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;
	int any = 0;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return 0;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    fstatat(fd, entry->d_name, &st, 0) == -1)
			continue;
		any = 1;
		if (S_ISREG(st.st_mode) && st.st_nlink == 0 &&
		    st.st_dev == o->dev && is_new(o, st.st_ino))
			o->bytes += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return any;
}

static void
count_maps(struct open_files *o, int dir)
{
	unsigned long from, to, ino;
	unsigned major, minor;
	char line[8192];
	FILE *f;
	int fd;

	if (count_links(o, dir, "map_files"))
		return;
	fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	f = fd == -1 ? NULL : fdopen(fd, "r");
	if (f == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while (fgets(line, sizeof line, f) != NULL) {
		if (strstr(line, " (deleted)\n") != NULL &&
		    sscanf(line, "%lx-%lx %*s %*x %x:%x %lu", &from, &to,
			&major, &minor, &ino) == 5 &&
		    makedev(major, minor) == o->dev && is_new(o, (ino_t)ino))
			o->bytes += to - from;
	}
	fclose(f);
}

/* Append the children of a process, by the kernel's own list. */
static unsigned
add_children(int dir, pid_t *at, unsigned n)
{
	int fd = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *tasks = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char path[300];
	int pid;

	if (tasks == NULL) {
		if (fd != -1)
			close(fd);
		return n;
	}
	while ((entry = readdir(tasks)) != NULL) {
		FILE *f = NULL;
		int list;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/children", entry->d_name);
		list = openat(fd, path, O_RDONLY | O_CLOEXEC);
		if (list != -1)
			f = fdopen(list, "r");
		while (f != NULL && n < PROCESSES_MAX &&
		       fscanf(f, "%d", &pid) == 1)
			at[n++] = (pid_t)pid;
		if (f != NULL)
			fclose(f);
	}
	closedir(tasks);
	return n;
}

uint64_t
exec_watch_open(pid_t zygote, dev_t dev)
{
	static struct open_files o;
	static pid_t at[PROCESSES_MAX];
	unsigned n = 1;
	char path[32];

	o = (struct open_files){.dev = dev};
	at[0] = zygote;
	for (unsigned i = 0; i < n; i++) {
		int dir;

		snprintf(path, sizeof path, "/proc/%d", (int)at[i]);
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir == -1)
			continue;
		n = add_children(dir, at, n);
		count_links(&o, dir, "fd");
		count_maps(&o, dir);
		close(dir);
	}
	return o.bytes;
}
