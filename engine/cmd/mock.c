/*
 * skep mock: a scripted model server.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/complaint.h"
#include "config/mock.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/mock/mock.h"
#include "net/address.h"
#include "net/json_write.h"
#include "net/tls.h"
#include "net/tls_cert.h"

struct mock_run {
	struct loop *loop;
	struct mock *mock;
	const struct mock_script *script;
	struct tls *tls;
	struct tls_server *tls_server;
	char folder[LIMIT_PATH]; /* private, for the authority's certificate */
	char ca_file[LIMIT_PATH + 8];
	struct loop_signal on_int, on_term;
	struct loop_io on_eof;
};

/* --- the certificate --- */

static int
write_file(const char *path, struct span s, struct error *e)
{
	int fd = os->open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd == -1)
		return error_set(
		    e, ERROR_CANNOT_CREATE, errno, "create %s", path);
	n = os->write(fd, s.p, s.n);
	os->close(fd);
	if (n != (ssize_t)s.n)
		return error_set(
		    e, ERROR_IO, n == -1 ? errno : ENOSPC, "write %s", path);
	return 0;
}

/* A folder of our own for the certificate that clients are to trust. */
static int
write_ca(struct mock_run *r, struct span pem, struct error *e)
{
	const char *parent = getenv("TMPDIR");

	if (parent == NULL || parent[0] == '\0')
		parent = "/tmp";
	if (snprintf(r->folder, sizeof r->folder, "%s/skep-mock-XXXXXX",
		parent) >= (int)sizeof r->folder ||
	    mkdtemp(r->folder) == NULL) {
		r->folder[0] = '\0';
		return error_set(e, ERROR_CANNOT_CREATE, errno,
		    "make a folder in %s", parent);
	}
	snprintf(r->ca_file, sizeof r->ca_file, "%s/ca.pem", r->folder);
	return write_file(r->ca_file, pem, e);
}

#define DAY_S (24 * 60 * 60)

/* As the script wants it: good, or bad in one way. */
static struct tls_cert_settings
certificate_of(const struct mock_script *script)
{
	struct tls_cert_settings s = {
	    .names = {"127.0.0.1", "::1", "localhost", NULL}};

	switch (script->certificate) {
	case MOCK_CERTIFICATE_EXPIRED:
		s.not_before_s = -2 * DAY_S;
		s.not_after_s = -DAY_S;
		break;
	case MOCK_CERTIFICATE_FUTURE:
		s.not_before_s = DAY_S;
		s.not_after_s = 2 * DAY_S;
		break;
	case MOCK_CERTIFICATE_OTHER_HOST:
		s.names[0] = "other.invalid";
		s.names[1] = NULL;
		break;
	case MOCK_CERTIFICATE_GOOD:
	case MOCK_CERTIFICATE_UNKNOWN:
		break;
	}
	return s;
}

/* The authority that the user is told of: another one when it is unknown. */
static int
tell_authority(struct mock_run *r, struct span signer, struct error *e)
{
	struct tls_cert_settings settings = certificate_of(r->script);
	struct tls_cert other;
	int rc = -1;

	if (r->script->certificate != MOCK_CERTIFICATE_UNKNOWN)
		return write_ca(r, signer, e);
	text_init(&other.ca, TLS_CERT_PEM_MAX);
	text_init(&other.cert, TLS_CERT_PEM_MAX);
	text_init(&other.key, TLS_CERT_PEM_MAX);
	if (tls_cert_make(&other, &settings, e) == 0)
		rc = write_ca(r, text_span(&other.ca), e);
	tls_cert_release(&other);
	return rc;
}

static int
start_tls(struct mock_run *r, struct error *e)
{
	struct tls_cert_settings names = certificate_of(r->script);
	struct tls_server_settings settings = {
	    .alpn = {"h2", "http/1.1", NULL}};
	struct tls_cert cert;
	int rc = -1;

	r->tls = tls_new(r->loop, e);
	if (r->tls == NULL)
		return -1;
	text_init(&cert.ca, TLS_CERT_PEM_MAX);
	text_init(&cert.cert, TLS_CERT_PEM_MAX);
	text_init(&cert.key, TLS_CERT_PEM_MAX);
	if (tls_cert_make(&cert, &names, e) == 0) {
		settings.cert_pem = text_span(&cert.cert);
		settings.key_pem = text_span(&cert.key);
		r->tls_server = tls_server_new(r->tls, &settings, e);
		if (r->tls_server != NULL)
			rc = tell_authority(r, text_span(&cert.ca), e);
	}
	tls_cert_release(&cert);
	return rc;
}

/* --- life --- */

static void
signalled(struct loop_signal *s, int signo)
{
	(void)signo;
	loop_break(s->loop);
}

/* Whoever started us holds the other end; what is typed means nothing. */
static void
readable(struct loop_io *io, int want)
{
	char ignored[4096];
	ssize_t n = os->read(STDIN_FILENO, ignored, sizeof ignored);

	(void)want;
	if (n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN))
		loop_break(io->loop);
}

static int
announce(struct mock_run *r, struct error *e)
{
	char where[ADDRESS_TEXT_MAX];
	struct json_writer w;
	struct text line;
	int rc;

	address_text(mock_address(r->mock), where);
	text_init(&line, 4 * KIB);
	json_write_init(&w, &line);
	json_write_object(&w);
	json_write_key(&w, "url");
	json_write_string_begin(&w);
	json_write_string_add(
	    &w, span_of(r->tls == NULL ? "http://" : "https://"));
	json_write_string_add(&w, span_of(where));
	json_write_string_add(&w, span_of("/v1"));
	json_write_string_end(&w);
	json_put_str(&w, "ca_file", r->tls == NULL ? NULL : r->ca_file);
	json_put_int(&w, "pid", getpid());
	json_write_end(&w);
	text_add_char(&line, '\n');
	rc = cli_write(text_span(&line), e);
	text_release(&line);
	return rc;
}

static int
start(struct mock_run *r, struct cli *cli, struct error *e)
{
	struct mock_settings settings = {.script = r->script};
	struct address at;

	if (address_parse(&at, span_of(cli_text(cli, "listen", "127.0.0.1:0")),
		e) == -1) {
		(void)error_wrap(e, "--listen");
		e->code = ERROR_USAGE;
		return -1;
	}
	r->loop = loop_new(e);
	if (r->loop == NULL)
		return -1;
	loop_signal_start(&r->on_int, r->loop, SIGINT, signalled);
	loop_signal_start(&r->on_term, r->loop, SIGTERM, signalled);
	if (cli_has(cli, "tls") && start_tls(r, e) == -1)
		return -1;
	settings.at = &at;
	settings.tls = r->tls;
	settings.tls_server = r->tls_server;
	r->mock = mock_new(r->loop, &settings, e);
	if (r->mock == NULL)
		return -1;
	if (cli_has(cli, "until-eof")) {
		loop_io_init(&r->on_eof, r->loop, STDIN_FILENO, readable);
		loop_io_want(&r->on_eof, LOOP_READ);
	}
	return announce(r, e);
}

static void
stop(struct mock_run *r)
{
	mock_free(r->mock);
	tls_server_free(r->tls_server);
	tls_free(r->tls);
	mock_script_release(r->script);
	if (r->loop != NULL) {
		loop_io_want(&r->on_eof, LOOP_NOTHING);
		loop_signal_stop(&r->on_int);
		loop_signal_stop(&r->on_term);
	}
	loop_free(r->loop);
	if (r->ca_file[0] != '\0')
		(void)unlink(r->ca_file);
	if (r->folder[0] != '\0')
		(void)rmdir(r->folder);
}

static int
run(struct cli *cli)
{
	struct mock_run r = {.loop = NULL};
	struct complaints complaints;
	struct error e;
	int status = 0;

	complaints_init(&complaints, &cli->arena);
	r.script = mock_script_load(&cli->arena, cli->operand[0], &complaints);
	if (r.script == NULL)
		return cli_complain(cli, &complaints,
		    complaints.first->code == ERROR_NO_INPUT ? EX_NOINPUT
							     : EX_CONFIG);
	if (start(&r, cli, &e) == -1)
		status = cli_fail(cli, &e);
	else
		loop_run(r.loop);
	stop(&r);
	return status;
}

const struct command cmd_mock = {
    .name = "mock",
    .summary = "a scripted model server",
    .arguments = "SCRIPT",
    .text =
	"Answers Responses, Chat Completions and Messages requests after the "
	"rules of SCRIPT.  When it is ready it prints one line of JSON with its "
	"url, the ca_file that clients must trust (with --tls) and its pid.  It "
	"ends on INT and TERM.",
    .options = options_mock,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
