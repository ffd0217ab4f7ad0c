#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/base/pool.h"

static char pattern[100000];

static int
fill_pattern(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (char)(i * 31 + i / 251);
	return 0;
}

static void
bytes_come_out_as_they_went_in(void **state)
{
	struct buf b;
	size_t in = 0, out = 0, step = 1;

	(void)state;
	buf_init(&b, 20000);
	while (out < sizeof pattern) {
		size_t n =
		    sizeof pattern - in < step ? sizeof pattern - in : step;

		in += buf_write(&b, (struct span){pattern + in, n});
		assert_int_equal(b.n, in - out);
		while (b.n > (in == sizeof pattern ? 0 : 10000)) {
			struct span front = buf_front(&b);
			size_t take = front.n > 777 ? 777 : front.n;

			assert_memory_equal(front.p, pattern + out, take);
			buf_drop(&b, take);
			out += take;
		}
		step = step * 5 % 9973;
	}
	assert_int_equal(pool_in_use(), 0);
	buf_release(&b);
}

static void
a_full_queue_takes_what_fits(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5000);
	assert_int_equal(buf_write(&b, (struct span){pattern, 6000}), 5000);
	assert_int_equal(buf_room(&b), 0);
	assert_int_equal(buf_write(&b, (struct span){pattern, 1}), 0);
	buf_drop(&b, 4500);
	assert_int_equal(buf_room(&b), 4500);
	assert_int_equal(buf_write(&b, (struct span){pattern, 1000}), 1000);
	assert_memory_equal(buf_front(&b).p, pattern + 4500, 1);
	buf_release(&b);
	assert_int_equal(pool_in_use(), 0);
	assert_int_equal(buf_room(&b), 5000);
}

static void
descriptors_are_read_and_written(void **state)
{
	struct buf in, out;
	size_t sent = 0;
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
	buf_init(&in, 50000);
	buf_init(&out, 50000);
	sent = buf_write(&out, (struct span){pattern, 50000});
	while (in.n < sent) {
		ptrdiff_t n = buf_write_fd(&out, fd[1]);

		assert_true(n >= 0 || errno == EAGAIN);
		while (
		    (n = buf_room(&in) > 0 ? buf_read_fd(&in, fd[0]) : 0) > 0)
			;
		assert_true(n == 0 || errno == EAGAIN);
	}
	assert_int_equal(out.n, 0);
	assert_int_equal(buf_write_fd(&out, fd[1]), 0);
	for (size_t at = 0; in.n > 0;) {
		struct iovec iov[3];
		int n = buf_iov(&in, iov, 3);

		for (int i = 0; i < n; i++) {
			assert_memory_equal(
			    iov[i].iov_base, pattern + at, iov[i].iov_len);
			at += iov[i].iov_len;
			buf_drop(&in, iov[i].iov_len);
		}
	}
	close(fd[1]);
	assert_int_equal(buf_read_fd(&in, fd[0]), 0);
	assert_int_equal(pool_in_use(), 0);
	close(fd[0]);
	assert_int_equal(buf_read_fd(&in, fd[0]), -1);
	assert_int_equal(errno, EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_come_out_as_they_went_in),
	    cmocka_unit_test(a_full_queue_takes_what_fits),
	    cmocka_unit_test(descriptors_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
