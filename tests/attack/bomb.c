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
#include <sys/mman.h>
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

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";

	hold_seconds = argc > 2 ? atoi(argv[2]) : 0;
	if (strcmp(kind, "forks") == 0)
		forks();
	else if (strcmp(kind, "threads") == 0)
		threads();
	else if (strcmp(kind, "memory") == 0)
		memory();
	else if (strcmp(kind, "tmp") == 0)
		fill("/tmp/full");
	else if (strcmp(kind, "shm") == 0)
		fill("/dev/shm/full");
	else if (strcmp(kind, "disk") == 0)
		fill("full");
	else if (strcmp(kind, "reserve") == 0)
		reserve();
	else if (strcmp(kind, "inodes") == 0)
		inodes();
	else if (strcmp(kind, "descriptors") == 0)
		descriptors();
	else if (strcmp(kind, "output") == 0)
		output();
	else if (strcmp(kind, "cpu") == 0)
		cpu();
	else if (strcmp(kind, "stubborn") == 0)
		stubborn();
	else
		return 2;
	return 0;
}
