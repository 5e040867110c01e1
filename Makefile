# pollscope: one Makefile, no recursion. The -I list of each folder is the
# dependency table of docs/ARCHITECTURE.md: a header that may not be used
# cannot be found.
#
#   make            what is missing to build (make deps), then the tool and the library
#   make build      the same without a look at packages
#   make demo       … and a look at the dashboard: an instrumented server with a switchable sin
#   make check      … and what the tests need, then all tests
#   make lint format asan tsan bench fuzz screens pictures install uninstall clean
#
# CC CLANG BPFTOOL CFLAGS LDFLAGS PREFIX (or prefix) DESTDIR are honoured; V=1 shows commands,
# B= names another build folder, FUZZ_SECONDS= the time per fuzz target.

B        ?= build
CC       ?= cc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
prefix   ?= /usr/local
PREFIX   ?= $(prefix)
DESTDIR  ?=
VERSION  := 0.1.0
ARCH     := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
MULTIARCH:= $(shell $(CC) -print-multiarch 2>/dev/null)
SAN      ?=
OPT      ?= -O2
LLHTTP   ?= /usr/share/llhttp
FUZZ_SECONDS ?= 60

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

# V=1 shows the commands; otherwise one short line each
Q        := $(if $(V),,@)
say       = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# as many jobs as processors, unless the user said how many
JOBS      = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

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
# not under ThreadSanitizer, whose own close() calls deadlock with the shim's
KQUEUE_BINS:= $(if $(filter Linux,$(shell uname -s)),$(if $(findstring sanitize=thread,$(SAN)),,$(patsubst tests/%.c,$(B)/tests/%_kqueue,$(wildcard tests/loop/test_*.c))))
UNIT_BINS  := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRC)) $(KQUEUE_BINS)
PROGRAMS   := $(patsubst tests/programs/%.c,$(B)/tests/programs/%,$(wildcard tests/programs/*.c))
BENCHES    := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/*.c))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
HEADERS    := $(wildcard include/*.h loop/*.h core/*.h attach/*.h tui/*.h cli/*.h)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all build lib tests deps check-deps check demo lint format asan tsan bench fuzz install uninstall clean

all: deps
	@$(MAKE) --no-print-directory $(JOBS) build
build: $(TOOL) $(LIB)
lib: $(LIB)
tests: $(UNIT_BINS) $(PROGRAMS) $(if $(KQUEUE_BINS),$(B)/tests/kqueue/ticker $(B)/tests/kqueue/ticker_inside)

# the sub-make looks anew for what deps installed (a compiler, bpftool)
deps:
	@.ci/deps build
check-deps:
	@.ci/deps tests
	@tests/peers
	@tests/validators
demo: all
	@$(TOOL) demo
check: check-deps
	@$(MAKE) --no-print-directory $(JOBS) build tests
	@tests/run

# ---- rules ----
$(TOOL): $(CLI_OBJS) $(TUI_OBJS) $(ATTACH_OBJS) $(CORE_OBJS) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE) $(LDFLAGS) -o $@ $^ $(LIBS_tool)

$(LIB): $(LOOP_OBJS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

define room
$(B)/$(1)/%.o: $(1)/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(BASE) $$(INC_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach r,loop core attach tui cli,$(eval $(call room,$(r))))

$(ATTACH_OBJS): $(SKELS)

$(B)/llhttp/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(STD) $(CFLAGS) $(SAN) -w -I/usr/share/include/llhttp -I/usr/share/include -c -o $@ $<

# CO-RE objects from the committed header of kernel structs: no BTF is needed to build
$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) -g -O2 -target bpf -ffreestanding -D__TARGET_ARCH_$(ARCH) -Wall -Iinclude -Ibpf -idirafter /usr/include/$(MULTIARCH) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@.tmp && sed -i -e '1i /* NOLINTBEGIN */' -e '$$a /* NOLINTEND */' $@.tmp && mv $@.tmp $@

# tests: every test_*.c is one program with many named tests
$(B)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE) $(INC_tests) -MMD -MP -c -o $@ $<
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/tests/test.o $(TUI_OBJS) $(ATTACH_OBJS) $(CORE_OBJS) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_tool)
$(B)/tests/loop/%: $(B)/tests/loop/%.o $(B)/tests/test.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_loop)
# the same tests on kqueue: its backend is linked first, over a shim that is kqueue(2) on Linux
$(B)/tests/kqueue/backend.o: loop/backend_kqueue.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(INC_loop) -isystem tests/kqueue -MMD -MP -c -o $@ $<
$(B)/tests/kqueue/libshim.so: tests/kqueue/shim.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -isystem tests/kqueue -fPIC -shared -o $@ $<
$(B)/tests/loop/%_kqueue: $(B)/tests/loop/%.o $(B)/tests/test.o $(B)/tests/kqueue/backend.o $(LIB) $(B)/tests/kqueue/libshim.so
	$(Q)$(CC) $(BASE) $(LDFLAGS) -o $@ $(filter-out %.so,$^) -L$(B)/tests/kqueue -lshim -Wl,-rpath,'$$ORIGIN/../kqueue' -lcmocka $(LIBS_loop)
# a program of kqueue's, to be watched
$(B)/tests/kqueue/ticker: tests/kqueue/ticker.c tests/kqueue/tick.h $(B)/tests/kqueue/libshim.so
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -isystem tests/kqueue -o $@ $< -L$(B)/tests/kqueue -lshim -Wl,-rpath,'$$ORIGIN'
$(B)/tests/kqueue/ticker_inside: tests/kqueue/ticker.c tests/kqueue/tick.h tests/kqueue/shim.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -isystem tests/kqueue -o $@ tests/kqueue/ticker.c tests/kqueue/shim.c
$(B)/tests/programs/%: $(B)/tests/programs/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE) $(LDFLAGS) -o $@ $^ $(LIBS_loop)
# programs of libuv, whatever they watch
$(B)/tests/programs/uv_%: LIBS_loop += -luv
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(filter-out $(B)/cli/main.o,$(CLI_OBJS)) $(TUI_OBJS) $(ATTACH_OBJS) $(CORE_OBJS) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE) $(LDFLAGS) -o $@ $^ $(LIBS_tool)
# libFuzzer has its own main(); reached through `make fuzz` only
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(ATTACH_OBJS) $(CORE_OBJS) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS_tool)

# ---- sanitizers, fuzzing, figures ----
asan:
	@$(MAKE) --no-print-directory B=$(B)/asan OPT=-O1 SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined" tests
	@B=$(B)/asan SUITES="unit loop" UNIT_LIMIT=120 LOOP_LIMIT=30 tests/run
tsan:
	@$(MAKE) --no-print-directory B=$(B)/tsan OPT=-O1 SAN="-fsanitize=thread -Wno-tsan" tests
	@B=$(B)/tsan SUITES="unit loop" UNIT_LIMIT=120 LOOP_LIMIT=30 tests/run

# a corpus grows in the build folder; what a target once choked on is kept in tests/data/fuzz/NAME
fuzz:
	@$(MAKE) --no-print-directory B=$(B)/fuzz CC=$(CLANG) OPT=-O1 SAN="-fsanitize=fuzzer-no-link,address,undefined" fuzzers
	@for f in $(notdir $(FUZZERS)); do \
		mkdir -p $(B)/fuzz/corpus/$$f && echo "fuzz $$f $(FUZZ_SECONDS) s" && \
		$(B)/fuzz/tests/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
			-artifact_prefix=$(B)/fuzz/ $(B)/fuzz/corpus/$$f $$(ls -d tests/data/fuzz/$$f 2>/dev/null) \
			>$(B)/fuzz/$$f.log 2>&1 || { tail -n 30 $(B)/fuzz/$$f.log; exit 1; }; \
		grep -E 'number_of_executed_units' $(B)/fuzz/$$f.log; \
	done
.PHONY: fuzzers bench-peers install-loop
fuzzers: $(FUZZERS)

# golden screens of the tests anew: look at the difference before it is kept
.PHONY: screens pictures
screens: tests
	@UPDATE=1 tests/run unit/screens
# pictures of real screens for the documentation
pictures: build
	@B=$(B) docs/pictures/make.sh

bench: build $(BENCHES) $(PROGRAMS)
	@for b in $(filter-out %/make_recording,$(BENCHES)) $(wildcard tests/bench/*.sh); do \
		case $$b in *.sh) B=$(B) bash $$b ;; *) $$b ;; esac || exit 1; done
	@if $(MAKE) --no-print-directory -s $(B)/tests/bench/peers/loops 2>/dev/null; then $(B)/tests/bench/peers/loops --rounds $(PEER_ROUNDS) $(PEER_OPTIONS); \
	else echo "the loop was not compared with libuv, libev and libevent: their headers are not installed (libuv1-dev libev-dev libevent-dev)"; fi

# the loop against libuv, libev and libevent; only this wants their headers (libev last: it exports libevent's names)
$(B)/tests/bench/peers/loops: $(wildcard tests/bench/peers/*.[ch]) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -Wno-strict-aliasing $(INC_cli) -isystem /usr/share/include/llhttp -Itests/bench/peers -o $@ $(wildcard tests/bench/peers/*.c) $(LIB) -levent -luv -lev $(LIBS_loop)
PEER_ROUNDS ?= 8
bench-peers: $(B)/tests/bench/peers/loops
	@$< --rounds $(PEER_ROUNDS) $(PEER_OPTIONS)

# ---- habits ----
# A finding of a tool fails; sizes are only shown. Tools that are absent are named and passed over.
lint: $(SKELS)
	@B=$(B) CC="$(CC)" tests/lint $(foreach r,loop core attach tui cli,"$(r)=$(INC_$(r))")
format:
	clang-format -i $(wildcard include/*.h loop/*.[ch] core/*.[ch] attach/*.[ch] tui/*.[ch] cli/*.[ch] bpf/*.[ch] tests/*.[ch] tests/*/*.[ch])

# ---- install ----
INSTALLED = bin/pollscope lib/libpollscope-loop.a $(addprefix lib/libpollscope-loop.so,.$(VERSION) .$(SOVERSION)) lib/libpollscope-loop.so lib/pkgconfig/pollscope-loop.pc share/man/man1/pollscope.1 share/man/man3/pollscope-loop.3 \
	share/bash-completion/completions/pollscope include/pollscope/ps_loop.h include/pollscope/ps_event.h include/pollscope/ps_ring.h
$(B)/pollscope.1: $(TOOL)
	$(Q)$(TOOL) _man >$@
$(B)/pollscope.bash: $(TOOL)
	$(Q)$(TOOL) _completion >$@
# the library for others: a shared object and an archive that show the functions of ps_loop.h and nothing else
SOVERSION := 0
SHARED    := $(B)/lib/libpollscope-loop.so.$(VERSION)
ARCHIVE   := $(B)/lib/libpollscope-loop.a
PIC_OBJS  := $(patsubst $(B)/%.o,$(B)/pic/%.o,$(LOOP_OBJS))
$(B)/pic/loop/%.o: loop/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(INC_loop) -fPIC -MMD -MP -c -o $@ $<
$(B)/pic/llhttp/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(CFLAGS) $(SAN) -fPIC -w -I/usr/share/include/llhttp -I/usr/share/include -c -o $@ $<
$(SHARED): $(PIC_OBJS) loop/libpollscope-loop.map
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(LDFLAGS) -shared -Wl,-soname,libpollscope-loop.so.$(SOVERSION) \
		-Wl,--version-script,loop/libpollscope-loop.map -Wl,-z,defs -o $@ $(PIC_OBJS) $(LIBS_loop)
$(ARCHIVE): $(PIC_OBJS)
	@mkdir -p $(@D)
	$(Q)$(LD) -r -o $(B)/lib/loop.o $^
	$(Q)objcopy --wildcard --keep-global-symbol='ps_*' $(B)/lib/loop.o
	$(Q)rm -f $@ && ar rcs $@ $(B)/lib/loop.o
$(B)/pollscope-loop.3: include/ps_loop.h loop/man.awk
	@mkdir -p $(@D)
	$(Q)LC_ALL=C awk -f loop/man.awk $< >$@
install-loop: $(SHARED) $(ARCHIVE) $(B)/pollscope-loop.pc $(B)/pollscope-loop.3
	$(Q)install -D -m 644 $(B)/pollscope-loop.3 $(DESTDIR)$(PREFIX)/share/man/man3/pollscope-loop.3
	$(Q)install -D -m 755 $(SHARED) $(DESTDIR)$(PREFIX)/lib/libpollscope-loop.so.$(VERSION)
	$(Q)ln -sf libpollscope-loop.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libpollscope-loop.so.$(SOVERSION)
	$(Q)ln -sf libpollscope-loop.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib/libpollscope-loop.so
	$(Q)install -D -m 644 $(ARCHIVE) $(DESTDIR)$(PREFIX)/lib/libpollscope-loop.a
	$(Q)install -D -m 644 $(B)/pollscope-loop.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/pollscope-loop.pc
	$(Q)install -d $(DESTDIR)$(PREFIX)/include/pollscope
	$(Q)install -m 644 include/ps_loop.h include/ps_event.h include/ps_ring.h $(DESTDIR)$(PREFIX)/include/pollscope
$(B)/pollscope-loop.pc: Makefile
	@mkdir -p $(@D)
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include/pollscope' '' \
		'Name: pollscope-loop' 'Description: event loop with a flight recorder' 'Version: $(VERSION)' \
		'Libs: -L$${libdir} -lpollscope-loop' 'Libs.private: $(LIBS_loop)' 'Cflags: -I$${includedir}' >$@
.PHONY: $(B)/pollscope-loop.pc
install: build install-loop $(B)/pollscope.1 $(B)/pollscope.bash
	$(Q)install -D -m 755 $(TOOL) $(DESTDIR)$(PREFIX)/bin/pollscope
	$(Q)install -D -m 644 $(B)/pollscope.1 $(DESTDIR)$(PREFIX)/share/man/man1/pollscope.1
	$(Q)install -D -m 644 $(B)/pollscope.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pollscope
uninstall:
	$(Q)rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(INSTALLED))
	$(Q)rmdir $(DESTDIR)$(PREFIX)/include/pollscope 2>/dev/null || true

clean:
	rm -rf $(B)

-include $(shell find $(B) -type f -name '*.d' -not -path '$(B)/peers/*' -not -path '$(B)/asan/*' -not -path '$(B)/tsan/*' -not -path '$(B)/fuzz/*' 2>/dev/null)
