#include "net/hosts.h"

#include <fcntl.h>
#include <strings.h>

#include "engine/base/os.h"
#include "net/dns.h"

void
hosts_init(struct hosts *h, const char *path)
{
	memset(h, 0, sizeof *h);
	h->path = path;
	text_init(&h->text, HOSTS_BYTES_MAX);
}

void
hosts_release(struct hosts *h)
{
	text_release(&h->text);
}

static void
load(struct hosts *h)
{
	size_t room;
	ssize_t n;
	char *p;
	int fd;

	text_release(&h->text);
	fd = os->open(h->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd == -1)
		return;
	while ((p = text_room(&h->text, 1024, &room)) != NULL) {
		n = os->read(fd, p, room);
		if (n <= 0)
			break;
		text_added(&h->text, (size_t)n);
	}
	os->close(fd);
	if (text_overflowed(&h->text))
		text_release(&h->text);
}

static struct span
next_word(struct span *line)
{
	size_t from = 0, to;

	while (
	    from < line->n && (line->p[from] == ' ' || line->p[from] == '\t'))
		from++;
	to = from;
	while (to < line->n && line->p[to] != ' ' && line->p[to] != '\t' &&
	       line->p[to] != '\r')
		to++;
	struct span word = span_slice(*line, from, to);
	*line = span_slice(*line, to, line->n);
	return word;
}

static int
same_name(struct span a, struct span b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

unsigned
hosts_find_in(struct span text, struct span name, struct dns_answer *answer)
{
	unsigned found = 0;

	while (text.p != NULL && answer->n < DNS_ADDRESSES_MAX) {
		struct span line = span_cut(&text, '\n');
		struct span ip, word;

		line = span_slice(line, 0, span_find(line, '#', 0));
		ip = next_word(&line);
		while ((word = next_word(&line)).n > 0)
			if (same_name(word, name))
				break;
		if (word.n == 0)
			continue;
		if (address_numeric(&answer->address[answer->n], ip, 0) == 0) {
			answer->n++;
			found++;
		}
	}
	return found;
}

unsigned
hosts_find(struct hosts *h, struct span name, struct dns_answer *answer)
{
	struct stat st;

	if (stat(h->path, &st) == -1 || !S_ISREG(st.st_mode))
		return 0;
	if (st.st_size != h->size || st.st_mtim.tv_sec != h->mtime.tv_sec ||
	    st.st_mtim.tv_nsec != h->mtime.tv_nsec) {
		load(h);
		h->size = st.st_size;
		h->mtime = st.st_mtim;
	}
	return hosts_find_in(text_span(&h->text), name, answer);
}
