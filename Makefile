# pollscope: one Makefile, no recursion. The -I list of each folder is the
# dependency table of docs/ARCHITECTURE.md: a header that may not be used
# cannot be found.

B        ?= build
CC       ?= cc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
PREFIX   ?= /usr/local
DESTDIR  ?=
VERSION  := 0.1.0
ARCH     := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
MULTIARCH:= $(shell $(CC) -print-multiarch 2>/dev/null)
SAN      ?=
OPT      ?= -O2
LLHTTP   ?= /usr/share/llhttp

CFLAGS   ?= $(OPT) -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter -Wno-missing-field-initializers
STD      := -std=gnu11 -D_GNU_SOURCE -DPOLLSCOPE_VERSION='"$(VERSION)"'
BASE     := $(STD) $(WARN) $(CFLAGS) $(SAN) -fno-omit-frame-pointer -pthread

# ---- the dependency table ----
INC_loop   := -Iinclude -Iloop -isystem /usr/share/include/llhttp
INC_core   := -Iinclude -Icore
INC_attach := -Iinclude -Icore -Iattach -I$(B)/bpf
INC_tui    := -Iinclude -Icore -Itui
INC_cli    := -Iinclude -Icore -Iattach -Itui -Icli
INC_tests  := -Iinclude -Iloop -Icore -Iattach -Itui -Icli -Itests -I$(B)/bpf -isystem /usr/share/include/llhttp

LIBS_loop := -lcrypto -pthread
LIBS_core := -ljansson -lcyaml -lyaml -lzstd -lz -lm
LIBS_tool := $(LIBS_core) -lbpf -lelf -ldw -lncursesw -ltinfo -liberty $(LIBS_loop)

src  = $(sort $(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(B)/%.o,$(call src,$(1)))

# exactly one poller backend family per system; files, not #ifdef
LOOP_SKIP  := $(if $(filter Linux,$(shell uname -s)),loop/backend_kqueue.c,loop/backend_epoll.c)
LOOP_OBJS  := $(patsubst %.c,$(B)/%.o,$(filter-out $(LOOP_SKIP),$(call src,loop))) $(B)/llhttp/llhttp.o $(B)/llhttp/api.o $(B)/llhttp/http.o
CORE_OBJS  := $(call objs,core)
ATTACH_OBJS:= $(call objs,attach)
TUI_OBJS   := $(call objs,tui)
CLI_OBJS   := $(call objs,cli)
SKELS      := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.skel.h,$(wildcard bpf/*.bpf.c))

TOOL       := $(B)/pollscope
LIB        := $(B)/libpollscope-loop.a
UNIT_SRC   := $(sort $(wildcard tests/unit/test_*.c tests/loop/test_*.c))
UNIT_BINS  := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRC))
PROGRAMS   := $(patsubst tests/programs/%.c,$(B)/tests/programs/%,$(wildcard tests/programs/*.c))
BENCHES    := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/*.c))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all build lib tests deps deps-check check demo lint format asan tsan bench fuzz install uninstall clean

all: build
build: $(TOOL) $(LIB)
lib: $(LIB)
tests: $(UNIT_BINS) $(PROGRAMS)

# ---- rules ----
$(TOOL): $(CLI_OBJS) $(TUI_OBJS) $(ATTACH_OBJS) $(CORE_OBJS) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(BASE) $(LDFLAGS) -o $@ $^ $(LIBS_tool)

$(LIB): $(LOOP_OBJS)
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^

define room
$(B)/$(1)/%.o: $(1)/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(BASE) $$(INC_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach r,loop core attach tui cli,$(eval $(call room,$(r))))

$(ATTACH_OBJS): $(SKELS)

$(B)/llhttp/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(CFLAGS) $(SAN) -w -I/usr/share/include/llhttp -I/usr/share/include -c -o $@ $<

# CO-RE objects from the committed header of kernel structs: no BTF is needed to build
$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -target bpf -D__TARGET_ARCH_$(ARCH) -Wall -Iinclude -Ibpf -idirafter /usr/include/$(MULTIARCH) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $* > $@.tmp && mv $@.tmp $@

# tests: every test_*.c is one program with many named tests
$(B)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(INC_tests) -MMD -MP -c -o $@ $<
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/tests/test.o $(TUI_OBJS) $(ATTACH_OBJS) $(CORE_OBJS) $(LIB)
	$(CC) $(BASE) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_tool)
$(B)/tests/loop/%: $(B)/tests/loop/%.o $(B)/tests/test.o $(LIB)
	$(CC) $(BASE) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_loop)
$(B)/tests/programs/%: $(B)/tests/programs/%.o $(LIB)
	$(CC) $(BASE) $(LDFLAGS) -o $@ $^ $(LIBS_loop)
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(ATTACH_OBJS) $(CORE_OBJS) $(LIB)
	$(CC) $(BASE) $(LDFLAGS) -o $@ $^ $(LIBS_tool)

check: deps-check
	@$(MAKE) --no-print-directory build tests
	@tests/run

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
