/*
 * skep doctor: what this host offers to sandboxes, what a profile would lose
 * here, and the command that mends it.
 *
 * What can be asked is asked; whether it adds up is tried: a sandbox of the
 * profile with the fewest wishes is built and thrown away.
 */

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/complaint.h"
#include "config/manifest.h"
#include "config/profile.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "net/json_write.h"
#include "sandbox/cgroup.h"
#include "sandbox/features.h"
#include "sandbox/sandbox.h"

#define REPORT_BYTES (256 * 1024)
#define LANDLOCK_SCOPED 6

struct host {
	struct features has;
	enum cgroup_kind groups;
	unsigned controllers; /* 1 << enum cgroup_controller */
	char groups_why[160];
	int built; /* a sandbox could be made */
	char built_why[512];
	int layered; /* and one on top of a layer */
	char layered_why[512];
	uint64_t files, processes;
	long pipe_pages, inotify_instances, pid_max;
	struct loop *loop;
};

/* ------------------------------------------------------------------- asking */

static long
sysctl_number(const char *name)
{
	char path[128];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/sys/%s", name);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	if (fscanf(f, "%ld", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	struct host *h = owner;

	(void)sb;
	h->built = error == NULL;
	if (error != NULL)
		snprintf(h->built_why, sizeof h->built_why, "%s", error->text);
	loop_break(h->loop);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	created(sb, error, owner);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void
remove_layers(const char *folder)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Build one on top of a layer and throw it away, in a fresh folder. */
static void
try_a_layer(struct host *h, struct sandbox_host *host)
{
	static const struct manifest_entry entry = {
	    .type = ENTRY_DIR, .path = "made", .mode = 0755};
	static const struct manifest manifest = {.file = "doctor",
	    .root = MANIFEST_ROOT,
	    .entries = &entry,
	    .entries_n = 1};
	static const struct sandbox_ops ops = {
	    .created = created, .lost = lost};
	struct sandbox_spec spec = {.profile = profile_builtin("bare"),
	    .manifest = &manifest,
	    .layered = 1,
	    .label = "doctor"};
	struct host second = {.loop = h->loop};
	struct sandbox_facts facts = {0};
	struct error e = {0};
	struct sandbox *sb = sandbox_create(host, &spec, &ops, &second, &e);

	if (sb != NULL) {
		loop_run(h->loop);
		sandbox_facts(sb, &facts);
		h->layered =
		    second.built && strcmp(facts.workspace, "layered") == 0;
	}
	if (!h->layered)
		snprintf(h->layered_why, sizeof h->layered_why, "%s",
		    sb == NULL                   ? e.text
		    : !second.built              ? second.built_why
		    : facts.no_layers[0] != '\0' ? facts.no_layers
						 : "no layer could be built");
	sandbox_destroy(sb);
}

/* Build one sandbox and throw it away. */
static void
try_to_build(struct cli *cli, struct host *h)
{
	char folder[] = "/tmp/skep-doctor-XXXXXX";
	static const struct sandbox_ops ops = {
	    .created = created, .lost = lost};
	const struct profile *bare = profile_builtin("bare");
	struct sandbox_host_settings settings = {
	    .sandboxes_max = 2, .profiles = &bare, .profiles_n = 1};
	struct sandbox_spec spec = {.profile = bare, .label = "doctor"};
	struct sandbox_host *host = NULL;
	struct sandbox *sb = NULL;
	struct error e = cli->zygote_error;

	settings.layers = mkdtemp(folder);
	h->loop = cli->zygote.pid > 0 ? loop_new(&e) : NULL;
	if (h->loop != NULL)
		host = sandbox_host_new(h->loop, &cli->zygote, &settings, &e);
	if (host != NULL)
		sb = sandbox_create(host, &spec, &ops, h, &e);
	if (sb != NULL)
		loop_run(h->loop);
	else
		snprintf(h->built_why, sizeof h->built_why, "%s", e.text);
	sandbox_destroy(sb);
	if (h->built && settings.layers != NULL)
		try_a_layer(h, host);
	if (host != NULL)
		sandbox_host_free(host);
	if (settings.layers != NULL)
		remove_layers(folder);
	if (h->loop != NULL)
		loop_free(h->loop);
}

static void
ask_groups(struct host *h)
{
	struct cgroup_host groups;
	struct error e;

	if (cgroup_host_open(&groups, 1, &e) == -1) {
		snprintf(h->groups_why, sizeof h->groups_why, "%.150s", e.text);
		return;
	}
	h->groups = groups.kind;
	h->controllers = groups.has;
	memcpy(h->groups_why, groups.why, sizeof h->groups_why);
	cgroup_host_close(&groups, 100);
}

static void
ask(struct cli *cli, struct host *h)
{
	struct rlimit r;

	memset(h, 0, sizeof *h);
	features_probe(&h->has);
	ask_groups(h);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0)
		h->files = r.rlim_max;
	if (getrlimit(RLIMIT_NPROC, &r) == 0)
		h->processes = r.rlim_max;
	h->pipe_pages = sysctl_number("fs/pipe-user-pages-soft");
	h->inotify_instances = sysctl_number("fs/inotify/max_user_instances");
	h->pid_max = sysctl_number("kernel/pid_max");
	try_to_build(cli, h);
}

/* ------------------------------------------------------------------ judging */

enum state { ENFORCED, DEGRADED, REFUSED };

static const char *const state_name[] = {"enforced", "degraded", "refused"};

/* One promise of a profile on this host. */
struct finding {
	enum state state;
	const char *what, *how; /* how it is kept, or why not */
	const char *mend;       /* a command, or NULL */
};

#define FINDINGS_MAX 16

static const char *
mend_groups(const struct host *h)
{
	if (!h->has.root && strncmp(h->groups_why, "version 1", 9) == 0)
		return "run skep as root";
	if (!h->has.root)
		return "run skep as root, or: systemd-run --user --scope "
		       "-p Delegate=yes skep ...";
	return "mount -t cgroup2 cgroup2 /sys/fs/cgroup";
}

static const char *
mend_namespaces(const struct host *h)
{
	if (h->has.user_namespace_errno == ENOSPC)
		return "sysctl -w user.max_user_namespaces=15000";
	if (sysctl_number("kernel/unprivileged_userns_clone") == 0)
		return "sysctl -w kernel.unprivileged_userns_clone=1";
	if (sysctl_number("kernel/apparmor_restrict_unprivileged_userns") == 1)
		return "sysctl -w "
		       "kernel.apparmor_restrict_unprivileged_userns=0";
	return "run skep as root, outside of a container or in one started "
	       "with --privileged";
}

static struct finding
judge_walls(const struct host *h)
{
	if (!h->built)
		return (struct finding){
		    REFUSED, "sandbox", h->built_why, mend_namespaces(h)};
	return (struct finding){ENFORCED, "sandbox",
	    "user, mount, pid, net, ipc and uts namespaces", NULL};
}

static struct finding
judge_calls(const struct host *h)
{
	if (!h->has.seccomp)
		return (struct finding){REFUSED, "system calls",
		    "the kernel takes no filters",
		    "boot a kernel with CONFIG_SECCOMP_FILTER"};
	return (struct finding){
	    ENFORCED, "system calls", "seccomp filter", NULL};
}

/* A limit that a control group keeps, or something weaker, or nothing. */
static struct finding
judge_limit(const struct host *h, const struct profile *p,
    enum cgroup_controller c, const char *what, const char *instead)
{
	if ((h->controllers & 1u << c) != 0)
		return (struct finding){ENFORCED, what, "control group", NULL};
	/* With some groups, but not this one, cgroup_make() refuses. */
	if ((p->require & REQUIRE_CGROUP) != 0 || h->groups != CGROUP_NONE)
		return (struct finding){REFUSED, what,
		    h->groups_why[0] != '\0' ? h->groups_why
					     : "no control group",
		    mend_groups(h)};
	return (struct finding){DEGRADED, what, instead, mend_groups(h)};
}

static struct finding
judge_users(const struct host *h)
{
	if (h->has.root)
		return (struct finding){ENFORCED, "users",
		    "every sandbox is a host user of its own", NULL};
	return (struct finding){DEGRADED, "users",
	    "all sandboxes are the same host user, and have one user inside",
	    "run skep as root"};
}

static struct finding
judge_landlock(const struct host *h, const struct profile *p)
{
	if (h->has.landlock >= LANDLOCK_SCOPED)
		return (struct finding){ENFORCED, "landlock",
		    "signals and abstract sockets are scoped", NULL};
	return (struct finding){
	    (p->require & REQUIRE_LANDLOCK) != 0 ? REFUSED : DEGRADED,
	    "landlock",
	    h->has.landlock == 0 ? "not in this kernel: one wall less"
				 : "too old to scope: one wall less",
	    "boot Linux 6.12 or newer with lsm=landlock,..."};
}

static struct finding
judge_folders(const struct host *h)
{
	if (h->has.root && !h->has.mount_idmap)
		return (struct finding){DEGRADED, "workspace",
		    "folders of the caller cannot be id-mapped: refused",
		    "boot Linux 5.12 or newer"};
	return (struct finding){ENFORCED, "workspace",
	    h->has.root ? "id-mapped to its owner" : "the caller's own user",
	    NULL};
}

static unsigned
judge(const struct host *h, const struct profile *p,
    struct finding out[FINDINGS_MAX])
{
	unsigned n = 0;

	out[n++] = judge_walls(h);
	out[n++] = judge_calls(h);
	if (p->limits.memory_bytes > 0)
		out[n++] = judge_limit(h, p, CGROUP_MEMORY, "memory",
		    "address space of each process; tmpfs is not counted");
	if (p->limits.pids > 0)
		out[n++] = judge_limit(h, p, CGROUP_PIDS, "processes",
		    "RLIMIT_NPROC of the sandbox's user namespace");
	if (p->limits.cpus > 0)
		out[n++] = judge_limit(h, p, CGROUP_CPU, "processor time",
		    "not limited but by the deadline");
	if (p->limits.disk_bytes > 0)
		out[n++] = (struct finding){ENFORCED, "disk",
		    "tmpfs quota; a --workspace folder is watched", NULL};
	out[n++] = judge_folders(h);
	out[n++] = judge_users(h);
	out[n++] = judge_landlock(h, p);
	return n;
}

static enum state
worst(const struct finding *f, unsigned n)
{
	enum state state = ENFORCED;

	for (unsigned i = 0; i < n; i++)
		if (f[i].state > state)
			state = f[i].state;
	return state;
}

/* ------------------------------------------------------------------- saying */

static const char *
controllers(const struct host *h, char out[40])
{
	snprintf(out, 40, "%s%s%s",
	    h->controllers & 1u << CGROUP_MEMORY ? " memory" : "",
	    h->controllers & 1u << CGROUP_PIDS ? " pids" : "",
	    h->controllers & 1u << CGROUP_CPU ? " cpu" : "");
	return out;
}

static void
say_host(const struct host *h, struct text *out)
{
	char some[40];

	text_printf(out, "kernel            %d.%d\n", h->has.kernel_major,
	    h->has.kernel_minor);
	text_printf(out, "privilege         %s\n",
	    h->has.root ? "root" : "none: one host user for all sandboxes");
	text_printf(out, "user namespaces   %s\n",
	    h->has.user_namespace ? "yes"
				  : strerror(h->has.user_namespace_errno));
	text_printf(
	    out, "seccomp           %s\n", h->has.seccomp ? "yes" : "no");
	text_printf(out, "landlock          %s %d\n",
	    h->has.landlock > 0 ? "ABI" : "no:", h->has.landlock);
	text_printf(out, "id-mapped mounts  %s\n",
	    h->has.mount_idmap ? "yes"
	    : h->has.root      ? "no"
			       : "not needed");
	text_printf(out, "layered           %s%s\n",
	    h->layered ? "yes" : "no, workspaces are plain: ", h->layered_why);
	text_printf(out, "control groups    %s%s%s%s\n",
	    cgroup_kind_name(h->groups), controllers(h, some),
	    h->groups_why[0] != '\0' ? ": " : "", h->groups_why);
	text_printf(
	    out, "descriptors       %llu\n", (unsigned long long)h->files);
	text_printf(out, "pids              %ld\n", h->pid_max);
	text_printf(out, "pipe pages        %ld\n", h->pipe_pages);
	text_printf(out, "inotify instances %ld\n", h->inotify_instances);
	text_printf(out, "a sandbox         %s\n",
	    h->built ? "was built and removed" : h->built_why);
}

static void
say_profile(const struct host *h, const struct profile *p, struct text *out)
{
	struct finding f[FINDINGS_MAX];
	unsigned n = judge(h, p, f);

	text_printf(out, "\n%s: %s\n", p->name, state_name[worst(f, n)]);
	for (unsigned i = 0; i < n; i++) {
		text_printf(out, "  %-9s %-15s %s\n", state_name[f[i].state],
		    f[i].what, f[i].how);
		if (f[i].mend != NULL)
			text_printf(out, "  %26s %s\n", "mend:", f[i].mend);
	}
}

static void
put_host(const struct host *h, struct json_writer *w)
{
	char kernel[24], some[40];

	json_put_object(w, "host");
	snprintf(kernel, sizeof kernel, "%d.%d", h->has.kernel_major,
	    h->has.kernel_minor);
	json_put_str(w, "kernel", kernel);
	json_put_bool(w, "root", h->has.root);
	json_put_bool(w, "user_namespaces", h->has.user_namespace);
	json_put_bool(w, "seccomp", h->has.seccomp);
	json_put_int(w, "landlock", h->has.landlock);
	json_put_bool(w, "id_mapped_mounts", h->has.mount_idmap);
	json_put_str(w, "cgroup", cgroup_kind_name(h->groups));
	controllers(h, some);
	json_put_str(w, "cgroup_controllers", some[0] == ' ' ? some + 1 : "");
	json_put_str(w, "cgroup_why", h->groups_why);
	json_put_uint(w, "descriptors", h->files);
	json_put_int(w, "pids", h->pid_max);
	json_put_int(w, "pipe_pages", h->pipe_pages);
	json_put_int(w, "inotify_instances", h->inotify_instances);
	json_put_bool(w, "sandbox_built", h->built);
	json_put_str(w, "sandbox_why", h->built_why);
	json_put_bool(w, "layered", h->layered);
	json_put_str(w, "layered_why", h->layered_why);
	json_write_end(w);
}

static void
put_profile(
    const struct host *h, const struct profile *p, struct json_writer *w)
{
	struct finding f[FINDINGS_MAX];
	unsigned n = judge(h, p, f);

	json_write_object(w);
	json_put_str(w, "name", p->name);
	json_put_str(w, "state", state_name[worst(f, n)]);
	json_put_array(w, "findings");
	for (unsigned i = 0; i < n; i++) {
		json_write_object(w);
		json_put_str(w, "what", f[i].what);
		json_put_str(w, "state", state_name[f[i].state]);
		json_put_str(w, "how", f[i].how);
		json_put_str(w, "mend", f[i].mend);
		json_write_end(w);
	}
	json_write_end(w);
	json_write_end(w);
}

/* The profile asked for, or all that are built in; NULL at the end. */
static const struct profile *
profile_at(const struct profile *only, unsigned i)
{
	if (only != NULL)
		return i == 0 ? only : NULL;
	return profile_builtin_at(i);
}

static void
say_all(struct cli *cli, const struct host *h, const struct profile *only,
    struct text *out)
{
	struct json_writer w;
	const struct profile *p;

	if (!cli->json) {
		say_host(h, out);
		for (unsigned i = 0; (p = profile_at(only, i)) != NULL; i++)
			say_profile(h, p, out);
		return;
	}
	json_write_init(&w, out);
	json_write_object(&w);
	put_host(h, &w);
	json_put_array(&w, "profiles");
	for (unsigned i = 0; (p = profile_at(only, i)) != NULL; i++)
		put_profile(h, p, &w);
	json_write_end(&w);
	json_write_end(&w);
	text_add_char(out, '\n');
}

static int
run(struct cli *cli)
{
	const char *name = cli_text(cli, "profile", NULL);
	const struct profile *only = NULL, *counts;
	struct finding f[FINDINGS_MAX];
	struct complaints c;
	struct host h;
	struct text out;
	struct error e;
	int status;

	complaints_init(&c, &cli->arena);
	if (name != NULL) {
		only = profile_load(&cli->arena, NULL, name, &c);
		if (only == NULL)
			return cli_complain(cli, &c, EX_CONFIG);
	}
	counts = only != NULL ? only : profile_builtin("draft");
	ask(cli, &h);
	text_init(&out, REPORT_BYTES);
	say_all(cli, &h, only, &out);
	status = worst(f, judge(&h, counts, f)) == REFUSED ? EX_UNAVAILABLE : 0;
	if (cli_write(text_span(&out), &e) == -1)
		status = cli_fail(cli, &e);
	text_release(&out);
	return status;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .summary = "what this host offers, what a profile would lose",
    .arguments = "",
    .text = "For each built-in profile, or for the one of --profile, what is "
	    "enforced here, what is degraded and what makes it refuse to "
	    "start, with the command that mends it. Exits 69 when it (else "
	    "draft) would refuse.",
    .options = options_doctor,
    .operands_max = 0,
    .flags = COMMAND_SANDBOXES,
    .run = run,
};
