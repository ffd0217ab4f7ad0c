#include "engine/base/alloc_guard.h"

#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/*
 * The linker sends x() of skep's objects to __wrap_x() and __real_x() to the
 * real one.  Without --wrap the weak real ones are NULL and nobody calls the
 * wrappers.
 */
#define WEAK __attribute__((weak))

void *__real_malloc(size_t n) WEAK;
void *__real_calloc(size_t k, size_t n) WEAK;
void *__real_realloc(void *p, size_t n) WEAK;
int __real_posix_memalign(void **p, size_t align, size_t n) WEAK;
char *__real_strdup(const char *s) WEAK;
char *__real_strndup(const char *s, size_t n) WEAK;
int __real_vasprintf(char **out, const char *fmt, va_list ap) WEAK;
FILE *__real_fopen(const char *path, const char *mode) WEAK;
FILE *__real_fdopen(int fd, const char *mode) WEAK;
ssize_t __real_getline(char **line, size_t *n, FILE *f) WEAK;
DIR *__real_opendir(const char *path) WEAK;
DIR *__real_fdopendir(int fd) WEAK;

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **out, const char *fmt, va_list ap);
int __wrap_asprintf(char **out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);
ssize_t __wrap_getline(char **line, size_t *n, FILE *f);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_fdopendir(int fd);

static struct {
	int armed;
	long count;
	void *first; /* the address that the first call returns to */
} guard;

static void
count(void *caller)
{
	if (!guard.armed)
		return;
	if (guard.count++ == 0)
		guard.first = caller;
}

#define CALLER __builtin_return_address(0)

void *
__wrap_malloc(size_t n)
{
	count(CALLER);
	return __real_malloc(n);
}

void *
__wrap_calloc(size_t k, size_t n)
{
	count(CALLER);
	return __real_calloc(k, n);
}

void *
__wrap_realloc(void *p, size_t n)
{
	count(CALLER);
	return __real_realloc(p, n);
}

int
__wrap_posix_memalign(void **p, size_t align, size_t n)
{
	count(CALLER);
	return __real_posix_memalign(p, align, n);
}

char *
__wrap_strdup(const char *s)
{
	count(CALLER);
	return __real_strdup(s);
}

char *
__wrap_strndup(const char *s, size_t n)
{
	count(CALLER);
	return __real_strndup(s, n);
}

int
__wrap_vasprintf(char **out, const char *fmt, va_list ap)
{
	count(CALLER);
	return __real_vasprintf(out, fmt, ap);
}

int
__wrap_asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	int n;

	count(CALLER);
	va_start(ap, fmt);
	n = __real_vasprintf(out, fmt, ap);
	va_end(ap);
	return n;
}

FILE *
__wrap_fopen(const char *path, const char *mode)
{
	count(CALLER);
	return __real_fopen(path, mode);
}

FILE *
__wrap_fdopen(int fd, const char *mode)
{
	count(CALLER);
	return __real_fdopen(fd, mode);
}

ssize_t
__wrap_getline(char **line, size_t *n, FILE *f)
{
	count(CALLER);
	return __real_getline(line, n, f);
}

DIR *
__wrap_opendir(const char *path)
{
	count(CALLER);
	return __real_opendir(path);
}

DIR *
__wrap_fdopendir(int fd)
{
	count(CALLER);
	return __real_fdopendir(fd);
}

void
alloc_guard_arm(void)
{
	guard.armed = 1;
	guard.count = 0;
	guard.first = NULL;
}

void
alloc_guard_disarm(void)
{
	guard.armed = 0;
}

long
alloc_guard_count(void)
{
	return __real_malloc == NULL ? -1 : guard.count;
}

void
alloc_guard_report(void)
{
	if (getenv("SKEP_ALLOC_GUARD") == NULL)
		return;
	fprintf(stderr, "skep: allocations after start-up: %ld",
	    alloc_guard_count());
	if (guard.first != NULL)
		fprintf(stderr, ", the first for %p (alloc_guard_arm is %p)",
		    guard.first, (void *)(size_t)alloc_guard_arm);
	fputc('\n', stderr);
}
