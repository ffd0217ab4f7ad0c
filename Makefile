# make            the release binary, linked as ./skep
# make MODE=debug|release|asan|cov   into build/MODE
# V=1 shows the commands.

MODE ?= release
B    := build/$(MODE)

CC       ?= cc
CPPFLAGS += -I. -D_GNU_SOURCE -MMD -MP
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef \
            -Wwrite-strings -Wpointer-arith -Wformat=2 -Werror
CFLAGS   += -std=c11 -g $(WARN) $(FLAGS.$(MODE))
LDFLAGS  += $(FLAGS.$(MODE))
LDLIBS   += -lmbedtls -lmbedx509 -lmbedcrypto -lcares -lnghttp2 -lsqlite3 \
            -lseccomp -lev -lm

FLAGS.debug   := -Og -fno-omit-frame-pointer
FLAGS.release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
                 -fno-sanitize-recover=all
FLAGS.cov     := -O0 --coverage

# A folder is a layer; sources are whatever stands in it.
SRC   := $(filter-out engine/main.c,$(wildcard engine/base/*.c net/*.c \
           config/*.c sandbox/*.c tools/*.c engine/*.c engine/cmd/*.c \
           engine/mock/*.c))
LIB   := $(B)/skep.a
TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))

ifneq ($(V),1)
Q := @
say = @echo '  $(1)	$@';
endif

all: $(if $(wildcard engine/main.c),$(B)/skep) $(LIB)
	$(Q)[ ! -f $(B)/skep ] || ln -sfn $(B)/skep skep

$(B)/skep: $(B)/engine/main.o $(LIB)
	$(call say,LD) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(SRC:%.c=$(B)/%.o)
	$(Q)rm -f $@
	$(call say,AR) $(AR) rcs $@ $^

$(B)/tests/%: $(B)/tests/%.o $(LIB)
	$(call say,LD) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(B)/%.o: %.c Makefile
	$(Q)mkdir -p $(@D)
	$(call say,CC) $(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

unit: $(TESTS)
	$(Q)for t in $(TESTS); do echo "  TEST	$$t"; $$t || exit 1; done

tidy:
	$(Q)tests/tidy.sh

format:
	$(Q)git ls-files '*.[ch]' | xargs clang-format -i

clean:
	$(Q)rm -rf build skep

.PHONY: all unit tidy format clean
.SECONDARY:
-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)
