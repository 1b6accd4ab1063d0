/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LAB_GCOV_H
#define LAB_GCOV_H

void send_coverage(int port);

#endif
