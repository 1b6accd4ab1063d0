// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU plugin: how many instructions are spent in some functions of the guest,
 * for each call of one of them. Debian has no header for plugins; what is used
 * of their interface, version 1, is declared here.
 *
 *	-plugin count.so,functions=FUNCTIONS,out=FILE
 *
 * A line of FUNCTIONS is an address and a length, in hexadecimal without 0x; the
 * first function is the one whose calls count. FILE gets the two totals.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
						enum qemu_plugin_op op,
						void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t,
						      struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
				    void (*cb)(qemu_plugin_id_t, void *),
				    void *userdata);

int qemu_plugin_version = 1;

#define MAX_FUNCTIONS	256

static struct {
	uint64_t start, len;
} functions[MAX_FUNCTIONS];

static int nr_functions;
static uint64_t instructions, calls;
static char out[4096];

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	int f;

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t addr = qemu_plugin_insn_vaddr(insn);

		for (f = 0; f < nr_functions; f++)
			if (addr - functions[f].start < functions[f].len)
				break;
		if (f == nr_functions)
			continue;
		qemu_plugin_register_vcpu_insn_exec_inline(insn,
							   QEMU_PLUGIN_INLINE_ADD_U64,
							   &instructions, 1);
		if (addr == functions[0].start)
			qemu_plugin_register_vcpu_insn_exec_inline(insn,
								   QEMU_PLUGIN_INLINE_ADD_U64,
								   &calls, 1);
	}
}

static void ended(qemu_plugin_id_t id, void *unused)
{
	FILE *f = fopen(out, "w");

	if (!f)
		return;
	fprintf(f, "%" PRIu64 " %" PRIu64 "\n", instructions, calls);
	fclose(f);
}

static int read_functions(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f)
		return -1;
	while (nr_functions < MAX_FUNCTIONS &&
	       fscanf(f, "%" SCNx64 " %" SCNx64, &functions[nr_functions].start,
		      &functions[nr_functions].len) == 2)
		nr_functions++;
	fclose(f);
	return nr_functions ? 0 : -1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info,
			int argc, char **argv)
{
	int i, ret = -1;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "functions=", 10))
			ret = read_functions(argv[i] + 10);
		else if (!strncmp(argv[i], "out=", 4))
			snprintf(out, sizeof(out), "%s", argv[i] + 4);
	}
	if (ret || !*out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
