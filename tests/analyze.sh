#!/bin/sh
# make analyze: what static analysers say about the given sources.  They err:
# gcc and clang cannot see that error_set() always returns -1, so some of the
# paths they warn about do not exist.  Findings are for people to judge.

cd "$(dirname "$0")/.." || exit 1

checks='-*,clang-analyzer-*,bugprone-*'
for noise in clang-analyzer-valist.Uninitialized \
	clang-analyzer-optin.performance.Padding \
	clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling \
	bugprone-easily-swappable-parameters bugprone-reserved-identifier \
	bugprone-assignment-in-if-condition bugprone-narrowing-conversions \
	bugprone-macro-parentheses bugprone-not-null-terminated-result \
	bugprone-implicit-widening-of-multiplication-result; do
	checks=$checks,-$noise
done

echo '  CLANG-TIDY'
# shellcheck disable=SC2016 # the inner shell expands them
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 sh -c '
	clang-tidy --quiet --checks="$0" "$@" -- -std=c11 -I. -D_GNU_SOURCE' \
	"$checks" 2>/dev/null
echo '  CPPCHECK'
cppcheck --quiet --std=c11 -I. -D_GNU_SOURCE -D__x86_64__ --library=posix \
	--enable=warning,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
	-j "$(nproc)" "$@"
