#include "sandbox/etc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"

#define COPY_BYTES_MAX (1 << 20)

/* Files of our own; %U and %N stand for the user's name and number. */
static const struct {
	const char *name, *text;
} written[] = {
    {"passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
	       "%U:x:%N:%N:skep sandbox:" ETC_HOME ":/bin/sh\n"
	       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"group", "root:x:0:\ntty:x:5:\n%U:x:%N:\nnogroup:x:65534:\n"},
    {"hosts", "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost\n"},
    {"nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"
		      "hosts: files dns\nnetworks: files\nprotocols: files\n"
		      "services: files\n"},
    {"ld.so.conf", "/usr/local/lib\n"},
    /* What is looked up by name; the rest of the registries nobody misses. */
    {"protocols", "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n"
		  "ipv6 41 IPv6\nipv6-icmp 58 IPv6-ICMP\n"},
    {"services", "echo 7/tcp\necho 7/udp\ndiscard 9/tcp\ndiscard 9/udp\n"
		 "ftp 21/tcp\nssh 22/tcp\ntelnet 23/tcp\nsmtp 25/tcp mail\n"
		 "domain 53/tcp\ndomain 53/udp\ntftp 69/udp\n"
		 "http 80/tcp www\npop3 110/tcp\nntp 123/udp\n"
		 "imap2 143/tcp imap\nsnmp 161/udp\nldap 389/tcp\n"
		 "https 443/tcp\nhttps 443/udp\nsubmissions 465/tcp smtps\n"
		 "syslog 514/udp\nsubmission 587/tcp\nldaps 636/tcp\n"
		 "rsync 873/tcp\nimaps 993/tcp\npop3s 995/tcp\n"
		 "mysql 3306/tcp\npostgresql 5432/tcp\namqp 5672/tcp\n"
		 "redis 6379/tcp\nhttp-alt 8080/tcp\ngit 9418/tcp\n"},
    /* A folder that is shown belongs to nobody inside; that is no danger. */
    {"gitconfig", "[safe]\n\tdirectory = *\n"},
};

/* The host's, as they are. */
static const char *const copied[] = {"ld.so.cache", "ssl/openssl.cnf"};
static const char *const linked[] = {"localtime", "os-release", "mtab"};
static const char *const bound[] = {"alternatives", "ssl/certs"};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* Append s to the text at out, which has room for it. */
static size_t
put(char *out, size_t n, const char *s)
{
	while (*s != '\0')
		out[n++] = *s++;
	return n;
}

static int
write_one(int dir, const char *name, const char *text, const char *user,
    uid_t uid, struct fault *f)
{
	char out[1024], number[MOUNTS_NUMBER];
	size_t n = 0;
	int fd;

	mounts_number(number, uid);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '%' && p[1] == 'U')
			n = put(out, n, user), p++;
		else if (*p == '%' && p[1] == 'N')
			n = put(out, n, number), p++;
		else
			out[n++] = *p;
	}
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		return fault_at(f, "create /etc/", name);
	if (write(fd, out, n) != (ssize_t)n) {
		fault_at(f, "write /etc/", name);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* What the host does not have, the sandbox does without. */
static int
copy_one(int dir, int etc, const char *name, struct fault *f)
{
	int from = openat(etc, name, O_RDONLY | O_CLOEXEC), to;
	struct stat st;
	off_t at = 0;

	if (from == -1)
		return errno == ENOENT || errno == EACCES
			   ? 0
			   : fault_at(f, "open the host's /etc/", name);
	to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (to == -1 || fstat(from, &st) == -1) {
		fault_at(f, "create /etc/", name);
		goto fail;
	}
	while (at < st.st_size && st.st_size <= COPY_BYTES_MAX)
		if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0) {
			fault_at(f, "copy /etc/", name);
			goto fail;
		}
	close(to);
	close(from);
	return 0;
fail:
	if (to != -1)
		close(to);
	close(from);
	return -1;
}

static int
link_one(int dir, int etc, const char *name, struct fault *f)
{
	char target[512];
	ssize_t n = readlinkat(etc, name, target, sizeof target - 1);

	if (n == -1)
		return 0;
	target[n] = '\0';
	if (symlinkat(target, dir, name) == -1)
		return fault_at(f, "link /etc/", name);
	return 0;
}

static int
bind_one(int dir, int etc, const char *name, struct fault *f)
{
	int tree = open_tree(
	    etc, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	int rc = 0;

	if (tree == -1)
		return errno == ENOENT
			   ? 0
			   : fault_at(f, "open the host's /etc/", name);
	if (mkdirat(dir, name, 0755) == -1 ||
	    move_mount(tree, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		rc = fault_at(f, "bind /etc/", name);
	close(tree);
	return rc;
}

int
etc_build(int dir, int host, const char *user, uid_t uid, struct fault *f)
{
	int etc, rc = -1;

	if (user == NULL)
		user = ETC_USER;
	if (strlen(user) > 32)
		return fault_set(f, EINVAL, "user name", user);
	etc = openat(host, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (etc == -1)
		return fault_at(f, "open the host's /etc", NULL);
	if (mkdirat(dir, "ssl", 0755) == -1) {
		fault_at(f, "create /etc/ssl", NULL);
		goto out;
	}
	for (size_t i = 0; i < COUNT(written); i++)
		if (write_one(dir, written[i].name, written[i].text, user, uid,
			f) == -1)
			goto out;
	for (size_t i = 0; i < COUNT(copied); i++)
		if (copy_one(dir, etc, copied[i], f) == -1)
			goto out;
	for (size_t i = 0; i < COUNT(linked); i++)
		if (link_one(dir, etc, linked[i], f) == -1)
			goto out;
	for (size_t i = 0; i < COUNT(bound); i++)
		if (bind_one(dir, etc, bound[i], f) == -1)
			goto out;
	rc = 0;
out:
	close(etc);
	return rc;
}
