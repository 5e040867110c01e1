/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether programs may run at the kernel's functions (fentry, fexit). Some kernels refuse that whoever asks. */
#ifndef FENTRY_H
#define FENTRY_H

/* Asks once, which is cheap: neither a function is looked for nor an object loaded. 0: not refused; else -EPERM or -EACCES. */
int fentry_refused(void);

#endif
