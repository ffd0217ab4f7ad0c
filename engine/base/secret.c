#include "engine/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/os.h"

void
wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

/* Own pages, so that what is asked of the kernel touches nothing else. */
static int
take_pages(struct secret *s, size_t n, struct error *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	s->mapped = (n + page - 1) / page * page;
	p = mmap(NULL, s->mapped, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return error_set(e, ERROR_FULL, errno, "memory for a secret");
	s->bytes = p;
	(void)madvise(p, s->mapped, MADV_DONTDUMP);
	(void)madvise(p, s->mapped, MADV_WIPEONFORK);
	(void)mlock(p, s->mapped); /* a small RLIMIT_MEMLOCK forbids it */
	return 0;
}

int
secret_from_span(
    struct secret *s, struct span value, const char *what, struct error *e)
{
	*s = (struct secret){.n = 0};
	if (value.n == 0)
		return error_set(e, ERROR_CONFIG, 0,
		    "%s holds no secret: it is empty", what);
	if (value.n > SECRET_BYTES_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "%s is longer than a secret may be (%d bytes)", what,
		    SECRET_BYTES_MAX);
	if (take_pages(s, value.n, e) == -1)
		return -1;
	memcpy(s->bytes, value.p, value.n);
	s->n = value.n;
	return 0;
}

int
secret_from_env(struct secret *s, const char *name, struct error *e)
{
	const char *value = getenv(name);

	*s = (struct secret){.n = 0};
	if (value == NULL)
		return error_set(e, ERROR_CONFIG, 0,
		    "environment variable %s is not set; export it first",
		    name);
	return secret_from_span(s, span_of(value), name, e);
}

/* Fill p[n] from fd; bytes read, or -1 with errno. */
static ssize_t
read_all(int fd, char *p, size_t n)
{
	size_t have = 0;
	ssize_t got;

	while (have < n) {
		got = os->read(fd, p + have, n - have);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static int
read_secret(struct secret *s, int fd, const char *path, struct error *e)
{
	struct secret raw;
	ssize_t n;
	int rc = -1;

	if (take_pages(&raw, SECRET_BYTES_MAX + 2, e) == -1)
		return -1;
	n = read_all(fd, raw.bytes, SECRET_BYTES_MAX + 2);
	if (n == -1)
		error_set(e, ERROR_CONFIG, errno, "read secret %s", path);
	else {
		if (n > 0 && raw.bytes[n - 1] == '\n')
			n--;
		rc = secret_from_span(
		    s, (struct span){raw.bytes, (size_t)n}, path, e);
	}
	secret_release(&raw);
	return rc;
}

int
secret_from_file(struct secret *s, const char *path, struct error *e)
{
	int fd = os->open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0), rc;

	*s = (struct secret){.n = 0};
	if (fd == -1)
		return error_set(
		    e, ERROR_CONFIG, errno, "open secret %s", path);
	rc = read_secret(s, fd, path, e);
	os->close(fd);
	return rc;
}

void
secret_release(struct secret *s)
{
	if (s->bytes == NULL)
		return;
	wipe(s->bytes, s->mapped);
	munmap(s->bytes, s->mapped);
	*s = (struct secret){.n = 0};
}

struct span
secret_reveal(const struct secret *s)
{
	return (struct span){s->bytes, s->n};
}
