#include "engine/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/os.h"
#include "engine/state_dir.h"

#define SOCKET_NAME "control"
#define CANCEL "cancel "
#define ANSWER_WITHIN_MS 10000

/* By descriptor: a path may be longer than an address has room for. */
static void
address_of(const struct state_dir *dir, struct sockaddr_un *sa)
{
	memset(sa, 0, sizeof *sa);
	sa->sun_family = AF_UNIX;
	snprintf(sa->sun_path, sizeof sa->sun_path,
	    "/proc/self/fd/%d/" SOCKET_NAME, dir->fd);
}

static void
drop_peer(struct control_peer *p)
{
	if (p->fd == -1)
		return;
	loop_io_want(&p->io, LOOP_NOTHING);
	os->close(p->fd);
	p->fd = -1;
}

static const char *
answer_to(struct control *c, const char *request)
{
	size_t n = sizeof CANCEL - 1;

	if (strncmp(request, CANCEL, n) == 0 &&
	    c->cancel(request + n, c->owner))
		return "ok";
	return "unknown";
}

static void
asked(struct loop_io *io, int want)
{
	struct control_peer *p = container_of(io, struct control_peer, io);
	char request[CONTROL_MESSAGE_MAX];
	const char *answer;
	ssize_t n = os->read(p->fd, request, sizeof request - 1);

	(void)want;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_peer(p);
		return;
	}
	request[n] = '\0';
	answer = answer_to(p->control, request);
	if (os->write(p->fd, answer, strlen(answer)) == -1)
		drop_peer(p);
}

static void
knocked(struct loop_io *io, int want)
{
	struct control *c = container_of(io, struct control, io);
	int fd = os->accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)want;
	if (fd == -1)
		return;
	for (int i = 0; i < CONTROL_PEERS_MAX; i++) {
		struct control_peer *p = &c->peer[i];

		if (p->fd != -1)
			continue;
		p->fd = fd;
		loop_io_init(&p->io, c->loop, fd, asked);
		loop_io_want(&p->io, LOOP_READ);
		return;
	}
	os->close(fd); /* too many at once */
}

int
control_start(struct control *c, struct loop *l, const struct state_dir *dir,
    int (*cancel)(const char *id, void *owner), void *owner, struct error *e)
{
	struct sockaddr_un sa;

	*c = (struct control){
	    .dir_fd = dir->fd,
	    .loop = l,
	    .cancel = cancel,
	    .owner = owner,
	};
	for (int i = 0; i < CONTROL_PEERS_MAX; i++)
		c->peer[i] = (struct control_peer){.control = c, .fd = -1};
	c->fd = os->socket(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return error_set(e, ERROR_SYSTEM, errno, "control socket");
	unlinkat(dir->fd, SOCKET_NAME, 0);
	address_of(dir, &sa);
	if (bind(c->fd, (struct sockaddr *)&sa, sizeof sa) == -1 ||
	    fchmodat(dir->fd, SOCKET_NAME, 0600, 0) == -1 ||
	    listen(c->fd, CONTROL_PEERS_MAX) == -1) {
		error_set(e, errno == ENOSPC ? ERROR_IO : ERROR_CANNOT_CREATE,
		    errno, "control socket in %s", dir->path);
		os->close(c->fd);
		c->fd = -1;
		return -1;
	}
	loop_io_init(&c->io, l, c->fd, knocked);
	loop_io_want(&c->io, LOOP_READ);
	return 0;
}

void
control_stop(struct control *c)
{
	if (c->fd == -1)
		return;
	for (int i = 0; i < CONTROL_PEERS_MAX; i++)
		drop_peer(&c->peer[i]);
	loop_io_want(&c->io, LOOP_NOTHING);
	os->close(c->fd);
	unlinkat(c->dir_fd, SOCKET_NAME, 0);
	c->fd = -1;
}

static int
ask(int fd, const char *request, char *answer, size_t size, struct error *e)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (os->write(fd, request, strlen(request)) == -1)
		return error_set(e, ERROR_CLOSED, errno, "ask the engine");
	if (poll(&p, 1, ANSWER_WITHIN_MS) != 1)
		return error_set(e, ERROR_TIMEOUT, 0,
		    "the engine did not answer within %d seconds",
		    ANSWER_WITHIN_MS / 1000);
	n = os->read(fd, answer, size - 1);
	if (n <= 0)
		return error_set(e, ERROR_CLOSED, n == -1 ? errno : 0,
		    "the engine closed without an answer");
	answer[n] = '\0';
	return 0;
}

int
control_cancel(const struct state_dir *dir, const char *id, struct error *e)
{
	char request[CONTROL_MESSAGE_MAX], answer[CONTROL_MESSAGE_MAX];
	struct sockaddr_un sa;
	int fd = os->socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int status;

	if (fd == -1)
		return error_set(e, ERROR_SYSTEM, errno, "control socket");
	address_of(dir, &sa);
	if (os->connect(fd, (struct sockaddr *)&sa, sizeof sa) == -1) {
		error_set(e, ERROR_CLOSED, errno,
		    "nobody listens at the control socket of %s", dir->path);
		os->close(fd);
		return -1;
	}
	snprintf(request, sizeof request, CANCEL "%s", id);
	status = ask(fd, request, answer, sizeof answer, e);
	os->close(fd);
	return status == -1 ? -1 : strcmp(answer, "ok") == 0;
}
