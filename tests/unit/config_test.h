#ifndef SKEP_TESTS_UNIT_CONFIG_TEST_H
#define SKEP_TESTS_UNIT_CONFIG_TEST_H

/*
 * What the tests of config/ share: a folder for files, an arena and a list of
 * complaints, fresh for every case.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config/complaint.h"
#include "engine/base/arena.h"
#include "engine/base/text.h"

extern struct arena arena;
extern struct complaints complaints;

/* A file in the case's folder, and its path (valid until the next case). */
void write_file(const char *name, const char *text);
const char *path_of(const char *name);

/* Fails, showing all of them, when no complaint contains text. */
void assert_complaint(const char *text);
void assert_no_complaint(void);

int begin_case(void **state);
int end_case(void **state);

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin_case, end_case)

int run_cases(const char *name, const struct CMUnitTest *tests, size_t n);
#define run(tests, n) run_cases(__FILE__, tests, n)

#endif
