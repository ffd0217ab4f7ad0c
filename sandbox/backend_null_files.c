#include "sandbox/backend_null_private.h"

#include <errno.h>
#include <string.h>

#include "sandbox/wire.h"

/*
 * A workspace in memory.  A folder is a node as a file is; the workspace
 * itself is none.
 */

static struct node *
find_node(struct null_sandbox *sb, const char *path)
{
	for (struct list_node *n = list_first(&sb->nodes); n != NULL;
	     n = list_next(&sb->nodes, n)) {
		struct node *node = container_of(n, struct node, link);

		if (strcmp(node->path, path) == 0)
			return node;
	}
	return NULL;
}

void
null_drop_node(struct null_sandbox *sb, struct node *node)
{
	text_release(&node->bytes);
	list_remove(&sb->nodes, &node->link);
	slab_give(&host_of(sb->base.host)->node_slab, node);
}

/* What path has below prefix, or NULL: "a/b" below "a" is "b". */
static const char *
below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strcmp(prefix, ".") == 0)
		return path;
	return strncmp(path, prefix, n) == 0 && path[n] == '/' ? path + n + 1
							       : NULL;
}

static struct node *
add_node(struct null_sandbox *sb, const char *path, int is_folder,
    uint32_t mode, int *os_errno)
{
	struct null_host *h = host_of(sb->base.host);
	struct node *node;

	if (strlen(path) >= sizeof node->path ||
	    (node = slab_take(&h->node_slab)) == NULL) {
		*os_errno = ENOSPC;
		return NULL;
	}
	memcpy(node->path, path, strlen(path) + 1);
	node->is_folder = is_folder;
	node->mode = mode & 0777;
	node->inode = ++h->base.next_id;
	text_init(&node->bytes, FILE_MAX);
	list_append(&sb->nodes, &node->link);
	return node;
}

/* Are the folders above path there, or made if that was asked? */
static int
have_parents(struct null_sandbox *sb, const char *path, unsigned flags)
{
	char parent[256];
	struct node *node;
	int os_errno = 0;

	for (const char *p = strchr(path, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		size_t n = (size_t)(p - path);

		if (n >= sizeof parent)
			return ENAMETOOLONG;
		memcpy(parent, path, n);
		parent[n] = '\0';
		node = find_node(sb, parent);
		if (node == NULL && (flags & FILE_PARENTS) != 0)
			node = add_node(sb, parent, 1, 0755, &os_errno);
		if (node == NULL)
			return os_errno != 0 ? os_errno : ENOENT;
		if (!node->is_folder)
			return ENOTDIR;
	}
	return 0;
}

static void
describe(const struct node *node, struct file_stat *st)
{
	*st = (struct file_stat){
	    .kind = node->is_folder ? FILE_DIR : FILE_REGULAR,
	    .mode = node->mode,
	    .size = node->bytes.n,
	    .inode = node->inode};
}

static int
null_put(struct null_sandbox *sb, const struct file_request *q,
    struct file_result *r)
{
	struct node *node = find_node(sb, q->path);
	struct span rest;
	int os_errno = have_parents(sb, q->path, q->flags);

	if (os_errno != 0)
		return os_errno;
	if (node != NULL && (q->flags & FILE_EXCLUSIVE) != 0)
		return EEXIST;
	if (node == NULL && (q->flags & FILE_CREATE) == 0)
		return ENOENT;
	if (node == NULL)
		node = add_node(sb, q->path, 0, q->mode, &os_errno);
	if (node == NULL)
		return os_errno;
	if (node->is_folder)
		return EISDIR;
	if ((q->flags & FILE_TRUNCATE) != 0 && node->bytes.n > q->offset)
		node->bytes.n = (size_t)q->offset;
	while (node->bytes.n < q->offset)
		text_add_char(&node->bytes, '\0');
	rest = q->bytes;
	if (node->bytes.n > q->offset) {
		size_t over = node->bytes.n - (size_t)q->offset;

		over = over < rest.n ? over : rest.n;
		memcpy(node->bytes.p + q->offset, rest.p, over);
		rest = span_slice(rest, over, rest.n);
	}
	text_add(&node->bytes, rest);
	describe(node, &r->stat);
	return text_overflowed(&node->bytes) ? ENOSPC : 0;
}

static void
list_nodes(struct null_sandbox *sb, const char *path, struct reply *out)
{
	out->r.at_end = 1;
	for (struct list_node *n = list_first(&sb->nodes); n != NULL;
	     n = list_next(&sb->nodes, n)) {
		struct node *node = container_of(n, struct node, link);
		const char *name = below(node->path, path);
		struct init_entry entry = {0};
		struct file_stat st;

		if (name == NULL || strchr(name, '/') != NULL)
			continue;
		describe(node, &st);
		entry.size = st.size;
		entry.inode = st.inode;
		entry.mode = st.mode;
		entry.kind = (uint8_t)st.kind;
		entry.name_bytes = (uint8_t)strlen(name);
		text_add(&out->bytes,
		    (struct span){(const char *)&entry, sizeof entry});
		text_add_str(&out->bytes, name);
	}
}

static int
null_remove(struct null_sandbox *sb, const struct file_request *q)
{
	struct list_node *next;

	if (find_node(sb, q->path) == NULL)
		return ENOENT;
	for (struct list_node *n = list_first(&sb->nodes); n != NULL;
	     n = next) {
		struct node *node = container_of(n, struct node, link);

		next = list_next(&sb->nodes, n);
		if (below(node->path, q->path) == NULL)
			continue;
		if ((q->flags & FILE_RECURSIVE) == 0)
			return ENOTEMPTY;
		null_drop_node(sb, node);
	}
	null_drop_node(sb, find_node(sb, q->path));
	return 0;
}

static int
null_rename(struct null_sandbox *sb, const struct file_request *q)
{
	struct node *node = find_node(sb, q->path), *old = find_node(sb, q->to);

	if (node == NULL)
		return ENOENT;
	if (node->is_folder || strlen(q->to) >= sizeof node->path)
		return EINVAL;
	if (old != NULL && old != node)
		null_drop_node(sb, old);
	memcpy(node->path, q->to, strlen(q->to) + 1);
	return have_parents(sb, q->to, 0);
}

static int
read_node(struct null_sandbox *sb, const struct file_op *op,
    const struct file_request *q, struct reply *out)
{
	struct node *node = find_node(sb, q->path);
	struct span all;

	if (node == NULL)
		return ENOENT;
	describe(node, &out->r.stat);
	if (op->verb == FILE_STAT)
		return 0;
	if (node->is_folder)
		return EISDIR;
	all = text_span(&node->bytes);
	if (op->verb == FILE_HASH) {
		out->r.hash = q->hash;
		hash_add(
		    &out->r.hash, span_slice(all, (size_t)q->offset, all.n));
		out->r.next = all.n;
		out->r.at_end = 1;
		return 0;
	}
	text_add(&out->bytes,
	    span_slice(all, (size_t)q->offset, (size_t)q->offset + q->n));
	out->r.at_end = q->offset + q->n >= all.n;
	return 0;
}

int
null_carry_out(struct null_sandbox *sb, const struct file_op *op,
    const struct file_request *q, struct reply *out)
{
	struct node *node;
	int os_errno = 0;

	switch (op->verb) {
	case FILE_PUT:
		return null_put(sb, q, &out->r);
	case FILE_LIST:
		node = find_node(sb, q->path);
		if (strcmp(q->path, ".") != 0 && node == NULL)
			return ENOENT;
		if (node != NULL && !node->is_folder)
			return ENOTDIR;
		list_nodes(sb, q->path, out);
		return 0;
	case FILE_MKDIR:
		node = find_node(sb, q->path);
		if (node != NULL || strcmp(q->path, ".") == 0)
			return node == NULL ||
				       (node->is_folder &&
					   (q->flags & FILE_EXCLUSIVE) == 0)
				   ? 0
				   : EEXIST;
		os_errno = have_parents(sb, q->path, q->flags);
		if (os_errno == 0)
			add_node(sb, q->path, 1, q->mode, &os_errno);
		return os_errno;
	case FILE_REMOVE:
		return null_remove(sb, q);
	case FILE_RENAME:
		return null_rename(sb, q);
	default:
		return read_node(sb, op, q, out);
	}
}
