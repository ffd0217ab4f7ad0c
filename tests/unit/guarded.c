#include "tests/unit/guarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void
guarded_init(struct guarded *g, size_t bytes_max)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	g->bytes = (bytes_max + page) / page * page;
	g->pages = mmap(NULL, g->bytes + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->pages == MAP_FAILED ||
	    mprotect(g->pages + g->bytes, page, PROT_NONE) == -1)
		abort();
}

void
guarded_release(struct guarded *g)
{
	munmap(g->pages, g->bytes + (size_t)sysconf(_SC_PAGESIZE));
}

struct span
guarded_copy(struct guarded *g, struct span s)
{
	char *p = g->pages + g->bytes - s.n;

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct span){p, s.n};
}

char *
guarded_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	size_t size = (size_t)32 << 20;
	char *p = malloc(size);

	if (f == NULL || p == NULL) {
		perror(path);
		exit(1);
	}
	*n = fread(p, 1, size, f);
	fclose(f);
	return p;
}
