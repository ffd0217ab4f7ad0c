# make            the release binary, linked as ./skep
# make demo       200 clinical records through 64 agents at once, checked
# make test       everything that can be tested here
# make unit       the unit tests only; RUN="valgrind -q" puts a tool before them
# make tidy       style that a script can check; make format rewrites sources
# make bench      measurements; make fuzz: each parser for FUZZ_SECONDS
# make h2spec     fetches that suite (with Go), so that make test runs it
# make analyze    clang-tidy (with the static analyser) and cppcheck
# make install    into PREFIX, below DESTDIR
# make deps       installs from Debian what is missing for all of these
#
# MODE=debug|release|asan|cov|fuzz chooses build/MODE.  STATIC=1 puts all
# libraries into the binary: the default for release, because starting it then
# takes 0.45 ms instead of 1.2.  V=1 shows the commands.
#
# MBEDTLS=PREFIX takes mbedTLS from there instead of the system's, and builds
# into build/MODE-mbedtls.  For 3.6 on Debian 12, unpack (dpkg -x) Debian 13's
# libmbedtls-dev, libmbedtls21, libmbedx509-7 and libmbedcrypto16 in a folder D:
#     make unit MODE=debug MBEDTLS=$PWD/D/usr

MODE   ?= release
STATIC ?= $(if $(filter release,$(MODE)),1,0)
B      := build/$(MODE)$(if $(MBEDTLS),-mbedtls)
PREFIX ?= /usr/local

CPPFLAGS += -I. -D_GNU_SOURCE -MMD -MP
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef \
            -Wwrite-strings -Wpointer-arith -Wformat=2 -Werror
CFLAGS   += -std=c11 -g $(WARN) $(FLAGS.$(MODE)) -fPIE
LDFLAGS  += $(FLAGS.$(MODE)) -Wl,-z,relro,-z,now,-z,noexecstack
ifneq ($(MBEDTLS),)
CPPFLAGS += -isystem $(MBEDTLS)/include
LDFLAGS  += $(foreach d,lib lib/$(shell $(CC) -dumpmachine),\
            -L$(MBEDTLS)/$(d) -Wl,-rpath,$(MBEDTLS)/$(d))
endif
LDLIBS   += -lmbedtls -lmbedx509 -lmbedcrypto -lcares -lnghttp2 -lsqlite3 \
            -lseccomp -lz -lev -lm

FLAGS.debug   := -Og -fno-omit-frame-pointer
# Counted by engine/base/alloc_guard.c, to prove that there are none.
ALLOC_WRAPPED := malloc calloc realloc posix_memalign strdup strndup vasprintf \
                 asprintf fopen fdopen getline opendir fdopendir
ifeq ($(MODE)$(STATIC),debug0)
LDFLAGS += $(ALLOC_WRAPPED:%=-Wl,--wrap=%)
endif
FLAGS.release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
                 -fstack-clash-protection -fcf-protection
FLAGS.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
                 -fno-sanitize-recover=all
FLAGS.fuzz    := $(FLAGS.asan) -fsanitize=fuzzer-no-link
FLAGS.cov     := -O0 --coverage

ifeq ($(MODE),fuzz)
CC   := clang
WARN += -Wno-format-nonliteral
endif
# At -O2 gcc cannot see that error_set() always returns -1.
FLAGS.release += -Wno-maybe-uninitialized

# glibc's linker notes on dlopen and getservbyname are about functions of
# SQLite and c-ares that skep never calls; tidy forbids them in our own code.
comma := ,
LINK := $(CC) $(LDFLAGS) $(if $(filter 1,$(STATIC)),-static-pie \
        -Wl$(comma)--no-warnings,-pie)

# A folder is a layer; sources are whatever stands in it.
SRC     := $(wildcard engine/base/*.c net/*.c config/*.c sandbox/*.c tools/*.c \
             engine/*.c engine/cmd/*.c engine/mock/*.c)
TEXT    := $(wildcard engine/*.txt config/*.txt sandbox/*.txt tools/*.txt \
             tools/*.json)
LIB     := $(B)/skep.a
TESTS   := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
FAKES   := $(patsubst %.c,$(B)/%.o,$(filter-out tests/unit/test_%,\
             $(wildcard tests/unit/*.c)))
FUZZERS := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
ATTACKS := $(patsubst %.c,$(B)/%,$(wildcard tests/attack/*.c))
BENCHES := $(patsubst %.c,$(B)/%,$(wildcard bench/bench_*.c))
SCHEMAS := $(patsubst %,config/schema/%.schema.json,agent manifest profile \
             tasks settings mock)

ifneq ($(V),1)
Q := @
say = @echo '  $(1)	$@';
endif
# Sub-makes of test and demo use all cores unless told otherwise.
SUBMAKE  = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,\
             -j$(shell nproc))
PYTEST := /usr/bin/python3 -B -m pytest -p no:cacheprovider -q

all: $(LIB) $(if $(wildcard engine/main.c),skep $(SCHEMAS))

skep: $(B)/skep
	$(Q)ln -sfn $< $@

$(B)/skep: $(B)/engine/main.o $(LIB)
	$(call say,LD) $(LINK) -o $@ $^ $(LDLIBS)

# What editors complete and check by; the tables that parse know it all.
$(SCHEMAS): config/schema/%.schema.json: $(B)/skep
	$(Q)mkdir -p $(@D)
	$(Q)$< check --schema $* >$@.new && mv $@.new $@

$(LIB): $(patsubst %,$(B)/%.o,$(basename $(filter-out engine/main.c,$(SRC))) \
          $(TEXT))
	$(Q)rm -f $@
	$(call say,AR) $(AR) rcs $@ $^

$(B)/%.o: %.c Makefile | build-deps
	$(Q)mkdir -p $(@D)
	$(call say,CC) $(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# tools/x.txt becomes `extern const char tools_x_txt[];`, NUL-terminated.
define EMBED
	$(Q)mkdir -p $(@D)
	$(call say,TEXT) s=$$(echo $< | tr -c 'a-z0-9\n' _); printf '%s\n' \
	    .section\ .rodata ".globl $$s" "$$s: .incbin \"$<\"" .byte\ 0 \
	    '.section .note.GNU-stack,"",@progbits' | \
	    $(CC) -c -x assembler -o $@ -
endef
$(B)/%.txt.o: %.txt Makefile
	$(EMBED)
$(B)/%.json.o: %.json Makefile
	$(EMBED)

$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(FAKES) $(LIB)
	$(call say,LD) $(CC) $(LDFLAGS) -pie -o $@ $^ $(LDLIBS) -lcmocka

$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(LIB) \
    $(if $(filter-out fuzz,$(MODE)),$(B)/tests/fuzz/replay.o)
	$(call say,LD) $(CC) $(LDFLAGS) $(if $(filter fuzz,$(MODE)),\
	    -fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)

$(B)/tests/attack/%: $(B)/tests/attack/%.o
	$(call say,LD) $(CC) $(LDFLAGS) -static -o $@ $^

$(B)/bench/%: $(B)/bench/%.o $(LIB)
	$(call say,LD) $(LINK) -o $@ $^ $(LDLIBS)

unit: $(TESTS)
	$(Q)for t in $(TESTS); do echo "  TEST	$$t"; \
	    $(RUN) $$t >$$t.log 2>&1 || { cat $$t.log; exit 1; }; done

replay: $(FUZZERS)
	$(Q)for f in $(FUZZERS); do echo "  REPLAY	$$f"; \
	    $$f tests/fuzz/corpus/$${f##*/fuzz_} || exit 1; done

# The debug build is the one that counts its allocations.
blackbox: $(B)/skep $(ATTACKS)
	$(Q)+$(SUBMAKE) MODE=debug build/debug/skep
	$(Q)SKEP=$(CURDIR)/$(B)/skep ATTACK=$(CURDIR)/$(B)/tests/attack \
	    $(PYTEST) tests/blackbox $(PYTEST_ARGS)

test:
	$(Q).ci/deps build test
	$(Q)$(MAKE) --no-print-directory tidy
	$(Q)+$(SUBMAKE) MODE=debug all unit
	$(Q)+$(SUBMAKE) MODE=asan all unit replay
	$(Q)+$(SUBMAKE) MODE=release all blackbox

demo:
	$(Q).ci/deps build demo
	$(Q)+$(SUBMAKE) MODE=release all
	$(Q)config/examples/clinical/demo.sh

bench: all $(BENCHES)
	$(Q)bench/run.sh $(B)

FUZZ_SECONDS ?= 60
fuzz:
	$(Q).ci/deps build fuzz
	$(Q)+$(SUBMAKE) MODE=fuzz run-fuzzers

run-fuzzers: $(FUZZERS)
	$(Q)for f in $(FUZZERS); do n=$${f##*/fuzz_}; mkdir -p $(B)/found/$$n; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=4096 \
	    -artifact_prefix=$(B)/found/ -print_final_stats=1 \
	    $(B)/found/$$n tests/fuzz/corpus/$$n || exit 1; done

# The conformance suite of HTTP/2, for tests/blackbox/test_h2spec.py.
h2spec:
	$(Q)GOBIN=$(CURDIR)/build/tools go install \
	    github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible

tidy:
	$(Q)tests/tidy.sh

format:
	$(Q)git ls-files '*.[ch]' | xargs clang-format -i

analyze:
	$(Q).ci/deps build analyze
	$(Q)tests/analyze.sh $(SRC)

deps:
	$(Q).ci/deps build demo test fuzz analyze

build-deps:
	$(Q).ci/deps --check build

install: $(B)/skep
	install -D -m 755 $(B)/skep $(DESTDIR)$(PREFIX)/bin/skep
	engine/man.sh $(B)/skep >$(B)/skep.1
	install -D -m 644 $(B)/skep.1 $(DESTDIR)$(PREFIX)/share/man/man1/skep.1

clean:
	$(Q)rm -rf build skep config/schema

.PHONY: all unit replay blackbox test demo bench fuzz run-fuzzers tidy format \
        analyze deps build-deps install clean h2spec h2spec
.SECONDARY:
-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)
