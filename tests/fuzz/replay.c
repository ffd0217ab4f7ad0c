/*
 * Runs a fuzz target over the files of a corpus, without a fuzzer: each file
 * as it is, and cut short at up to 64 places.  Arguments are files and
 * folders; a folder that does not exist is an empty corpus.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUTS 64

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* A block of its own for every length, so that ASan sees the end. */
static void
feed(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = NULL;
	size_t n = 0, got, step;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	do {
		p = realloc(p, n + 65536);
		if (p == NULL)
			abort();
		got = fread(p + n, 1, 65536, f);
		n += got;
	} while (got > 0);
	fclose(f);

	feed(p, n);
	step = n / CUTS + 1;
	for (size_t cut = 0; cut < n; cut += step)
		feed(p, cut);
	free(p);
	return 0;
}

static int
replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[4096];
	int result = 0;

	if (dir == NULL)
		return errno == ENOTDIR  ? replay_file(path)
		       : errno == ENOENT ? 0
					 : -1;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (replay_file(name) == -1)
			result = -1;
	}
	closedir(dir);
	return result;
}

int
main(int argc, char **argv)
{
	int result = 0;

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) == -1)
			result = 1;
	return result;
}
