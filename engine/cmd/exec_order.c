/* The command line of `skep exec` as a profile and a few folders. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/complaint.h"
#include "engine/base/limits.h"
#include "engine/cli.h"
#include "engine/cmd/exec_private.h"

/* A wrong command line: said here, with the status for it. */
#define USAGE(...) (*status = cli_usage(cli, __VA_ARGS__), -1)

static int
out_of_memory(struct cli *cli, int *status)
{
	struct error e;

	error_set(&e, ERROR_FULL, 0, "the command line is too long");
	*status = cli_fail(cli, &e);
	return -1;
}

/* path made absolute without resolving anything; NULL when too long. */
static const char *
absolute(struct cli *cli, const char *path)
{
	char here[LIMIT_PATH];

	if (path[0] == '/')
		return path;
	if (getcwd(here, sizeof here) == NULL)
		return NULL;
	if (strcmp(path, ".") == 0)
		return arena_printf(&cli->arena, "%s", here);
	return arena_printf(&cli->arena, "%s/%s", here, path);
}

static int
read_rootfs(struct cli *cli, struct exec_order *o, int *status)
{
	const char *rootfs = cli_text(cli, "rootfs", NULL);

	if (rootfs == NULL)
		return 0;
	if (strcmp(rootfs, "host") == 0) {
		o->profile.rootfs = ROOTFS_HOST;
		o->profile.rootfs_path = NULL;
		return 0;
	}
	if (strncmp(rootfs, "dir:", 4) != 0 || rootfs[4] == '\0')
		return USAGE("--rootfs is host or dir:PATH, not '%s'", rootfs);
	o->profile.rootfs = ROOTFS_DIR;
	o->profile.rootfs_path = absolute(cli, rootfs + 4);
	return o->profile.rootfs_path == NULL ? out_of_memory(cli, status) : 0;
}

static void
read_limits(const struct cli *cli, struct profile_limits *l)
{
	l->memory_bytes = cli_count(cli, "mem", l->memory_bytes);
	l->pids = cli_count(cli, "pids", l->pids);
	l->cpus = cli_real(cli, "cpus", l->cpus);
	l->open_files = cli_count(cli, "files", l->open_files);
	l->disk_bytes = cli_count(cli, "disk", l->disk_bytes);
	l->disk_inodes = cli_count(cli, "inodes", l->disk_inodes);
	l->output_bytes = cli_count(cli, "output", l->output_bytes);
	l->command_ms = cli_count(cli, "timeout", l->command_ms);
	l->grace_ms = cli_count(cli, "grace", l->grace_ms);
}

/* 0 would be no limit at all, which no option means. */
static int
check_limits(struct cli *cli, int *status)
{
	static const char *const name[] = {
	    "mem", "pids", "files", "disk", "inodes", "output", "timeout"};

	for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
		if (cli_has(cli, name[i]) && cli_count(cli, name[i], 0) == 0)
			return USAGE("--%s must be more than 0", name[i]);
	if (cli_has(cli, "cpus") && cli_real(cli, "cpus", 0) < 0.01)
		return USAGE("--cpus must be at least 0.01");
	return 0;
}

static int
read_profile(struct cli *cli, struct exec_order *o, int *status)
{
	const char *name = cli_text(cli, "profile", "draft");
	const char *net = cli_text(cli, "net", NULL);
	const struct profile *from = profile_builtin(name);
	struct complaints c;
	struct error e;

	if (from == NULL) {
		complaints_init(&c, &cli->arena);
		from = profile_load(&cli->arena, NULL, name, &c);
	}
	if (from == NULL) {
		*status = cli_complain(cli, &c, EX_CONFIG);
		return -1;
	}
	o->profile = *from;
	if (check_limits(cli, status) == -1)
		return -1;
	read_limits(cli, &o->profile.limits);
	if (net != NULL)
		o->profile.network = strcmp(net, "loopback") == 0
					 ? NETWORK_LOOPBACK
					 : NETWORK_NONE;
	if (strcmp(from->name, "bare") != 0 &&
	    profile_check_narrower(&o->profile, from, &e) == -1)
		return USAGE(
		    "%s; take --profile privileged or bare, or a file of "
		    "your own",
		    e.text);
	return read_rootfs(cli, o, status);
}

static int
read_bind(struct cli *cli, struct exec_order *o, const char *text,
    int read_only, int *status)
{
	struct sandbox_bind *b = &o->binds[o->binds_n++];
	const char *colon = strrchr(text, ':');
	char *src;

	if (colon == NULL || colon == text || colon[1] == '\0')
		return USAGE("--%s needs SRC:DST, not '%s'",
		    read_only ? "ro-bind" : "bind", text);
	src = arena_strndup(&cli->arena, text, (size_t)(colon - text));
	b->src = src == NULL ? NULL : absolute(cli, src);
	b->dst = colon + 1;
	b->read_only = read_only;
	return b->src == NULL ? out_of_memory(cli, status) : 0;
}

static int
read_binds(struct cli *cli, struct exec_order *o, int *status)
{
	const struct cli_given *g;
	unsigned at = 0, n = 0;

	while (cli_next(cli, "bind", &at) != NULL)
		n++;
	for (at = 0; cli_next(cli, "ro-bind", &at) != NULL;)
		n++;
	o->binds = arena_alloc(&cli->arena, (n + 1) * sizeof *o->binds);
	if (o->binds == NULL)
		return out_of_memory(cli, status);
	for (at = 0; (g = cli_next(cli, "bind", &at)) != NULL;)
		if (read_bind(cli, o, g->text, 0, status) == -1)
			return -1;
	for (at = 0; (g = cli_next(cli, "ro-bind", &at)) != NULL;)
		if (read_bind(cli, o, g->text, 1, status) == -1)
			return -1;
	return 0;
}

static int
read_env(struct cli *cli, struct exec_order *o, int *status)
{
	const struct cli_given *g;
	unsigned at = 0, n = 0;

	while (cli_next(cli, "env", &at) != NULL)
		n++;
	o->env = arena_alloc(&cli->arena, (n + 1) * sizeof *o->env);
	if (o->env == NULL)
		return out_of_memory(cli, status);
	for (at = 0, n = 0; (g = cli_next(cli, "env", &at)) != NULL;) {
		const char *value;

		if (g->text[0] == '=' || g->text[0] == '\0')
			return USAGE("--env needs NAME[=VALUE]");
		if (strchr(g->text, '=') != NULL) {
			o->env[n++] = g->text;
			continue;
		}
		value = getenv(g->text);
		if (value == NULL)
			continue;
		o->env[n] = arena_printf(&cli->arena, "%s=%s", g->text, value);
		if (o->env[n++] == NULL)
			return out_of_memory(cli, status);
	}
	return 0;
}

int
exec_order_read(struct cli *cli, struct exec_order *o, int *status)
{
	const char *workspace = cli_text(cli, "workspace", NULL);

	memset(o, 0, sizeof *o);
	o->json = cli->json;
	if (cli_has(cli, "tty") && cli_has(cli, "no-tty"))
		return USAGE("--tty and --no-tty exclude each other");
	if (cli_has(cli, "tty") && o->json)
		return USAGE("--tty and --json exclude each other");
	o->tty = cli_has(cli, "tty") || (!cli_has(cli, "no-tty") && !o->json &&
					    isatty(0) && isatty(1));
	if (read_profile(cli, o, status) == -1 ||
	    read_binds(cli, o, status) == -1 || read_env(cli, o, status) == -1)
		return -1;
	o->cwd = cli_text(cli, "chdir", "/workspace");
	o->output_max = UINT64_MAX;
	if (o->json || cli_has(cli, "output"))
		o->output_max = o->profile.limits.output_bytes > 0
				    ? o->profile.limits.output_bytes
				    : UINT64_MAX;
	if (workspace != NULL) {
		o->workspace = absolute(cli, workspace);
		if (o->workspace == NULL)
			return out_of_memory(cli, status);
	}
	return 0;
}
