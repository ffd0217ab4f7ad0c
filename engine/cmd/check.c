/*
 * skep check: is a file what it should be?
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>

#include "config/complaint.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "net/json.h"

static int
read_file(const char *path, struct text *out, struct error *e)
{
	int fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = -1;

	if (fd == -1)
		return error_set(e, ERROR_NO_INPUT, errno, "open %s", path);
	do {
		size_t room;
		char *p = text_room(out, 64 * KIB, &room);

		if (p == NULL)
			break;
		n = os->read(fd, p, room);
		if (n > 0)
			text_added(out, (size_t)n);
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (text_overflowed(out))
		error_set(e, ERROR_TOO_BIG, 0, "%s is too big", path);
	else if (n == -1)
		error_set(e, ERROR_NO_INPUT, errno, "read %s", path);
	os->close(fd);
	return n == 0 ? 0 : -1;
}

/* RFC 8259 to the letter. */
static int
check_json(struct complaints *c, const char *path)
{
	struct json_guard guard;
	struct text text;
	struct error e;
	struct json_place at;
	int status = 0;

	text_init(&text, GIB);
	json_guard_init(&guard, GIB, JSON_UNICODE);
	if (read_file(path, &text, &e) == -1)
		status = complain(c, e.code, NULL, 0, 0, "%s", e.text);
	else if (json_guard_feed(&guard, text_span(&text), &e) == -1 ||
		 json_guard_end(&guard, &e) == -1) {
		json_place_of(text_span(&text), guard.bytes, &at);
		status =
		    complain(c, e.code, path, at.line, at.column, "%s", e.text);
	}
	text_release(&text);
	return status;
}

static int
run(struct cli *cli)
{
	int status = 0;

	for (int i = 0; i < cli->operands; i++) {
		struct complaints c;

		complaints_init(&c, &cli->arena);
		if (check_json(&c, cli->operand[i]) == 0)
			continue;
		if (c.first->code == ERROR_NO_INPUT)
			status = EX_NOINPUT;
		else if (status == 0)
			status = EX_DATAERR;
		cli_complain(cli, &c, status);
	}
	return status;
}

const struct command cmd_check = {
    .name = "check",
    .summary = "say whether files are valid",
    .arguments = "FILE...",
    .options = options_check,
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};
