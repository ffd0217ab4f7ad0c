#include "net/http1.h"

#include "engine/base/error.h"

enum state {
	SIZE,       /* hex digits */
	SIZE_SPACE, /* behind them; only an extension may follow */
	EXTENSION,
	SIZE_LF,
	BODY,
	BODY_CR,
	BODY_LF,
	TRAILER, /* at the start of a line behind the last chunk */
	TRAILER_LINE,
	TRAILER_LF,
	END_LF,
	END,
	BROKEN,
};

void
http1_chunked_init(struct http1_chunked *c)
{
	*c = (struct http1_chunked){.state = SIZE};
	text_init(&c->trailers, LIMIT_HTTP_HEAD);
}

void
http1_chunked_release(struct http1_chunked *c)
{
	text_release(&c->trailers);
}

static int
bad(struct http1_chunked *c, struct error *e, const char *what)
{
	c->state = BROKEN;
	return error_set(e, ERROR_PROTOCOL, 0, "HTTP: %s", what);
}

static int
hex_digit(unsigned char b)
{
	if (b >= '0' && b <= '9')
		return b - '0';
	b |= 0x20;
	return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

static int
size_byte(struct http1_chunked *c, unsigned char b, struct error *e)
{
	int digit = hex_digit(b);

	if (digit >= 0) {
		if (++c->digits > 15)
			return bad(c, e, "a chunk size of too many digits");
		c->left = c->left << 4 | (unsigned)digit;
		return 0;
	}
	if (c->digits == 0)
		return bad(c, e, "a chunk without a size");
	if (b == '\r')
		c->state = SIZE_LF;
	else if (b == ';')
		c->state = EXTENSION;
	else if (b == ' ' || b == '\t')
		c->state = SIZE_SPACE;
	else
		return bad(c, e, "a bad chunk size");
	return 0;
}

static int
extension_byte(struct http1_chunked *c, unsigned char b, struct error *e)
{
	if (b == '\r')
		c->state = SIZE_LF;
	else if ((b < 0x20 && b != '\t') || b == 0x7f)
		return bad(c, e, "a control character behind a chunk size");
	return 0;
}

static int
space_byte(struct http1_chunked *c, unsigned char b, struct error *e)
{
	if (b == ';')
		c->state = EXTENSION;
	else if (b != ' ' && b != '\t')
		return bad(c, e, "a bad chunk size");
	return 0;
}

/* A byte that must be the one expected. */
static int
expect(struct http1_chunked *c, unsigned char b, unsigned char want,
    enum state next, struct error *e)
{
	if (b != want)
		return bad(c, e, "a chunk that does not end in CRLF");
	c->state = next;
	c->line_bytes = 0;
	return 0;
}

static int
trailer_byte(struct http1_chunked *c, unsigned char b, struct error *e)
{
	if (c->state == TRAILER && b == '\r') {
		c->state = END_LF;
		return 0;
	}
	text_add_char(&c->trailers, (char)b);
	if (text_overflowed(&c->trailers))
		return bad(c, e, "trailers are too large");
	if (c->state == TRAILER_LF)
		return expect(c, b, '\n', TRAILER, e);
	if ((b < 0x20 && b != '\t' && b != '\r') || b == 0x7f)
		return bad(c, e, "a control character in the trailers");
	c->state = b == '\r' ? TRAILER_LF : TRAILER_LINE;
	return 0;
}

static int
size_ended(struct http1_chunked *c, unsigned char b, struct error *e)
{
	if (expect(c, b, '\n', c->left > 0 ? BODY : TRAILER, e) == -1)
		return -1;
	c->digits = 0;
	return 0;
}

static int
take_byte(struct http1_chunked *c, unsigned char b, struct error *e)
{
	if (++c->line_bytes > LIMIT_HTTP_LINE)
		return bad(c, e, "a line is too long");
	switch ((enum state)c->state) {
	case SIZE:
		return size_byte(c, b, e);
	case SIZE_SPACE:
		return space_byte(c, b, e);
	case EXTENSION:
		return extension_byte(c, b, e);
	case SIZE_LF:
		return size_ended(c, b, e);
	case BODY_CR:
		return expect(c, b, '\r', BODY_LF, e);
	case BODY_LF:
		return expect(c, b, '\n', SIZE, e);
	case TRAILER:
	case TRAILER_LINE:
	case TRAILER_LF:
		return trailer_byte(c, b, e);
	case END_LF:
		return expect(c, b, '\n', END, e);
	case BODY:
	case END:
	case BROKEN:
		break;
	}
	return bad(c, e, "a broken chunked body");
}

enum http1_chunk
http1_chunked_next(struct http1_chunked *c, struct span *in, struct span *body,
    struct error *e)
{
	size_t n;

	while (c->state != END && in->n > 0) {
		if (c->state == BODY) {
			n = in->n < c->left ? in->n : (size_t)c->left;
			*body = span_slice(*in, 0, n);
			*in = span_slice(*in, n, in->n);
			c->left -= n;
			c->body_bytes += n;
			if (c->left == 0)
				c->state = BODY_CR;
			return CHUNK_BODY;
		}
		if (take_byte(c, (unsigned char)in->p[0], e) == -1)
			return CHUNK_BAD;
		*in = span_slice(*in, 1, in->n);
	}
	return c->state == END ? CHUNK_END : CHUNK_MORE;
}
