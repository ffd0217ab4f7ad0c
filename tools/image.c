#include "tools/image.h"

static const struct {
	const char *type;
	struct span magic;
	struct span also; /* at byte 8 */
} kinds[] = {
    {"image/png", {"\x89PNG\r\n\x1a\n", 8}, {NULL, 0}},
    {"image/jpeg", {"\xff\xd8\xff", 3}, {NULL, 0}},
    {"image/gif", {"GIF87a", 6}, {NULL, 0}},
    {"image/gif", {"GIF89a", 6}, {NULL, 0}},
    {"image/webp", {"RIFF", 4}, {"WEBP", 4}},
    {"image/bmp", {"BM", 2}, {NULL, 0}},
    {"image/tiff", {"II*\0", 4}, {NULL, 0}},
    {"image/tiff", {"MM\0*", 4}, {NULL, 0}},
};

/* Behind a byte order mark, declarations and comments stands the root. */
static int
is_svg(struct span s)
{
	if (span_has_prefix(s, span_of("\xef\xbb\xbf")))
		s = span_slice(s, 3, s.n);
	for (;;) {
		const char *end = ">";

		s = span_trim(s);
		if (span_has_prefix(s, span_of("<svg")))
			return s.n == 4 || span_search(span_of(" \t\r\n>/"),
					       span_slice(s, 4, 5), 0) < 6;
		if (span_has_prefix(s, span_of("<!--")))
			end = "-->";
		else if (!span_has_prefix(s, span_of("<?")) &&
			 !span_has_prefix(s, span_of("<!")))
			return 0;
		s = span_slice(
		    s, span_search(s, span_of(end), 0) + strlen(end), s.n);
	}
}

const char *
image_type(struct span head)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (span_has_prefix(head, kinds[i].magic) &&
		    span_has_prefix(span_slice(head, 8, head.n), kinds[i].also))
			return kinds[i].type;
	return is_svg(span_slice(head, 0, IMAGE_HEAD)) ? "image/svg+xml" : NULL;
}
