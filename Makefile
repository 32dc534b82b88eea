# Builds Odradek: `make` the programs into bin/, `make check` the unit tests. `make help` lists the rest.
#   CC=clang BUILD=build/clang            another compiler, beside the first
#   SANITIZE=address,undefined            with sanitizers, into a folder of its own

CC      = gcc
BUILD   = build/$(notdir $(CC))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
BIN     = $(if $(filter gcc,$(notdir $(CC)))$(SANITIZE),$(if $(SANITIZE),$(BUILD)/bin,bin),$(BUILD)/bin)
comma   = ,

LIBS    = rdkafka hiredis jansson libmicrohttpd libcyaml libpcre2-8 libidn2 nettle zlib
WARN    = -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla
HARDEN  = -fstack-protector-strong -fPIE $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
CFLAGS  = -O2 -g
ALL_CFLAGS  = -std=c17 -D_GNU_SOURCE -I. $(CFLAGS) $(WARN) $(HARDEN) $(SAN) -pthread $(shell pkg-config --cflags $(LIBS))
ALL_LDFLAGS = $(LDFLAGS) -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN) -pthread
LDLIBS  = $(shell pkg-config --libs $(LIBS)) -lm
SAN     = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)

SERVICES = $(patsubst services/%/main.c,%,$(wildcard services/*/main.c))
TOOLS    = $(patsubst tools/%.c,%,$(wildcard tools/*.c))
BENCHES  = $(patsubst bench/%.c,bench-%,$(wildcard bench/*.c))
TESTS    = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))

SHARED_OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c model/*.c services/*.c))
# Everything of the services but their main.c: what unit tests link with.
LOGIC_OBJECTS  = $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/main.c,$(wildcard services/*/*.c)))
OBJECTS        = $(SHARED_OBJECTS) $(patsubst %.c,$(BUILD)/%.o,$(wildcard services/*/*.c tools/*.c bench/*.c bench/schema/*.c tests/unit/*.c))

.PHONY: all check clean help bench bench-schema fuzz
.DELETE_ON_ERROR:
.SECONDARY:

all: $(addprefix $(BIN)/,$(SERVICES) $(TOOLS))

help:
	@echo "make            the programs, into bin/"
	@echo "make check      builds and runs the unit tests"
	@echo "make bench      builds and runs the measurements"
	@echo "make bench-schema   compares the schema validator with others, which are fetched below build/"
	@echo "make fuzz       runs each fuzz target for SECONDS_EACH (30) seconds"
	@echo "make clean      removes what was built from the sources"

$(BUILD)/lib.a: $(SHARED_OBJECTS)
$(BUILD)/logic.a: $(LOGIC_OBJECTS)
$(BUILD)/lib.a $(BUILD)/logic.a:
	@rm -f $@ && ar rcs $@ $^

define SERVICE
$(BIN)/$(1): $(patsubst %.c,$(BUILD)/%.o,$(wildcard services/$(1)/*.c)) $(BUILD)/lib.a
endef
$(foreach service,$(SERVICES),$(eval $(call SERVICE,$(service))))
$(addprefix $(BIN)/,$(TOOLS)): $(BIN)/%: $(BUILD)/tools/%.o $(BUILD)/lib.a
$(addprefix $(BUILD)/bin/,$(BENCHES)): $(BUILD)/bin/bench-%: $(BUILD)/bench/%.o $(BUILD)/lib.a
$(addprefix $(BUILD)/tests/,$(TESTS)): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LOGIC_OBJECTS) $(BUILD)/lib.a
$(addprefix $(BUILD)/tests/,$(TESTS)): LDLIBS += -lcmocka
$(addprefix $(BIN)/,$(SERVICES) $(TOOLS)) $(addprefix $(BUILD)/bin/,$(BENCHES)) $(addprefix $(BUILD)/tests/,$(TESTS)):
	@mkdir -p $(@D) && echo "  link $@" && $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Files that are embedded with EMBED are not seen by the compiler's own dependencies.
$(BUILD)/common/record.o $(BUILD)/model/settings.o: $(wildcard schemas/*.json)
$(BUILD)/services/openapi.o: schemas/api.json
$(BUILD)/services/docs.o: $(wildcard services/docs_page.*)
$(BUILD)/common/schema_meta.o: $(wildcard schemas/meta/*.json schemas/meta/*/*.json)
$(BUILD)/services/persister/persister.o $(BUILD)/services/materializer/materializer.o $(BUILD)/services/validator/claims.o: $(wildcard services/*/*.lua)
$(BUILD)/services/sink_shape.o: $(wildcard services/*.lua)

check: $(addprefix $(BUILD)/tests/,$(TESTS))
	@failed=0; for test in $^; do ./$$test || failed=1; done; \
	    /usr/bin/python3 tests/structure/check.py $(BUILD) || failed=1; exit $$failed

bench-schema: $(BUILD)/bin/bench-schema
	@bench/schema/compare.py
$(BUILD)/bin/bench-schema: $(BUILD)/bench/schema/bench.o $(BUILD)/lib.a
	@mkdir -p $(@D) && echo "  link $@" && $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

SECONDS_EACH = 30
fuzz:
	@tests/fuzz/run.sh $(SECONDS_EACH)

clean:
	@rm -rf build/gcc* build/clang* $(addprefix bin/,$(SERVICES) $(TOOLS))

-include $(OBJECTS:.o=.d)
