/*
 * Use up one thing until it is refused, say how far it went, and hold it:
 *
 *	bomb KIND [HOLD_SECONDS]
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEBI (1 << 20)

static int hold_seconds;

static void
hold(const char *what, long n)
{
	printf("%s %ld %s\n", what, n, strerror(errno));
	fflush(stdout);
	sleep((unsigned)hold_seconds);
}

static void
forks(void)
{
	long n = 0;

	while (n < 100000) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid == -1)
			break;
		n++;
	}
	hold("processes", n);
	kill(0, SIGKILL);
}

static void *
sit(void *arg)
{
	pause();
	return arg;
}

static void
threads(void)
{
	pthread_attr_t attr;
	pthread_t t;
	long n = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	while (n < 100000) {
		errno = pthread_create(&t, &attr, sit, NULL);
		if (errno != 0)
			break;
		n++;
	}
	hold("threads", n);
	_exit(0);
}

static void
memory(void)
{
	for (long n = 0;; n++) {
		char *p = mmap(NULL, MEBI, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			hold("mebibytes", n);
			return;
		}
		memset(p, 1, MEBI);
	}
}

static void
fill(const char *path)
{
	static char block[MEBI];
	int fd = open(path, O_CREAT | O_WRONLY, 0644);
	long n = 0;

	memset(block, 'x', sizeof block);
	while (fd != -1 && n < 65536 && write(fd, block, MEBI) == MEBI)
		n++;
	hold("mebibytes", n);
}

static void
reserve(void)
{
	int fd = open("reserved", O_CREAT | O_WRONLY, 0644);
	long n = 0;

	while (fd != -1 && n < 65536 &&
	       fallocate(fd, 0, n * (off_t)MEBI, MEBI) == 0)
		n++;
	hold("mebibytes", n);
}

static void
inodes(void)
{
	char name[32];
	long n;

	for (n = 0; n < 10000000; n++) {
		int fd;

		snprintf(name, sizeof name, "f%ld", n);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		if (fd == -1)
			break;
		close(fd);
	}
	hold("files", n);
}

static void
descriptors(void)
{
	long n = 0;

	while (n < 10000000 && dup(0) != -1)
		n++;
	hold("descriptors", n);
}

static void
output(void)
{
	static char block[65536];

	memset(block, 'y', sizeof block);
	while (write(1, block, sizeof block) > 0)
		;
}

static void
cpu(void)
{
	for (int i = 0; i < 8; i++)
		if (fork() == 0)
			for (;;)
				;
	for (;;)
		;
}

/* ------------------------------------------ what the kernel keeps for others */

#define COUNT_MAX 200000
#define KEPT_MEBI_MAX 1024 /* in case that nothing stops it */

static void
watches(void)
{
	char name[32];
	long n = 0;
	int fd = inotify_init();

	while (n < COUNT_MAX) {
		snprintf(name, sizeof name, "w%ld", n);
		if (mkdir(name, 0755) == -1 ||
		    (inotify_add_watch(fd, name, IN_ALL_EVENTS) == -1 &&
			(fd = inotify_init()) == -1))
			break;
		n++;
	}
	hold("watches", n);
}

static void
watchers(void)
{
	long n = 0;

	while (n < COUNT_MAX && inotify_init() != -1)
		n++;
	hold("watchers", n);
}

static void
terminals(void)
{
	long n = 0;

	while (n < COUNT_MAX && open("/dev/ptmx", O_RDWR | O_NOCTTY) != -1)
		n++;
	hold("terminals", n);
}

static void
pipes(void)
{
	static char block[65536];
	long n = 0;
	int p[2];

	while (n < KEPT_MEBI_MAX * 16 && pipe2(p, O_NONBLOCK) == 0) {
		fcntl(p[1], F_SETPIPE_SZ, MEBI);
		while (write(p[1], block, sizeof block) > 0)
			n++;
	}
	hold("mebibytes", n / 16);
}

static void
sockets(void)
{
	static char block[65536];
	long n = 0;
	int p[2];

	while (n < KEPT_MEBI_MAX * 16 &&
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0)
		while (write(p[0], block, sizeof block) > 0)
			n++;
	hold("mebibytes", n / 16);
}

static void
segments(void)
{
	long n = 0;

	while (n < KEPT_MEBI_MAX / 16) {
		int id = shmget(IPC_PRIVATE, 16 * MEBI, IPC_CREAT | 0600);
		char *p = id == -1 ? (char *)-1 : shmat(id, NULL, 0);

		if (p == (char *)-1)
			break;
		memset(p, 1, 16 * MEBI);
		n++;
	}
	hold("mebibytes", n * 16);
}

static void
memory_files(void)
{
	static char block[MEBI];
	long n = 0;

	memset(block, 'x', sizeof block);
	while (n < KEPT_MEBI_MAX) {
		int fd = memfd_create("bomb", 0);

		if (fd == -1)
			break;
		for (int i = 0; i < 16 && write(fd, block, MEBI) == MEBI; i++)
			n++;
	}
	hold("mebibytes", n);
}

/* Nothing of it obeys or stays where it was started. */
static void
stubborn(void)
{
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_IGN);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			setsid();
			if (fork() > 0)
				_exit(0);
			for (;;)
				pause();
		}
	for (;;)
		pause();
}

static void
fill_tmp(void)
{
	fill("/tmp/full");
}

static void
fill_shm(void)
{
	fill("/dev/shm/full");
}

static void
fill_here(void)
{
	fill("full");
}

static const struct {
	const char *name;
	void (*explode)(void);
} bombs[] = {
    {"forks", forks},
    {"threads", threads},
    {"memory", memory},
    {"tmp", fill_tmp},
    {"shm", fill_shm},
    {"disk", fill_here},
    {"reserve", reserve},
    {"inodes", inodes},
    {"descriptors", descriptors},
    {"output", output},
    {"cpu", cpu},
    {"watches", watches},
    {"watchers", watchers},
    {"terminals", terminals},
    {"pipes", pipes},
    {"sockets", sockets},
    {"segments", segments},
    {"memory_files", memory_files},
    {"stubborn", stubborn},
};

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";

	hold_seconds = argc > 2 ? atoi(argv[2]) : 0;
	for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++)
		if (strcmp(kind, bombs[i].name) == 0) {
			bombs[i].explode();
			return 0;
		}
	return 2;
}
