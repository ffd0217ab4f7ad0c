#include "sandbox/layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/manifest.h"
#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/sort.h"
#include "sandbox/backend.h"
#include "sandbox/baseline.h"
#include "sandbox/layer_key.h"
#include "sandbox/layer_litter.h"

#define LAYERS_MAGIC 0x5a4d8035
#define TREE "/tree"     /* of a layer's folder: what is in it */
#define BUILDING "part-" /* how names begin until all is in */
#define BOOT_HEX 8
#define NOBODY 65534 /* whose layers are, as root */

enum layer_state { LAYER_BUILDING, LAYER_READY };

struct layer {
	struct list_node link; /* the one used last is last */
	struct layers *ls;
	enum layer_state state;
	unsigned held;
	char name[MOUNTS_LAYER_NAME]; /* BOOT-DIGEST/tree */
	int64_t used_s;
	struct baseline *files;
	struct list waiting; /* struct layer_want; the first has it built */
	struct sandbox *builder;
	char part[32]; /* its folder until all is in */
	struct loop_deferred building;
};

struct layer_want {
	struct list_node link;
	struct layers *ls;
	struct layer *layer; /* waited for; NULL: its name is not known yet */
	struct layer_key *key;
	const struct profile *profile;
	const struct manifest *manifest;
	layer_want_done_fn *done;
	void *owner;
};

struct layers {
	unsigned magic;
	struct sandbox_host *host;
	int dir;
	int is_stopped;
	unsigned number; /* of what was built */
	char boot[BOOT_HEX + 1];
	char trouble[sizeof((struct error *)0)->text];
	struct list layers;
	struct layer_litter *litter;
};

static void build(struct loop_deferred *d);

/* The folder's name, without the tree below it. */
static void
folder_of(const struct layer *layer, char out[MOUNTS_LAYER_NAME])
{
	snprintf(out, MOUNTS_LAYER_NAME, "%s", layer->name);
	*strchrnul(out, '/') = '\0';
}

const char *
layer_name(const struct layer *layer)
{
	return layer->name;
}

struct baseline *
layer_files(const struct layer *layer)
{
	return layer->files;
}

void
layer_set_files(struct layer *layer, struct baseline *files)
{
	if (layer->files == NULL)
		layer->files = baseline_hold(files);
}

const char *
layers_trouble(const struct layers *ls)
{
	return ls->trouble;
}

/* ----------------------------------------------------------- what is there */

static struct layer *
add(struct layers *ls, const char *folder, enum layer_state state)
{
	struct layer *layer = pool_take(sizeof *layer, NULL);

	if (layer == NULL)
		return NULL;
	*layer = (struct layer){.ls = ls, .state = state};
	snprintf(layer->name, sizeof layer->name, "%s" TREE, folder);
	list_init(&layer->waiting);
	loop_deferred_init(&layer->building, ls->host->loop, build);
	list_append(&ls->layers, &layer->link);
	return layer;
}

static void
forget(struct layer *layer)
{
	CHECK(layer->waiting.length == 0 && layer->held == 0);
	loop_undefer(&layer->building);
	list_remove(&layer->ls->layers, &layer->link);
	baseline_drop(layer->files);
	pool_give(layer);
}

static struct layer *
find(struct layers *ls, const char *folder)
{
	size_t n = strlen(folder);

	for (struct list_node *i = list_first(&ls->layers); i != NULL;
	     i = list_next(&ls->layers, i)) {
		struct layer *layer = container_of(i, struct layer, link);

		if (strncmp(layer->name, folder, n) == 0 &&
		    layer->name[n] == '/')
			return layer;
	}
	return NULL;
}

static void
discard(struct layer *layer)
{
	char folder[MOUNTS_LAYER_NAME];

	folder_of(layer, folder);
	layer_litter_add(layer->ls->litter, folder);
	forget(layer);
}

/* Let go of what was used longest ago until there is room for one more. */
static void
make_room(struct layers *ls)
{
	struct list_node *n = list_first(&ls->layers), *next;

	for (; n != NULL && ls->layers.length >= LAYERS_MAX; n = next) {
		struct layer *layer = container_of(n, struct layer, link);

		next = list_next(&ls->layers, n);
		if (layer->held == 0 && layer->state == LAYER_READY)
			discard(layer);
	}
}

/* It is used now: the last to go, on disk too. */
static void
touch(struct layer *layer)
{
	char folder[MOUNTS_LAYER_NAME];

	folder_of(layer, folder);
	(void)utimensat(layer->ls->dir, folder, NULL, AT_SYMLINK_NOFOLLOW);
	list_remove(&layer->ls->layers, &layer->link);
	list_append(&layer->ls->layers, &layer->link);
}

/* ------------------------------------------------------------------ wanting */

static void
answer(struct layer_want *w, struct layer *layer, const struct error *error)
{
	layer_want_done_fn *done = w->done;
	void *owner = w->owner;

	if (list_is_linked(&w->link))
		list_remove(&w->layer->waiting, &w->link);
	if (layer != NULL)
		layer->held++;
	pool_give(w);
	done(layer, error, owner);
}

/* All that wait for it are told; then it is ready, or it is no more. */
static void
answer_all(struct layer *layer, int is_ready, const struct error *error)
{
	struct list_node *n;

	layer->held++; /* whatever they do */
	while ((n = list_first(&layer->waiting)) != NULL)
		answer(container_of(n, struct layer_want, link),
		    is_ready ? layer : NULL, error);
	layer->held--;
	if (!is_ready)
		forget(layer);
}

static void
found_key(const struct digest *digest, void *owner)
{
	struct layer_want *w = owner;
	struct layers *ls = w->ls;
	char folder[MOUNTS_LAYER_NAME], hex[HASH_HEX + 1];

	w->key = NULL;
	if (digest == NULL) {
		answer(w, NULL, NULL);
		return;
	}
	hex_encode(digest->byte, HASH_BYTES, hex);
	snprintf(folder, sizeof folder, "%s-%s", ls->boot, hex);
	w->layer = find(ls, folder);
	if (w->layer == NULL) {
		make_room(ls);
		w->layer = add(ls, folder, LAYER_BUILDING);
		if (w->layer == NULL) {
			answer(w, NULL, NULL);
			return;
		}
		list_append(&w->layer->waiting, &w->link);
		loop_defer(&w->layer->building);
	} else if (w->layer->state == LAYER_BUILDING) {
		list_append(&w->layer->waiting, &w->link);
	} else {
		touch(w->layer);
		answer(w, w->layer, NULL);
	}
}

struct layer_want *
layers_want(struct layers *ls, const struct profile *profile,
    const struct manifest *manifest, layer_want_done_fn *done, void *owner,
    struct error *e)
{
	struct layer_want *w = pool_take(sizeof *w, NULL);

	CHECK_OBJ(ls, LAYERS_MAGIC);
	if (w == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to look for a layer");
		return NULL;
	}
	*w = (struct layer_want){.ls = ls,
	    .profile = profile,
	    .manifest = manifest,
	    .done = done,
	    .owner = owner};
	w->key = layer_key_start(ls->host->loop, manifest, found_key, w, e);
	if (w->key == NULL) {
		pool_give(w);
		return NULL;
	}
	return w;
}

/* What is being built needs somebody's manifest: the next one's, or it ends. */
static void
give_up_building(struct layer *layer)
{
	sandbox_destroy(layer->builder);
	layer->builder = NULL;
	if (layer->part[0] != '\0')
		layer_litter_add(layer->ls->litter, layer->part);
	layer->part[0] = '\0';
}

void
layer_want_cancel(struct layer_want *w)
{
	struct layer *layer;
	int was_first;

	if (w == NULL)
		return;
	layer = w->layer;
	layer_key_cancel(w->key);
	if (layer != NULL) {
		was_first = list_first(&layer->waiting) == &w->link;
		list_remove(&layer->waiting, &w->link);
		if (was_first) {
			give_up_building(layer);
			if (layer->waiting.length == 0)
				forget(layer);
			else if (!layer->ls->is_stopped)
				loop_defer(&layer->building);
		}
	}
	pool_give(w);
}

void
layer_drop(struct layer *layer)
{
	if (layer == NULL)
		return;
	CHECK(layer->held > 0);
	layer->held--;
}

/* ----------------------------------------------------------------- building */

/* Did it fail at what no sandbox of this host can do? */
static int
is_about_layers(const struct sandbox *sb)
{
	const char *step = sandbox_failed_step(sb);

	return strstr(step, "layer") != NULL ||
	       strstr(step, "overlay") != NULL ||
	       strstr(step, "id-map") != NULL;
}

/* It cannot be built; is the manifest to blame, or this host? */
static void
building_failed(struct layer *layer, const struct error *error)
{
	struct layers *ls = layer->ls;
	struct error e = *error;

	if (layer->builder != NULL && is_about_layers(layer->builder))
		snprintf(ls->trouble, sizeof ls->trouble, "%s", e.text);
	give_up_building(layer);
	answer_all(layer, 0, e.code == ERROR_MANIFEST ? &e : NULL);
}

/* On a disk nothing else holds what the workspace's quota would. */
static int
is_too_big(const struct sandbox *sb, struct error *e)
{
	const struct profile_limits *l = &sb->profile->limits;
	struct baseline_size size;

	baseline_size(sb->before, &size);
	if ((l->disk_bytes == 0 || size.bytes <= l->disk_bytes) &&
	    (l->disk_inodes == 0 || size.inodes <= l->disk_inodes))
		return 0;
	error_set(e, ERROR_MANIFEST, ENOSPC,
	    "the manifest makes %llu files and folders with %llu bytes, which "
	    "is more than the profile's limits on disk",
	    (unsigned long long)size.inodes, (unsigned long long)size.bytes);
	return 1;
}

static void
built(struct sandbox *sb, const struct error *error, void *owner)
{
	struct layer *layer = owner;
	char folder[MOUNTS_LAYER_NAME];
	struct error e;

	if (error != NULL) {
		building_failed(layer, error);
		return;
	}
	if (is_too_big(sb, &e)) {
		building_failed(layer, &e);
		return;
	}
	folder_of(layer, folder);
	layer_set_files(layer, sb->before);
	if (renameat(layer->ls->dir, layer->part, layer->ls->dir, folder) ==
	    -1) {
		error_set(&e, ERROR_IO, errno, "name a layer");
		building_failed(layer, &e);
		return;
	}
	layer->part[0] = '\0';
	layer->state = LAYER_READY;
	sandbox_destroy(layer->builder);
	layer->builder = NULL;
	answer_all(layer, 1, NULL);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	building_failed(owner, error);
}

static int
make_folder(struct layer *layer, struct error *e)
{
	struct layers *ls = layer->ls;
	char tree[sizeof layer->part + sizeof TREE];

	snprintf(layer->part, sizeof layer->part, BUILDING "%ld-%u",
	    (long)getpid(), ++ls->number);
	snprintf(tree, sizeof tree, "%s" TREE, layer->part);
	if (mkdirat(ls->dir, layer->part, 0755) == -1 ||
	    mkdirat(ls->dir, tree, 0755) == -1 ||
	    fchmodat(ls->dir, tree, 0755, 0) == -1 ||
	    (geteuid() == 0 &&
		fchownat(ls->dir, tree, NOBODY, NOBODY, 0) == -1))
		return error_set(
		    e, ERROR_CANNOT_CREATE, errno, "make a folder for a layer");
	return 0;
}

static void
build(struct loop_deferred *d)
{
	struct layer *layer = container_of(d, struct layer, building);
	static const struct sandbox_ops ops = {.created = built, .lost = lost};
	struct layer_want *first =
	    container_of(list_first(&layer->waiting), struct layer_want, link);
	struct sandbox_spec spec = {.profile = first->profile,
	    .manifest = first->manifest,
	    .remembers = 1,
	    .label = "layer"};
	char tree[sizeof layer->part + sizeof TREE];
	struct error e;

	if (make_folder(layer, &e) == -1) {
		building_failed(layer, &e);
		return;
	}
	snprintf(tree, sizeof tree, "%s" TREE, layer->part);
	layer->builder = sandbox_create_filling(
	    layer->ls->host, &spec, tree, &ops, layer, &e);
	if (layer->builder == NULL)
		building_failed(layer, &e);
}

/* ------------------------------------------------------- beginning and end */

/* What an earlier engine left: layers of this boot are ours to use. */
static void
take_over(struct layers *ls, const char *name)
{
	int64_t oldest_s = os->wall_ms() / 1000 - LAYERS_DAYS * 86400;
	struct layer *layer = NULL;
	struct stat st;

	if (layer_litter_is(name))
		return;
	if (strncmp(name, ls->boot, BOOT_HEX) == 0 && name[BOOT_HEX] == '-' &&
	    strlen(name) == BOOT_HEX + 1 + HASH_HEX &&
	    fstatat(ls->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode) && st.st_mtim.tv_sec > oldest_s)
		layer = add(ls, name, LAYER_READY);
	if (layer == NULL)
		layer_litter_add(ls->litter, name);
	else
		layer->used_s = st.st_mtim.tv_sec;
}

static int
by_use(const void *a, const void *b, const void *with)
{
	const struct layer *const l = a, *const m = b;

	(void)with;
	return (l->used_s > m->used_s) - (l->used_s < m->used_s);
}

/* Used longest ago first. */
static void
put_in_order(struct layers *ls)
{
	size_t n = ls->layers.length, i = 0;
	void **at = pool_take((n + 1) * sizeof *at, NULL);

	if (at == NULL)
		return;
	while (ls->layers.length > 0) {
		at[i] =
		    container_of(list_first(&ls->layers), struct layer, link);
		list_remove(&ls->layers, &((struct layer *)at[i++])->link);
	}
	sort_pointers(at, n, by_use, NULL);
	for (i = 0; i < n; i++)
		list_append(&ls->layers, &((struct layer *)at[i])->link);
	pool_give(at);
}

static void
look_around(struct layers *ls)
{
	_Alignas(struct dirent64) char entries[4096];
	int fd = openat(ls->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	while (fd != -1 &&
	       (n = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(entries + at);

			at += d->d_reclen;
			if (d->d_name[0] != '.')
				take_over(ls, d->d_name);
		}
	if (fd != -1)
		os->close(fd);
	put_in_order(ls);
	make_room(ls);
}

static void
find_boot(struct layers *ls)
{
	char text[64] = "";
	struct digest digest;
	char hex[HASH_HEX + 1];
	int fd = os->open(
	    "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = fd == -1 ? -1 : os->read(fd, text, sizeof text);

	if (fd != -1)
		os->close(fd);
	hash_of((struct span){text, n > 0 ? (size_t)n : 0}, &digest);
	hex_encode(digest.byte, HASH_BYTES, hex);
	memcpy(ls->boot, hex, BOOT_HEX);
	ls->boot[BOOT_HEX] = '\0';
}

struct layers *
layers_new(struct sandbox_host *host, const char *folder, struct error *e)
{
	struct layers *ls = pool_take(sizeof *ls, NULL);

	if (ls == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for layers");
		return NULL;
	}
	*ls = (struct layers){.magic = LAYERS_MAGIC, .host = host};
	list_init(&ls->layers);
	ls->dir = os->open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (ls->dir == -1) {
		error_set(e, ERROR_CANNOT_CREATE, errno, "open %s", folder);
		layers_free(ls);
		return NULL;
	}
	ls->litter = layer_litter_new(host->loop, ls->dir, e);
	if (ls->litter == NULL) {
		layers_free(ls);
		return NULL;
	}
	find_boot(ls);
	look_around(ls);
	return ls;
}

void
layers_stop(struct layers *ls)
{
	if (ls == NULL)
		return;
	CHECK_OBJ(ls, LAYERS_MAGIC);
	ls->is_stopped = 1;
	for (struct list_node *n = list_first(&ls->layers); n != NULL;
	     n = list_next(&ls->layers, n))
		give_up_building(container_of(n, struct layer, link));
}

void
layers_free(struct layers *ls)
{
	struct list_node *n;

	if (ls == NULL)
		return;
	CHECK_OBJ(ls, LAYERS_MAGIC);
	while ((n = list_first(&ls->layers)) != NULL)
		forget(container_of(n, struct layer, link));
	layer_litter_free(ls->litter);
	if (ls->dir != -1)
		os->close(ls->dir);
	ls->magic = 0;
	pool_give(ls);
}
